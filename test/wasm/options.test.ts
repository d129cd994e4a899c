// The check of options by itself: what it refuses, and the word it names.
import { describe, expect, test } from 'vitest';
import { createEngine } from 'infinite-width';
import { knownFields, knownWord, nearest, type Fields } from '#build/wasm/engine.js';

interface Options {
  readonly diagReg?: number;
  readonly data: { readonly xor?: { readonly seed: number } };
}
const FIELDS: Fields<Options> = { diagReg: true, data: { xor: { seed: true } } };
const check = (options: unknown): void => knownFields('fit', options as Options, FIELDS);

describe('knownFields', () => {
  test('takes what is known, also in nested objects', () => {
    check({});
    check({ diagReg: 1, data: { xor: { seed: 1 } } });
    check({ data: null });
    check(Object.assign(Object.create({ inherited: 1 }), { diagReg: 1 }));
  });

  test('refuses what is not, and says what was meant', () => {
    expect(() => check({ diagreg: 1 })).toThrow(
      new RangeError('fit: unknown option "diagreg". Did you mean "diagReg"? Options: diagReg, data.'),
    );
    expect(() => check({ data: { xor: { seeds: 1 } } })).toThrow(
      new RangeError('fit: unknown option "data.xor.seeds". Did you mean "seed"? Options: seed.'),
    );
    expect(() => check({ constructor: 1 })).toThrow('unknown option "constructor". Options');
    expect(() => check({ diagreg: undefined })).toThrow('unknown option "diagreg"');
  });

  test('refuses what is no object', () => {
    for (const options of [null, 3, 'diagReg', [1]]) expect(() => check(options)).toThrow(TypeError);
    expect(() => check([1])).toThrow(
      'fit: the options must be an object with the fields diagReg, data, got a list.',
    );
  });
});

test('knownWord names the nearest word', () => {
  const words = ['meanField', 'ntk', 'default'] as const;
  expect(knownWord('scaling', 'name', 'ntk', words)).toBe('ntk');
  expect(() => knownWord('scaling', 'name', 'mean-field', words)).toThrow(
    "scaling: name must be 'meanField', 'ntk' or 'default', got 'mean-field'. Did you mean 'meanField'?",
  );
  expect(() => knownWord('scaling', 'name', 7, words)).toThrow(/got 7\.$/);
});

test('nearest takes a third of the letters as wrong, no more', () => {
  expect(nearest('learning_rate', ['learningRate', 'rate'])).toBe('learningRate');
  expect(nearest('wstd', ['wStd', 'bStd'])).toBe('wStd');
  expect(nearest('sede', ['seed'])).toBe('seed');
  expect(nearest('colour', ['seed', 'rank'])).toBeNull();
  expect(nearest('', ['a'])).toBeNull();
});

test('createEngine refuses an option it does not know', async () => {
  await expect(createEngine({ worker: 2 } as object)).rejects.toThrow(
    'createEngine: unknown option "worker". Did you mean "workers"?',
  );
});
