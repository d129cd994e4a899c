import {
  createEngine,
  createModel,
  dense,
  NumericalError,
  relu,
  serial,
  sgd,
  tensor,
  train,
  trainEnsemble,
  Trainer,
  type Engine,
  type Schedule,
  type TrainRecord,
} from 'infinite-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const random = (n: number, seed: number): Float64Array<ArrayBuffer> => {
  let state = seed;
  return Float64Array.from({ length: n }, () => (state = (state * 16807) % 2147483647) / 2147483647 - 0.5);
};
const net = serial(dense(9, { wStd: 1.4, bStd: 0.1 }), relu(), dense(2));
const x = tensor(random(33, 5), [11, 3]);
const y = tensor(random(22, 6), [11, 2]);

describe('ensembles', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createEngine({ variant: 'simd', workers: 2 });
  });
  afterAll(() => engine.dispose());
  const options = {
    model: { inputShape: [3] },
    train: {
      x,
      y,
      loss: 'mse' as const,
      optimizer: sgd(0.2),
      batchSize: 4,
      epochs: 3,
      evaluate: { test: { x, y }, bare: { x: [[1, 2, 3]] } },
    },
  };

  it('give each seed the bits of its own run, and the moments of the outputs', async () => {
    const done: number[] = [];
    const { runs, moments } = await trainEnsemble(engine, net, {
      ...options,
      seeds: [4, 0, 7],
      keepParameters: true,
      onProgress: (progress) => done.push(progress.done),
    });
    expect(done).toEqual([1, 2, 3]);
    for (const [i, seed] of [4, 0, 7].entries()) {
      using model = createModel(engine, net, { inputShape: [3], seed });
      let last: TrainRecord | undefined;
      for await (const record of train(model, options.train)) last = record;
      expect(runs[i]!.parameters).toEqual(model.parameters);
      expect(runs[i]!.outputs['test']).toEqual(last!.evaluations['test']!.outputs);
      expect(runs[i]!.trace.at(-1)!.movement).toEqual(last!.movement);
    }
    for (const name of ['test', 'bare']) {
      const { mean, variance } = moments[name]!;
      mean.data.forEach((value, at) => {
        const values = runs.map(({ outputs }) => outputs[name]!.data[at]!);
        const centre = (values[0]! + values[1]! + values[2]!) / 3;
        expect(value).toBeCloseTo(centre, 14);
        const spread = values.reduce((sum, v) => sum + (v - centre) ** 2, 0) / 2;
        expect(variance.data[at]).toBeCloseTo(spread, 14);
      });
      expect(mean.shape).toEqual(runs[0]!.outputs[name]!.shape);
    }
  });

  it('count seeds from 0, report failures and stop when told', async () => {
    const few = await trainEnsemble(engine, net, { ...options, seeds: 2 });
    const listed = await trainEnsemble(engine, net, { ...options, seeds: [0, 1] });
    expect(few).toEqual(listed);
    const wild = { ...options.train, optimizer: sgd(1e6), epochs: 500 };
    await expect(trainEnsemble(engine, net, { ...options, train: wild, seeds: 2 })).rejects.toThrow(
      NumericalError,
    );
    const abort = new AbortController();
    abort.abort(new Error('enough'));
    await expect(trainEnsemble(engine, net, { ...options, seeds: 2, signal: abort.signal })).rejects.toThrow(
      'enough',
    );
    for (const seeds of [0, -1, 1.5, []])
      await expect(trainEnsemble(engine, net, { ...options, seeds })).rejects.toThrow(/seeds must be/);
  });

  it('training records chosen steps', async () => {
    using model = createModel(engine, net, { inputShape: [3] });
    const steps: number[] = [];
    for await (const { step } of train(model, {
      x,
      y,
      loss: 'mse',
      batchSize: 4,
      steps: 10,
      recordAt: [1, 2, 5],
    }))
      steps.push(step);
    expect(steps).toEqual([0, 1, 2, 5, 10]);
    for (const recordAt of [[2, 1], [0.5], [-1]]) {
      const run = train(model, { x, y, loss: 'mse', recordAt });
      await expect(run.next()).rejects.toThrow(/recordAt must list/);
    }
    const both = train(model, { x, y, loss: 'mse', recordAt: [1], recordEvery: 1 });
    await expect(both.next()).rejects.toThrow(/recordEvery or recordAt/);
  });

  // The factor of each update, against its definition: two runs of one step at the rate written out.
  it.each<[Schedule, (step: number) => number]>([
    [{ kind: 'constant' }, () => 1],
    [{ kind: 'warmup', steps: 4 }, (step) => Math.min(1, (step + 1) / 4)],
    [
      { kind: 'cosine', steps: 5, final: 0.1 },
      (step) => 0.1 + (0.9 * (1 + Math.cos((Math.PI * Math.min(step, 5)) / 5))) / 2,
    ],
    [{ kind: 'decay', every: 2, factor: 0.5 }, (step) => 0.5 ** Math.floor(step / 2)],
  ])('schedule %j', (schedule, factor) => {
    using model = createModel(engine, net, { inputShape: [3], seed: 2 });
    using other = createModel(engine, net, { inputShape: [3], seed: 2 });
    const trainer = new Trainer(model, { x, y, loss: 'mse', optimizer: sgd(0.3), schedule });
    for (let step = 0; step < 7; step++) {
      trainer.next();
      const single = new Trainer(other, { x, y, loss: 'mse', optimizer: sgd(0.3 * factor(step)) });
      single.next();
      single.dispose();
      model.parameters.forEach(({ w }, layer) =>
        w.data.forEach((value, i) => expect(value).toBeCloseTo(other.parameters[layer]!.w.data[i]!, 13)),
      );
    }
    trainer.dispose();
  });

  it.each([
    [{ kind: 'cosine', steps: 0 }, /steps must be a whole number/],
    [{ kind: 'decay', every: 0, factor: 0.5 }, /every must be a whole number/],
    [{ kind: 'decay', every: 2, factor: NaN }, /factor must be finite/],
    [{ kind: 'step' }, /kind must be/],
  ])('rejects the schedule %j', (schedule, message) => {
    using model = createModel(engine, net, { inputShape: [3] });
    expect(() => new Trainer(model, { x, y, loss: 'mse', schedule: schedule as never })).toThrow(message);
  });
});
