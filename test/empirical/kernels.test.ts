import {
  createEngine,
  createModel,
  eigenvalues,
  empiricalNngp,
  empiricalNtk,
  empiricalNtkExtremes,
  empiricalNtkPerLayer,
  empiricalNtkSolve,
  empiricalNtkVectorProduct,
  planEmpiricalNtk,
  tensor,
  type Engine,
  type Model,
  type NetDocument,
} from 'infinite-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { list, type EmpiricalCase } from '../support/empirical.js';
import { loadReference, mismatch, toArray } from '../support/reference.js';

const random = (n: number, seed: number): Float64Array<ArrayBuffer> => {
  let state = seed;
  return Float64Array.from({ length: n }, () => (state = (state * 16807) % 2147483647) / 2147483647 - 0.5);
};

describe('empirical kernels', () => {
  let engine: Engine;
  let cases: EmpiricalCase[];
  beforeAll(async () => {
    engine = await createEngine({ variant: 'simd' });
    cases = (await loadReference<{ cases: EmpiricalCase[] }>('neural-tangents/empirical')).cases;
  });
  afterAll(() => engine.dispose());

  it('equal the reference: trace, full, diagonal, any tile, products', () => {
    for (const c of cases) {
      using model = createModel(engine, c.net, {
        inputShape: c.x1.shape.slice(1),
        parameters: list(c.params),
      });
      const [x1, x2] = [toArray(c.x1), toArray(c.x2)];
      const same = (got: { data: ArrayLike<number> }, name: string): void =>
        expect(mismatch(got.data, toArray(c.expected[name]!), c.tolerance), `${c.name} ${name}`).toBeNull();
      for (const outputs of ['trace', 'full', 'diagonal'] as const) {
        const name = outputs[0]!.toUpperCase() + outputs.slice(1);
        same(empiricalNngp(model, x1, x2, { outputs }), `nngp${name}`);
        same(empiricalNtk(model, x1, x2, { outputs }), `ntk${name}`);
        same(empiricalNtk(model, x1, x2, { outputs, tile: 2 }), `ntk${name}`);
      }
      same(empiricalNtk(model, x1), 'ntkTraceSelf');
      same(empiricalNtk(model, x1, null, { tile: 2 }), 'ntkTraceSelf');
      same(empiricalNtkVectorProduct(model, x1, x2, toArray(c.inputs['vector']!)), 'ntkVectorProduct');
      const whole = empiricalNtk(model, x1, null, { outputs: 'full' });
      const tiled = empiricalNtk(model, x1, null, { outputs: 'full', tile: 2 });
      expect(
        mismatch(tiled.data, { shape: [], data: Float64Array.from(whole.data) }, c.tolerance),
      ).toBeNull();
    }
  });

  /** J(x) as rows, from vector-Jacobian products with unit vectors. */
  const jacobian = (model: Model, x: { data: Float64Array<ArrayBuffer>; shape: number[] }): number[][] => {
    const size = x.shape[0]! * model.outputSize;
    return Array.from({ length: size }, (_, i) => {
      const unit = tensor(new Float64Array(size).fill(1, i, i + 1), [size]);
      return model.vectorJacobian(x, unit).flatMap(({ w, b }) => [...w.data, ...(b?.data ?? [])]);
    });
  };
  const conv = (fields: object): NetDocument => ({
    layer: 'conv',
    bStd: 0.3,
    channels: 3,
    filter: [3],
    ...fields,
  });
  const end: NetDocument = [{ layer: 'flatten' }, { layer: 'dense', units: 3, bStd: 0.2 }];
  it.each<[string, NetDocument, number[]]>([
    ['wide conv, gram form', [conv({ channels: 40, filter: [2] }), { layer: 'relu' }, end], [3, 30]],
    ['narrow conv, explicit form', [conv({ channels: 2 }), { layer: 'relu' }, end], [12, 1]],
    ['strided circular', [conv({ strides: [2], padding: 'CIRCULAR' }), { layer: 'relu' }, end], [7, 2]],
    [
      'transposed',
      [conv({ layer: 'convTranspose', strides: [2], padding: 'SAME' }), { layer: 'relu' }, end],
      [4, 2],
    ],
    ['local', [conv({ layer: 'convLocal', padding: 'SAME' }), { layer: 'relu' }, end], [5, 2]],
    [
      'dense at positions',
      [{ layer: 'dense', units: 4, bStd: 1 }, { layer: 'abs' }, { layer: 'globalAvgPool' }, end],
      [6, 2],
    ],
  ])('equal J J^T: %s', (_, net, inputShape) => {
    using model = createModel(engine, net, { inputShape, seed: 5 });
    const n = 4;
    const x = { data: random(n * inputShape[0]! * inputShape[1]!, 7), shape: [n, ...inputShape] };
    const j = jacobian(model, x);
    const o = model.outputSize;
    const want = new Float64Array(n * n * o * o);
    for (let s = 0; s < n; s++)
      for (let t = 0; t < n; t++)
        for (let p = 0; p < o; p++)
          for (let q = 0; q < o; q++) {
            const [a, b] = [j[s * o + p]!, j[t * o + q]!];
            want[((s * n + t) * o + p) * o + q] = a.reduce((sum, value, k) => sum + value * b[k]!, 0);
          }
    const got = empiricalNtk(model, x, null, { outputs: 'full' });
    const tolerance = { rtol: 1e-11, atolOverMax: 1e-12 };
    expect(mismatch(got.data, { shape: [], data: want }, tolerance)).toBeNull();
    const parts = empiricalNtkPerLayer(model, x, null, { outputs: 'full' });
    const sum = parts.reduce(
      (total, { ntk }) => total.map((value, i) => value + ntk.data[i]!),
      new Float64Array(want.length),
    );
    expect(mismatch(sum, { shape: [], data: want }, tolerance)).toBeNull();
    const frozen = empiricalNtk(model, x, null, { outputs: 'full', frozen: [parts[0]!.path] });
    const rest = Float64Array.from(want, (value, i) => value - parts[0]!.ntk.data[i]!);
    expect(mismatch(frozen.data, { shape: [], data: rest }, tolerance)).toBeNull();
  });

  it('solves with conjugate gradients', () => {
    using model = createModel(
      engine,
      [{ layer: 'dense', units: 50 }, { layer: 'relu' }, { layer: 'dense', units: 1 }],
      {
        inputShape: [4],
        seed: 2,
      },
    );
    const x = tensor(random(24, 3), [6, 4]);
    const y = tensor(random(6, 4), [6, 1]);
    const { solution } = empiricalNtkSolve(model, x, y, { diagReg: 0.1, tolerance: 1e-12 });
    const back = empiricalNtkVectorProduct(model, x, null, solution);
    back.data.forEach((value, i) => expect(value + 0.1 * solution.data[i]!).toBeCloseTo(y.data[i]!, 10));
  });

  it.each(['f64', 'f32'] as const)(
    'extreme eigenvalues from products are those of the stored kernel: %s',
    async (dtype) => {
      const net = [{ layer: 'dense', units: 30, bStd: 0.1 }, { layer: 'tanh' }, { layer: 'dense', units: 2 }];
      using model = createModel(engine, net, { inputShape: [4], seed: 2, dtype });
      const x = tensor(random(9 * 4, 8), [9, 4]);
      const kernel = empiricalNtk(model, x, null, { outputs: 'full' }).data;
      const matrix = new Float64Array(18 * 18); // (s, t, i, j) to rows s * 2 + i
      for (let s = 0; s < 9; s++)
        for (let t = 0; t < 9; t++)
          for (let i = 0; i < 2; i++)
            for (let j = 0; j < 2; j++)
              matrix[(s * 2 + i) * 18 + t * 2 + j] = kernel[((s * 9 + t) * 2 + i) * 2 + j]!;
      const values = Array.from((await eigenvalues(engine, tensor(matrix, [18, 18]))).data).sort(
        (a, b) => a - b,
      );
      const got = await empiricalNtkExtremes(model, x);
      const [low, high] = [values[0]!, values.at(-1)!];
      const eps = dtype === 'f32' ? 2 ** -23 : 1e-10;
      expect(Math.abs(got.largest - high)).toBeLessThan(18 * eps * high);
      expect(got.smallest).toBeGreaterThan(low - 18 * eps * high); // a bound from inside the spectrum
      await expect(empiricalNtkExtremes(model, x, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
    },
  );

  it('announces its memory: 3 x 512, d = 784, o = 10, n = 1000 in under 400 MB', () => {
    const net: NetDocument = [512, 512, 512, 10].flatMap((units, i) => [
      { layer: 'dense', units },
      ...(i < 3 ? [{ layer: 'relu' }] : []),
    ]);
    using model = createModel(engine, net, { inputShape: [784], dtype: 'f64' });
    const plan = planEmpiricalNtk(model, 1000, 1000);
    expect(plan.bytes).toBeLessThan(400e6);
    expect(plan.jacobianBytes).toBeGreaterThan(100e9);
  });

  it('rejects unknown options', () => {
    using model = createModel(engine, [{ layer: 'dense', units: 1 }], { inputShape: [2] });
    const x = tensor(random(2, 1), [1, 2]);
    expect(() => empiricalNtk(model, x, null, { outputs: 'all' as never })).toThrow(
      /'trace', 'full' or 'diagonal'/,
    );
    expect(() => empiricalNtk(model, x, null, { frozen: ['layers.9'] })).toThrow(
      /no layer with weights at 'layers.9'/,
    );
  });
});
