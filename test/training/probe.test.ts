// Kernels and alignments in the records of training, against explicit Jacobians and matrices written out.
import {
  createEngine,
  createModel,
  momentum,
  tensor,
  train,
  trainJob,
  type Checkpoint,
  type Engine,
  type Model,
  type NetDocument,
  type Probe,
  type Tensor,
  type TrainOptions,
  type TrainRecord,
} from 'infinite-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const random = (n: number, seed: number): Float64Array<ArrayBuffer> => {
  let state = seed;
  return Float64Array.from({ length: n }, () => (state = (state * 16807) % 2147483647) / 2147483647 - 0.5);
};
const O = 2;
const N = 5;
const net: NetDocument = [
  { layer: 'dense', units: 6, wStd: 1.4, bStd: 0.1 },
  { layer: 'tanh' },
  { layer: 'dense', units: O, bStd: 0.2 },
];
const x = tensor(random(21, 5), [7, 3]);
const y = tensor(random(14, 6), [7, O]);
const probed = { x: tensor(random(3 * N, 9), [N, 3]), y: tensor(random(O * N, 4), [N, O]) };
const model = { inputShape: [3], seed: 2 };
const run: TrainOptions = {
  ...{ x, y, loss: 'mse', optimizer: momentum(0.3, 0.9), batchSize: 3, seed: 8 },
  ...{ steps: 12, recordAt: [2, 5, 12] },
};
type Rows = number[][];

/** Row s * O + i: the gradient of output i on sample s. */
function jacobian(net: Model): Rows {
  return Array.from({ length: N * O }, (_, row) => {
    const v = new Float64Array(N * O);
    v[row] = 1;
    return net
      .vectorJacobian(probed.x, tensor(v, [N, O]))
      .flatMap(({ w, b }) => [...w.data, ...(b ? b.data : [])]);
  });
}
const gram = (rows: Rows): Rows =>
  rows.map((a) => rows.map((b) => a.reduce((sum, value, i) => sum + value * b[i]!, 0)));
const outputsOf = (net: Model): Rows => Array.from(net.forward(probed.x).data, (value) => [value]);
const targetRows: Rows = Array.from(probed.y.data, (value) => [value]);

/** Entries [s][t][plane] of a Gram matrix over (sample, output), by kind of outputs. */
function offsetPlanOf(full: Rows, outputs: 'trace' | 'diagonal' | 'full'): number[][][] {
  const at = (s: number, t: number, i: number, j: number): number => full[s * O + i]![t * O + j]!;
  return Array.from({ length: N }, (_, s) =>
    Array.from({ length: N }, (__, t) => {
      if (outputs === 'trace') return [(at(s, t, 0, 0) + at(s, t, 1, 1)) / 2];
      if (outputs === 'diagonal') return [at(s, t, 0, 0), at(s, t, 1, 1)];
      return [at(s, t, 0, 0), at(s, t, 0, 1), at(s, t, 1, 0), at(s, t, 1, 1)];
    }),
  );
}
const times = (a: Rows, b: Rows): Rows =>
  a.map((row) => b[0]!.map((_, j) => row.reduce((sum, value, k) => sum + value * b[k]![j]!, 0)));
/** H M H with H written out, plane by plane. */
function centred(planes: number[][][]): number[][][] {
  const H = Array.from({ length: N }, (_, i) =>
    Array.from({ length: N }, (__, j) => (i === j ? 1 : 0) - 1 / N),
  );
  const each = planes[0]![0]!.map(
    (_, p) =>
    times(times(H, planes.map((row) => row.map((entry) => entry[p]!))), H), // prettier-ignore
  );
  return planes.map((row, s) => row.map((_, t) => each.map((matrix) => matrix[s]![t]!)));
}
const flat = (planes: number[][][]): number[] => planes.flat(2);
const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, value, i) => sum + value * b[i]!, 0);
const cosine = (a: readonly number[], b: readonly number[]): number =>
  dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));

