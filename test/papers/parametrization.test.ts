// The study of the improved standard parametrisation: affine widths, tuning, training, and what is remembered.
import { createEngine, kernel, type Engine } from 'infinite-width';
import { ARCHITECTURES, studyNet } from '#build/papers/parametrization/architectures.js';
import { digitsData, firstOf, flat } from '#build/papers/parametrization/data.js';
import {
  parametrisationErrors,
  randomWidthErrors,
  tunedWidths,
} from '#build/papers/parametrization/kernels.js';
import { STUDY_SIZES } from '#build/papers/parametrization/sizes.js';
import { improvedStandardStudy } from '#build/papers/parametrization/study.js';
import { studyFigures, studyTables } from '#build/papers/parametrization/figures.js';
import { trainedNets } from '#build/papers/parametrization/training.js';
import { afterAll, beforeAll, expect, it } from 'vitest';

let engine: Engine;
beforeAll(async () => void (engine = await createEngine({ variant: 'simd' })));
afterAll(() => engine.dispose());

const shared = { trainSizes: [40], diagReg: 1e-4 };

it('has nets whose NTK is affine in the common width, for every architecture', async () => {
  const { xTrain } = await digitsData(engine, 4, 10, 0);
  for (const kind of ARCHITECTURES) {
    const at = async (width: number): Promise<Float64Array> => {
      const net = studyNet(kind, { depth: 2, width, parametrization: 'standard', positions: 64 }, 1);
      return (await kernel(engine, net, kind === 'FC' ? flat(xTrain) : xTrain)).ntk.data as Float64Array;
    };
    const [one, two, many] = [await at(1), await at(2), await at(37.5)];
    for (const [i, value] of many.entries())
      expect(Math.abs(one[i]! + 36.5 * (two[i]! - one[i]!) - value), kind).toBeLessThan(
        1e-11 * Math.abs(value),
      );
  }
});

it('compares both parametrisations well above chance', async () => {
  const data = await digitsData(engine, 40, 100, 0);
  const rows = await parametrisationErrors(engine, 'FC', 2, data, { ...shared, widths: [1, 8192] });
  expect(rows).toHaveLength(2);
  for (const { ntk, standard } of rows) {
    expect(ntk).toBeLessThan(0.45);
    expect(Math.abs(standard - ntk)).toBeLessThan(0.1);
  }
  const random = await randomWidthErrors(engine, 2, data, { ...shared, draws: 2, seed: 0 });
  expect(random.map(({ widths }) => widths!.every((n) => n >= 8 && n <= 8192))).toEqual([true, true]);
  expect(random[0]!.widths).not.toEqual(random[1]!.widths);
});

it('tunes widths uphill', async () => {
  const data = await digitsData(engine, 60, 100, 0);
  const tuned = await tunedWidths(engine, 2, data, {
    ...shared,
    start: 64,
    tuneOn: 60,
    restarts: 0,
    maxSteps: 6,
  });
  expect(tuned.widths).toHaveLength(2);
  expect(tuned.density[1]).toBeGreaterThan(tuned.density[0]);
  expect(tuned.widths.every((n) => n >= 1 && n <= 8192 && n !== 64)).toBe(true);
});

it('trains nets that approach their kernels as they grow, unless their base widths grow too', async () => {
  const data = firstOf(await digitsData(engine, 40, 60, 0), 40, 60);
  const sizes = {
    train: 40,
    depth: 1,
    baseWidth: 4,
    steps: 60,
    batchSize: null,
    nets: 6,
    rates: [0.5],
    validation: 0,
  };
  for (const family of ['ntk', 'improved'] as const) {
    const narrow = await trainedNets(engine, { kind: 'FC', family, width: 8, data, size: sizes });
    const wide = await trainedNets(engine, { kind: 'FC', family, width: 512, data, size: sizes });
    expect(wide.gap, family).toBeLessThan(0.6 * narrow.gap);
    // The limit is the same kernel, so the rate is too.
    expect(wide.learningRate / narrow.learningRate).toBeCloseTo(1, 9);
  }
  const [narrow, wide] = [
    await trainedNets(engine, { kind: 'FC', family: 'standard', width: 8, data, size: sizes }),
    await trainedNets(engine, { kind: 'FC', family: 'standard', width: 512, data, size: sizes }),
  ];
  expect(wide.learningRate).toBeLessThan(narrow.learningRate / 3);
});

