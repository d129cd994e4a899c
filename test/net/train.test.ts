import {
  adam,
  createEngine,
  createModel,
  dense,
  leakyRelu,
  momentum,
  nesterov,
  NumericalError,
  relu,
  rmsprop,
  serial,
  sgd,
  sharpness,
  tensor,
  train,
  Trainer,
  trainJob,
  type Checkpoint,
  type Engine,
  type NetDocument,
  type Optimizer,
  type TrainJobParams,
  type TrainRecord,
} from 'infinite-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadReference, mismatch, toArray } from '../support/reference.js';
import { list, worst, type EmpiricalCase } from '../support/empirical.js';

const random = (n: number, seed: number): Float64Array<ArrayBuffer> => {
  let state = seed;
  return Float64Array.from({ length: n }, () => (state = (state * 16807) % 2147483647) / 2147483647 - 0.5);
};
const small: NetDocument = serial(
  dense(7, { wStd: 1.4, bStd: 0.1 }),
  relu(),
  dense(5, { bStd: 0.1 }),
  relu(),
  dense(2),
);
const x = tensor(random(33, 5), [11, 3]);
const y = tensor(random(22, 6), [11, 2]);

describe('training', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createEngine({ variant: 'simd' });
  });
  afterAll(() => engine.dispose());
  const last = async (records: AsyncIterable<TrainRecord>): Promise<TrainRecord> => {
    let end: TrainRecord | undefined;
    for await (const record of records) end = record;
    return end!;
  };

  it('five steps of SGD, momentum and Adam equal the reference', async () => {
    const { cases } = await loadReference<{ cases: EmpiricalCase[] }>('neural-tangents/empirical');
    for (const c of cases) {
      for (const name of ['sgd', 'momentum', 'adam'] as const) {
        const rate = c.options.learningRate[name]!;
        const optimizer = { sgd: sgd(rate), momentum: momentum(rate, 0.9), adam: adam(rate) }[name];
        using model = createModel(engine, c.net, {
          inputShape: c.x1.shape.slice(1),
          parameters: list(c.params),
        });
        const data = { x: toArray(c.x1), y: toArray(c.inputs['yMse']!) };
        await last(train(model, { ...data, loss: 'mse', optimizer, epochs: c.options.steps }));
        expect(worst(model.parameters, c.expectedParams[name]!, c.tolerance), `${c.name} ${name}`).toBeNull();
      }
    }
  });

  it('replays the deep runs of the reference to 1e-10', async () => {
    interface Run {
      id: string;
      num_hidden: number;
      width: number;
      wf: number;
      exponents: { q_sigma: number };
      optimizer: 'sgd' | 'rmsprop';
      lr: number;
      epochs: number;
      scaled_lr: { input: number; hidden: number; output: number };
      test_logits: number[][];
      test_loss: number[];
      train_loss: number[];
    }
    const { runs } = await loadReference<{ runs: Run[] }>('golikov/deep');
    const init = await loadReference<Record<string, { weights: number[][][] }>>('golikov/init');
    const data = await loadReference<
      Record<'X_train' | 'X_test', number[][]> & Record<'y_train' | 'y_test', number[]>
    >('golikov/data');
    const set = (part: 'train' | 'test') => ({
      x: data[`X_${part}`],
      y: tensor(Float64Array.from(data[`y_${part}`].flat()), [data[`y_${part}`].length, 1]),
    });
    const tolerance = { rtol: 0, atolOverMax: 1e-10 };
    for (const run of runs) {
      const layer = (units: number): NetDocument => dense(units, { parametrization: 'standard' });
      const net: NetDocument[] = [];
      for (let i = 0; i < run.num_hidden; i++) net.push(layer(run.width), { layer: 'leakyRelu', alpha: 0.1 });
      net.push(layer(1));
      const { weights } = init[`hidden${run.num_hidden}_width${run.width}`]!;
      const parameters = weights.map((w) => ({ w: w[0]!.map((_, i) => w.map((row) => row[i]!)) }));
      const factor = run.wf ** (run.exponents.q_sigma + 0.5);
      using model = createModel(engine, net, {
        inputShape: [6],
        parameters,
        multipliers: { input: 1, hidden: factor, output: factor },
      });
      const rates = {
        input: run.scaled_lr.input / run.lr,
        hidden: run.scaled_lr.hidden / run.lr,
        output: run.scaled_lr.output / run.lr,
      };
      const optimizer = run.optimizer === 'sgd' ? sgd(run.lr) : rmsprop(run.lr);
      const options = { ...set('train'), loss: 'logistic' as const, optimizer, rates, epochs: run.epochs };
      const records: TrainRecord[] = [];
      for await (const record of train(model, { ...options, evaluate: { test: set('test') } }))
        records.push(record);
      records.forEach((record, epoch) => {
        const logits = { shape: [16], data: Float64Array.from(run.test_logits[epoch]!) };
        expect(
          mismatch(record.evaluations['test']!.outputs.data, logits, tolerance),
          `${run.id} ${epoch}`,
        ).toBeNull();
      });
      const losses = records.map((record) => record.evaluations['test']!.loss!);
      expect(
        mismatch(losses, { shape: [], data: Float64Array.from(run.test_loss) }, tolerance),
        run.id,
      ).toBeNull();
      const train_ = records.slice(1).map((record) => record.loss!);
      expect(
        mismatch(train_, { shape: [], data: Float64Array.from(run.train_loss) }, tolerance),
        run.id,
      ).toBeNull();
    }
  });

  it('Nesterov follows its definition', () => {
    using model = createModel(engine, small, { inputShape: [3], seed: 3 });
    using other = createModel(engine, small, { inputShape: [3], seed: 3 });
    const trainer = new Trainer(model, { x, y, loss: 'mse', optimizer: nesterov(0.1, 0.8) });
    let velocity: Float64Array | null = null;
    for (let step = 0; step < 3; step++) {
      trainer.next();
      const flatten = (
        parts: { w: { data: ArrayLike<number> }; b?: { data: ArrayLike<number> } }[],
      ): number[] => parts.flatMap(({ w, b }) => [...Array.from(w.data), ...Array.from(b?.data ?? [])]);
      const g = flatten([...other.gradients(x, y, 'mse').gradients]);
      velocity = Float64Array.from(g, (value, i) => 0.8 * (velocity?.[i] ?? 0) + value);
      const moved = flatten(other.parameters).map((p, i) => p - 0.1 * (g[i]! + 0.8 * velocity![i]!));
      let at = 0;
      const take = <T extends { data: ArrayLike<number>; shape: readonly number[] }>(t: T) => {
        const part = tensor(Float64Array.from(moved.slice(at, at + t.data.length)), t.shape);
        at += t.data.length;
        return part;
      };
      other.setParameters(other.parameters.map(({ w, b }) => ({ w: take(w), ...(b ? { b: take(b) } : {}) })));
      model.parameters.forEach(({ w }, layer) =>
        w.data.forEach((value, i) => expect(value).toBeCloseTo(other.parameters[layer]!.w.data[i]!, 12)),
      );
    }
    trainer.dispose();
  });

  const optimizers: [string, Optimizer][] = [
    ['sgd', sgd(0.3)],
    ['momentum', momentum(0.1)],
    ['nesterov', nesterov(0.1)],
    ['rmsprop', rmsprop(0.01)],
    ['adam', adam(0.01)],
  ];
  it.each(optimizers)('a run resumed from a checkpoint ends with the same bits: %s', async (_, optimizer) => {
    const options = { x, y, loss: 'mse' as const, optimizer, batchSize: 4, seed: 9, recordEvery: 1 };
    const fresh = () => createModel(engine, small, { inputShape: [3], seed: 1 });
    using whole = fresh();
    await last(train(whole, { ...options, steps: 20 }));
    let saved: Checkpoint | null = null;
    using first = fresh();
    for await (const record of train(first, { ...options, steps: 20 })) {
      if (record.step === 7) {
        saved = record.checkpoint();
        break; // the killed run
      }
    }
    using second = fresh();
    const end = await last(train(second, { ...options, steps: 20, resume: saved! }));
    expect(end.step).toBe(20);
    expect(second.parameters).toEqual(whole.parameters);
  });

  it('stops at a loss that is not finite, with the state before it and a stable rate', () => {
    const leaky = serial(dense(7, { bStd: 0.1 }), leakyRelu(0.5), dense(2)); // cannot die
    using model = createModel(engine, leaky, { inputShape: [3], seed: 1 });
    const data = { x, y, loss: 'mse' as const };
    const trainer = new Trainer(model, { ...data, optimizer: sgd(1000) });
    const before: Checkpoint[] = [];
    let error: unknown;
    try {
      for (let i = 0; i < 500; i++) {
        before.push(trainer.checkpoint());
        trainer.next();
      }
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(NumericalError);
    const { message, details } = error as NumericalError;
    expect(details.step).toBe(before.length - 1);
    expect(trainer.step).toBe(before.length - 2);
    expect(trainer.checkpoint()).toEqual(before.at(-2));
    trainer.dispose();
    const stable = Number(/up to about ([\d.e+-]+) is stable/.exec(message)![1]);
    using calm = createModel(engine, leaky, { inputShape: [3], seed: 1 });
    const good = new Trainer(calm, { ...data, optimizer: sgd(stable * 0.9) });
    const losses = Array.from({ length: 4 }, () => good.next().loss);
    for (let i = 1; i < 4; i++) expect(losses[i]).toBeLessThan(losses[i - 1]!);
    good.dispose();
  });

  it('sharpness is the largest eigenvalue of J H J^T for mean squared error', () => {
    using model = createModel(engine, small, { inputShape: [3], seed: 1 });
    const rows = Array.from({ length: 22 }, (_, i) => {
      const e = tensor(new Float64Array(22).fill(1, i, i + 1), [11, 2]);
      return model.vectorJacobian(x, e).flatMap(({ w, b }) => [...w.data, ...(b?.data ?? [])]);
    });
    let v = rows.map(() => 1);
    let lambda = 0;
    for (let i = 0; i < 300; i++) {
      const u = v.reduce(
        (sum, value, r) => sum.map((s, j) => s + value * rows[r]![j]!),
        rows[0]!.map(() => 0),
      );
      v = rows.map((row) => row.reduce((s, value, j) => s + value * u[j]!, 0) / 22);
      lambda = Math.hypot(...v);
      v = v.map((value) => value / lambda);
    }
    expect(Math.abs(sharpness(model, { x, loss: 'mse' }) / lambda - 1)).toBeLessThan(0.01);
  });

  it('is cancelled by a signal, and frees its memory', async () => {
    using model = createModel(engine, small, { inputShape: [3], seed: 1 });
    model.forward(x);
    const used = engine.heap.usage.used;
    const abort = new AbortController();
    const run = train(model, { x, y, loss: 'mse', epochs: 1000, signal: abort.signal });
    await run.next();
    abort.abort(new Error('enough'));
    await expect(run.next()).rejects.toThrow('enough');
    expect(engine.heap.usage.used).toBe(used);
  });

  it('job runs give the same bits on any number of workers', async () => {
    const params = (seed: number): TrainJobParams => ({
      net: small,
      model: { inputShape: [3], seed, dtype: 'f32' },
      train: {
        x,
        y,
        loss: 'mse',
        optimizer: sgd(0.1),
        epochs: 6,
        batchSize: 3,
        evaluate: { test: { x, y } },
      },
      keepParameters: true,
    });
    const results = [];
    for (const workers of [0, 2]) {
      await using pool = await createEngine({ variant: 'simd', workers });
      results.push(await pool.map(trainJob, [params(0), params(1), params(2)]));
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[0]![0]!.losses['test']).toHaveLength(7);
  });

  it.each([
    [{ batchSize: 0 }, /batchSize must be/],
    [{ loss: 'hinge' }, /loss must be one of/],
    [{ y: tensor(random(11, 1), [11, 1]) }, /y must have shape \[11, 2\]/],
    [
      {
        x: tensor(
          Float64Array.from({ length: 33 }, () => NaN),
          [11, 3],
        ),
      },
      /NaN/,
    ],
    [{ optimizer: sgd(-1) }, /learningRate must be >= 0/],
    [{ rates: [1] }, /expected 3 finite numbers/],
    [{ epochs: 1, steps: 3 }, /give epochs or steps/],
  ])('rejects %j', async (change, message) => {
    using model = createModel(engine, small, { inputShape: [3] });
    await expect(last(train(model, { x, y, loss: 'mse', ...change } as never))).rejects.toThrow(message);
  });
});