describe('kernels in training records', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createEngine({ variant: 'simd' });
  });
  afterAll(() => engine.dispose());
  const records = async (options: TrainOptions): Promise<TrainRecord[]> => {
    using trained = createModel(engine, net, model);
    const all: TrainRecord[] = [];
    for await (const record of train(trained, options)) all.push(record);
    return all;
  };

  it.each(['trace', 'diagonal', 'full'] as const)('are those of explicit Jacobians: %s', async (outputs) => {
    const probe: Probe = { ...probed, kernels: ['ntk', 'nngp'], outputs };
    using trained = createModel(engine, net, model);
    const starts = { ntk: gram(jacobian(trained)), nngp: gram(outputsOf(trained)) };
    let seen = 0;
    for await (const { step, kernels } of train(trained, { ...run, probe })) {
      expect(step).toBe([0, 2, 5, 12][seen++]);
      for (const name of ['ntk', 'nngp'] as const) {
        const full = gram(name === 'ntk' ? jacobian(trained) : outputsOf(trained));
        const [now, first] = [offsetPlanOf(full, outputs), offsetPlanOf(starts[name], outputs)];
        const target = offsetPlanOf(gram(targetRows), outputs);
        const got = kernels![name]!;
        const scale = Math.max(...flat(first).map(Math.abs));
        const worst = Math.max(...flat(now).map((value, i) => Math.abs(value - got.kernel!.data[i]!)));
        expect(worst).toBeLessThan(1e-13 * scale);
        const moved = flat(now).map((value, i) => value - flat(first)[i]!);
        const change = Math.sqrt(dot(moved, moved) / dot(flat(first), flat(first)));
        expect(got.change).toBeCloseTo(change, 12);
        expect(got.alignmentWithStart).toBeCloseTo(cosine(flat(now), flat(first)), 12);
        expect(got.targetAlignment).toBeCloseTo(cosine(flat(now), flat(target)), 12);
        expect(got.centredTargetAlignment).toBeCloseTo(cosine(flat(centred(now)), flat(centred(target))), 12);
        if (step === 0) expect([got.change, got.alignmentWithStart]).toEqual([0, expect.closeTo(1, 14)]);
        else expect(got.change).toBeGreaterThan(1e-4);
      }
    }
    expect(seen).toBe(4);
  });

  it('a resumed run compares with the same first kernel, bit for bit', async () => {
    const options = { ...run, probe: { ...probed, kernels: ['ntk', 'nngp'] as const } };
    const whole = await records(options);
    let resume: Checkpoint | undefined;
    using stopped = createModel(engine, net, model);
    for await (const record of train(stopped, options)) {
      if (record.step < 5) continue;
      resume = record.checkpoint();
      break;
    }
    const again = await records({ ...options, resume: resume! });
    expect(again.map(({ step }) => step)).toEqual([5, 12]);
    expect(again.map(({ kernels }) => kernels)).toEqual(whole.slice(2).map(({ kernels }) => kernels));
  });

  it('takes kernels only at the steps named, keeps none when told so, and leaves training alone', async () => {
    const bare = await records(run);
    const probe = { x: probed.x, at: [5], keep: false };
    const all = await records({ ...run, probe });
    expect(all.map(({ kernels }) => kernels !== null)).toEqual([false, false, true, false]);
    const { ntk, nngp } = all[2]!.kernels!;
    expect(nngp).toBeUndefined();
    expect(ntk).toMatchObject({ kernel: null, targetAlignment: null, centredTargetAlignment: null });
    expect(all.map(({ movement, loss }) => [movement, loss])).toEqual(
      bare.map(({ movement, loss }) => [movement, loss]),
    );
    expect(bare.every(({ kernels }) => kernels === null)).toBe(true);
  });

  it('jobs return them, with the same bits on a worker', async () => {
    const probe = { ...probed, kernels: ['ntk'] as const, at: [0, 12] };
    const params = { net, model, train: { ...run, probe } };
    const inline = await engine.run(trainJob, params);
    await using pool = await createEngine({ variant: 'simd', workers: 1 });
    expect(await pool.run(trainJob, params)).toEqual(inline);
    const all = await records({ ...run, probe });
    expect(inline.trace.map(({ kernels }) => kernels)).toEqual(all.map(({ kernels }) => kernels));
  });

  it('refuses probes that do not fit, before any step', async () => {
    const bad = (probe: object): Promise<TrainRecord[]> => records({ ...run, probe: probe as Probe });
    await expect(bad({ x: tensor(random(4, 1), [2, 2]) })).rejects.toThrow(
      'train: probe: x must have shape [n, 3]',
    );
    await expect(bad({ ...probed, y: tensor(random(3, 1), [3, 1]) })).rejects.toThrow('train: probe: y must');
    await expect(bad({ ...probed, kernels: ['gram'] })).rejects.toThrow('kernels out of ntk, nngp');
    await expect(bad({ ...probed, kernels: [] })).rejects.toThrow('kernels out of ntk, nngp');
    await expect(bad({ ...probed, outputs: 'all' })).rejects.toThrow('outputs must be');
    const small = await createEngine({ variant: 'simd', memoryBytes: 40_000 });
    const many: Tensor = tensor(random(300, 3), [100, 3]);
    const params = (keep: object) => ({ net, model, train: { ...run, probe: { x: many, ...keep } } });
    await expect(small.run(trainJob, params({}))).rejects.toThrow(/kernels of 100 samples need 160000 bytes/);
    small.dispose();
    const middle = await createEngine({ variant: 'simd', memoryBytes: 200_000 });
    await expect(middle.run(trainJob, params({}))).rejects.toThrow(/all records need 320000 bytes/);
    await middle.run(trainJob, params({ keep: false }));
    middle.dispose();
  });

  it('a signal stops an inline run between two steps, also inside a kernel', async () => {
    const wide: NetDocument = [
      { layer: 'dense', units: 400 },
      { layer: 'tanh' },
      { layer: 'dense', units: 8 },
    ];
    const many = tensor(random(1200, 3), [400, 3]);
    const labels = tensor(random(3200, 3), [400, 8]);
    const stop = new AbortController();
    const before = engine.heap.usage.used;
    const params = {
      ...{ net: wide, model: { inputShape: [3] } },
      train: {
        x: many,
        y: labels,
        loss: 'mse' as const,
        steps: 1e6,
        recordEvery: 1,
        probe: { x: many, keep: false },
      },
    };
    const running = engine.run(trainJob, params, { signal: stop.signal });
    setTimeout(() => stop.abort(new Error('enough')), 120);
    await expect(running).rejects.toThrow('enough');
    expect(engine.heap.usage.used).toBe(before);
  });
});