it('chooses the rate on held-out samples, and compares nets with their kernel from the same start', async () => {
  const data = await digitsData(engine, 100, 100, 0);
  const sizes = { train: 60, depth: 1, baseWidth: 4, batchSize: null, nets: 3, validation: 40 };
  const searched = { ...sizes, steps: 60, rates: [0.005, 0.5] };
  const row = await trainedNets(engine, { kind: 'FC', family: 'ntk', width: 64, data, size: searched });
  const fixed = await trainedNets(engine, {
    kind: 'FC',
    family: 'ntk',
    width: 64,
    data,
    size: { ...searched, rates: [0.5] },
  });
  expect(row).toEqual(fixed); // a hundredth of the rate learns too little
  // Before training, net and kernel are the same function: both err as a random start does.
  const started = await trainedNets(engine, {
    kind: 'FC',
    family: 'ntk',
    width: 64,
    data,
    size: { ...sizes, steps: 1, rates: [1e-6] },
  });
  expect(started.kernelError).toBeCloseTo(started.error, 12);
  expect(started.error).toBeGreaterThan(0.6);
  expect(started.gap).toBeLessThan(1e-4);
});

it('goes on with what it remembers, and draws three figures', async () => {
  const data = await digitsData(engine, 40, 30, 0);
  const sizes = {
    ...STUDY_SIZES.ci,
    trainSizes: [20, 40],
    depths: [1],
    widths: [1, 64],
    randomDepths: [2],
    draws: 1,
    tune: { depth: 2, start: 16, tuneOn: 20, restarts: 0, maxSteps: 2, splits: 2 },
    training: [
      { ...STUDY_SIZES.ci.training[0]!, train: 20, validation: 20, widths: [4, 8], steps: 5, nets: 2 },
    ],
  };
  const kept = new Map<string, unknown>();
  const computed: string[] = [];
  const memory = {
    checkpointSeconds: 60,
    load: (name: string) => Promise.resolve(kept.get(name) ?? null),
    keep: async (name: string, value: unknown) => {
      computed.push(name);
      kept.set(name, structuredClone(value));
    },
    drop: async (name: string) => void kept.delete(name),
  };
  const options = { sizes, architectures: ['FC'] as const, memory };
  const stop = new AbortController();
  const stopped = improvedStandardStudy(engine, data, {
    ...options,
    signal: stop.signal,
    onProgress: ({ name }) => void (name === 'tuned-0' && stop.abort(new Error('stopped'))),
  });
  await expect(stopped).rejects.toThrow('stopped');
  expect(computed).toEqual(['errors-FC-1', 'random-2']);
  const result = await improvedStandardStudy(engine, data, options);
  expect(new Set(computed).size).toBe(computed.length);
  const again = await improvedStandardStudy(engine, data, { sizes, architectures: ['FC'] });
  expect(JSON.parse(JSON.stringify(again))).toEqual(result);
  expect(studyFigures(result).map(({ name }) => name)).toEqual([
    'figure-1',
    'figure-1-widths',
    'figure-2',
    'figure-3',
  ]);
  expect(result.tuned).toHaveLength(2);
  expect(result.tuned[0]!.rows).not.toEqual(result.tuned[1]!.rows);
  expect(studyTables(result).map(({ name, rows }) => [name, rows.length])).toEqual([
    ['errors', 2],
    ['tuned', 2],
    ['training', 6],
  ]);
});

it('goes on inside a training run from its checkpoint, to the same numbers', async () => {
  const data = await digitsData(engine, 20, 20, 0);
  const sizes = {
    train: 20,
    depth: 1,
    baseWidth: 4,
    steps: 12,
    batchSize: 8,
    nets: 2,
    rates: [0.2],
    validation: 0,
  };
  const kept = new Map<string, unknown>();
  const stop = new AbortController();
  const checkpointed: number[] = [];
  const memory = {
    checkpointSeconds: 1e-6,
    load: (name: string) => Promise.resolve(kept.get(name) ?? null),
    keep: async (name: string, value: unknown) => {
      kept.set(name, structuredClone(value));
      checkpointed.push((value as { step: number }[])[0]!.step);
      if (checkpointed.length === 5) stop.abort(new Error('stopped'));
    },
    drop: async (name: string) => void kept.delete(name),
  };
  const train = (follow: object): Promise<unknown> =>
    trainedNets(engine, { kind: 'FC', family: 'improved', width: 8, data, size: { ...sizes, ...follow } });
  const follow = { memory, name: 'nets' };
  await expect(train({ ...follow, signal: stop.signal })).rejects.toThrow('stopped');
  expect([...kept.keys()]).toEqual(['nets-checkpoint']);
  const result = await train(follow);
  expect(checkpointed).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  expect(kept.size).toBe(0);
  expect(result).toEqual(await train({}));
});
