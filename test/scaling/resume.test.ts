// A stopped experiment goes on where it stood, with the bits of one that was never stopped.
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  compareScalings,
  createEngine,
  golikovDeepWidths,
  scalings,
  type CompareOptions,
  type Engine,
  type KeptRun,
  type RunCheckpoint,
  type RunJournal,
} from 'infinite-width';
import { xorMixture } from '../support/xor.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd', workers: 1 });
});
afterAll(() => engine.dispose());

interface Memory extends RunJournal {
  readonly kept: Map<string, KeptRun | RunCheckpoint>;
  readonly loaded: string[];
}
/** A journal that breaks the call off once it has seen `checkpoints` of them. */
function memory(stop: AbortController, checkpoints = Infinity): Memory {
  const kept = new Map<string, KeptRun | RunCheckpoint>();
  const loaded: string[] = [];
  return {
    everySeconds: 0,
    kept,
    loaded,
    load: async (key) => {
      if (kept.has(key)) loaded.push(key);
      return kept.get(key) ?? null;
    },
    keep: async (key, what) => {
      if (stop.signal.aborted) return;
      kept.set(key, what);
      if ('state' in what && --checkpoints === 0) stop.abort(new Error('power cut'));
    },
  };
}

const shared: CompareOptions = {
  data: xorMixture(40, 30, 12),
  scalings: [scalings.meanField, scalings.icMeanFieldMask],
  baseWidth: 16,
  widths: [160],
  seeds: 2,
  epochs: 20,
  learningRate: 0.3,
  particles: 128,
  keepTraces: true,
  keep: { testLogits: true, increments: true },
};

it.each([
  ['in weights', { space: 'weights' }],
  ['in Gram space', { space: 'gram' }],
  ['in shuffled batches', { batchSize: 16, shuffle: true }],
  ['with Adam, without limits', { optimizer: 'adam', limit: false, learningRate: 0.01 }],
] as const)('resumes %s', async (_name, more) => {
  const options = { ...shared, ...more };
  const whole = await compareScalings(engine, options);
  const stop = new AbortController();
  const journal = memory(stop, 50); // in the middle of the third run of 20 epochs
  await expect(compareScalings(engine, { ...options, journal, signal: stop.signal })).rejects.toThrow(
    'power cut',
  );
  const states = [...journal.kept.values()].map((what) => ('state' in what ? what.epoch : 'finished'));
  expect(states).toEqual(['finished', 'finished', 10]);
  const rest = { ...memory(new AbortController()), kept: journal.kept };
  const totals = new Set<number>();
  const again = await compareScalings(engine, {
    ...options,
    journal: { ...rest, load: journal.load },
    onProgress: ({ total }) => totals.add(total),
  });
  expect(again).toEqual(whole);
  expect(journal.loaded.length).toBe(3);
  expect(totals.size).toBe(1); // the work that was left
});

it.each([1, 14, 33, 47, 62, 78])(
  'resumes limits wherever they stopped: after %i checkpoints',
  async (checkpoints) => {
    const options = {
      ...shared,
      // Moving features, fixed kernels with and without a start, signs only.
      scalings: [scalings.meanField, scalings.ntk, { qSigma: 0, qTilde: '-1/2' }, { qSigma: 0, qTilde: 0 }],
      baseWidth: 8,
      widths: [8],
      seeds: 1,
    };
    const whole = await compareScalings(engine, options);
    const stop = new AbortController();
    const journal = memory(stop, checkpoints);
    await expect(compareScalings(engine, { ...options, journal, signal: stop.signal })).rejects.toThrow(
      'power cut',
    );
    const begun = [...journal.kept.values()].filter((what) => 'state' in what);
    expect(begun.length).toBe(1);
    const rest = { ...memory(new AbortController()), kept: journal.kept };
    expect(await compareScalings(engine, { ...options, journal: { ...rest, load: journal.load } })).toEqual(
      whole,
    );
  },
);

it('starts afresh where anything about a run has changed', async () => {
  const journal = memory(new AbortController());
  await compareScalings(engine, { ...shared, journal });
  const { size } = journal.kept;
  for (const more of [{ learningRate: 0.2 }, { data: xorMixture(40, 30, 12, 2) }, { particles: 130 }]) {
    journal.loaded.length = 0;
    const found = await compareScalings(engine, { ...shared, ...more, journal });
    const { journal: _none, ...rest } = { ...shared, ...more, journal };
    expect(found).toEqual(await compareScalings(engine, rest));
    expect(journal.loaded.length).toBe('particles' in more ? 6 : 0); // then only the limits are new
  }
  expect(journal.kept.size).toBeGreaterThan(size);
});

it.each([
  ['sgd', 7],
  ['rmsprop', 23],
  ['adam', 40],
] as const)('resumes deep nets: %s after %i checkpoints', async (optimizer, checkpoints) => {
  const options = {
    ...{ data: shared.data, hiddenLayers: 2, widths: [128, 256], seeds: 1, epochs: 12, optimizer },
    ...{ batchSize: 16, shuffle: true, learningRate: optimizer === 'sgd' ? 0.3 : 0.003 },
  };
  const whole = await golikovDeepWidths(engine, options);
  const stop = new AbortController();
  const journal = memory(stop, checkpoints);
  await expect(golikovDeepWidths(engine, { ...options, journal, signal: stop.signal })).rejects.toThrow(
    'power cut',
  );
  const begun = [...journal.kept.values()].filter((what) => 'state' in what);
  expect(begun.map(({ epoch }) => epoch)).toEqual([((checkpoints - 1) % 12) + 1]);
  const rest = { ...memory(new AbortController()), kept: journal.kept };
  const again = await golikovDeepWidths(engine, { ...options, journal: { ...rest, load: journal.load } });
  expect(again).toEqual(whole);
});
