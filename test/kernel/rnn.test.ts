// Recurrent layers: their kernels against finite nets, closed forms and shorter sequences; their gradients against differences.
import {
  createEngine,
  createModel,
  dense,
  empiricalNtk,
  empiricalNtkPerLayer,
  empiricalNtkVectorProduct,
  erf,
  flatten,
  globalAvgPool,
  index,
  kernel,
  kernelPerLayer,
  layerNorm,
  monteCarloKernel,
  polynomial,
  relu,
  rnn,
  serial,
  tanh,
  tensor,
  toJson,
  type Engine,
  type NetDocument,
  type Tensor,
} from 'infinite-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
});
afterAll(() => engine.dispose());

const numbers = (length: number, seed: number): Float64Array =>
  Float64Array.from({ length }, (_, i) => Math.sin(12.9898 * (i + 1) + 78.233 * seed) * 1.3);
const x = tensor(numbers(3 * 4 * 2, 1), [3, 4, 2]);
const other = tensor(numbers(2 * 4 * 2, 2), [2, 4, 2]);

function apart(a: Tensor, b: Tensor): number {
  const size = Math.max(...Array.from(b.data, Math.abs));
  return Math.max(...Array.from(a.data, (value, i) => Math.abs(value - b.data[i]!))) / size;
}

describe('kernels of recurrent layers', () => {
  const recurrent = { wStd: 1.2, uStd: 0.9, bStd: 0.3 };
  const nets = (width: number, options: Readonly<Record<string, unknown>>): [string, NetDocument][] => [
    ['last state', serial(rnn(width, { activation: erf(), ...recurrent, ...options }), dense(32, options))],
    [
      'sequence, pooled before an activation',
      serial(
        rnn(width, { activation: relu(), ...recurrent, ...options, returnSequences: true }),
        dense(width, options),
        globalAvgPool(),
        relu(),
        dense(32, options),
      ),
    ],
    [
      'two layers',
      serial(
        rnn(width, { activation: erf(), ...recurrent, ...options, returnSequences: true }),
        rnn(width, { activation: relu(), ...options, uStd: 0.8 }),
        dense(32, options),
      ),
    ],
  ];

  it.each(['ntk', 'standard'])('are the limit of finite nets, %s', async (parametrization) => {
    const width = 192;
    for (const [name, net] of nets(width, { parametrization })) {
      const exact = await kernel(engine, net, x);
      const estimate = await monteCarloKernel(engine, net, x, null, { samples: 96, seed: 4 });
      for (const which of ['nngp', 'ntk'] as const) {
        const { kernel: mean, standardError } = estimate[which]!;
        const scale = Math.max(...exact[which].data);
        for (const [i, value] of mean.data.entries()) {
          // Five standard errors and the bias of finite width, O(1/width) with a constant of a few per layer.
          const allowed = 5 * standardError.data[i]! + (4 / width) * scale;
          expect(Math.abs(value - exact[which].data[i]!), `${name} ${which} ${i}`).toBeLessThan(allowed);
        }
      }
    }
  });

  it('are closed sums for a linear activation', async () => {
    // h_T = sum_t U^(T-t) (W x_t + b): K = sum_t u^(2 (T-t)) s_t with s_t = w^2 x_t . x'_t / C + b^2; every weight is used once
    // per step, so T adds s_t once for W and b and (T - t) times for U.
    const [w, u, b] = [1.1, 0.7, 0.4];
    const net = serial(rnn(7, { activation: polynomial([0, 1]), wStd: w, uStd: u, bStd: b }), dense(1));
    const { nngp, ntk } = await kernel(engine, net, x, other);
    for (let i = 0; i < 3; i++) {
      for (let j = 0; j < 2; j++) {
        let [k, t] = [0, 0];
        for (let step = 0; step < 4; step++) {
          const [p, q] = [(i * 4 + step) * 2, (j * 4 + step) * 2];
          const dot = (x.data[p]! * other.data[q]! + x.data[p + 1]! * other.data[q + 1]!) / 2;
          const s = u ** (2 * (3 - step)) * (w * w * dot + b * b);
          k += s;
          t += s * (1 + (3 - step));
        }
        expect(nngp.data[i * 2 + j]).toBeCloseTo(k, 13);
        expect(ntk.data[i * 2 + j]).toBeCloseTo(t + k, 13); // the last dense layer adds K
      }
    }
  });

  it('of the last state is the last entry of the sequence, whatever layout the layers after it ask for', async () => {
    const make = (returnSequences: boolean): NetDocument =>
      rnn(5, { activation: tanh(), bStd: 0.2, returnSequences });
    const last = await kernel(engine, make(false), x);
    const sequence = await kernel(engine, make(true), x);
    const equal = await kernel(engine, make(true), x, null, { diagonalSpatial: true });
    expect(sequence.ntk.shape).toEqual([3, 3, 4, 4]);
    for (let pair = 0; pair < 9; pair++) {
      expect(sequence.ntk.data[pair * 16 + 15]).toBeCloseTo(last.ntk.data[pair]!, 14);
      for (let t = 0; t < 4; t++)
        expect(equal.nngp.data[pair * 4 + t]).toBeCloseTo(sequence.nngp.data[pair * 16 + t * 5]!, 14);
    }
    const picked = await kernel(engine, serial(make(true), index([-1])), x);
    expect(apart(picked.ntk, last.ntk)).toBeLessThan(1e-14);
    const transposed = await kernel(engine, make(true), other, x);
    const straight = await kernel(engine, make(true), x, other);
    for (let s = 0; s < 4; s++)
      for (let t = 0; t < 4; t++)
        expect(transposed.ntk.data[(1 * 3 + 2) * 16 + s * 4 + t]).toBeCloseTo(
          straight.ntk.data[(2 * 2 + 1) * 16 + t * 4 + s]!,
          13,
        );
  });

  it('of sequences padded at the front are those of the shorter sequences', async () => {
    const mask = -99;
    const padded = { data: x.data.slice(), shape: [3, 4, 2] };
    for (let i = 0; i < 3; i++) padded.data.set([mask, mask], i * 8);
    const short = tensor(
      Float64Array.from({ length: 18 }, (_, i) => x.data[Math.floor(i / 6) * 8 + 2 + (i % 6)]!),
      [3, 3, 2],
    );
    const options = { activation: relu(), bStd: 0.5, uStd: 1.1 };
    for (const net of [
      serial(rnn(4, options), dense(1)),
      serial(rnn(4, { ...options, returnSequences: true }), dense(3), globalAvgPool(), relu(), dense(1)),
      serial(rnn(4, { ...options, returnSequences: true }), rnn(4, options), dense(1)),
    ]) {
      const want = await kernel(engine, net, short);
      const got = await kernel(engine, net, padded, null, { maskConstant: mask });
      expect(apart(got.nngp, want.nngp)).toBeLessThan(1e-13);
      expect(apart(got.ntk, want.ntk)).toBeLessThan(1e-13);
    }
  });

  it('do not depend on tiles, and float32 follows', async () => {
    const [, net] = nets(8, {})[1]!;
    const want = await kernel(engine, net, x);
    expect((await kernel(engine, net, x, null, { tile: 2 })).ntk).toEqual(want.ntk);
    expect(apart((await kernel(engine, net, x, null, { dtype: 'f32' })).ntk, want.ntk)).toBeLessThan(2e-6);
    const parts = await kernelPerLayer(engine, net, x);
    const sum = parts[0]!.ntk.data.map((_, i) => parts.reduce((total, { ntk }) => total + ntk.data[i]!, 0));
    expect(apart({ ...want.ntk, data: Float64Array.from(sum) }, want.ntk)).toBeLessThan(1e-13);
  });

  it('name what is wrong', async () => {
    const options = { activation: relu() };
    await expect(kernel(engine, [rnn(4, options)], tensor(numbers(4, 1), [2, 2]))).rejects.toThrow(
      /layers\.0 \(rnn\): it needs one spatial axis, time/,
    );
    expect(() => rnn(4, {} as never)).toThrow(/needs "activation"/);
    expect(() => rnn(4, { activation: flatten() })).toThrow(/must be an activation/);
    await expect(kernel(engine, [rnn(4, options), relu()], x)).rejects.toThrow(
      /layers\.1 \(relu\) needs Gaussian/,
    );
    await expect(kernel(engine, [rnn(4, options), layerNorm()], x)).rejects.toThrow(RangeError);
    const scaled = { ...options, parametrization: 'standard' as const };
    expect(() =>
      toJson([rnn(4, { ...scaled, s: [1, 8] }), dense(1, { parametrization: 'standard' })]),
    ).toThrow(/sIn = 1/);
    const net = serial(
      rnn(4, { ...scaled, s: [1, 8] }),
      dense(1, { parametrization: 'standard', s: [8, 1] }),
    );
    expect(toJson(toJson(net))).toEqual(toJson(net));
    const base = serial(rnn(4, scaled), dense(1, { parametrization: 'standard' }));
    expect((await kernel(engine, net, x)).ntk).toEqual((await kernel(engine, base, x)).ntk); // s cancels
  });
});

describe('finite recurrent nets', () => {
  const net = serial(
    rnn(6, { activation: tanh(), bStd: 0.5, returnSequences: true }),
    rnn(5, { activation: erf(), bStd: 0.1 }),
    dense(2),
  );
  const y = tensor(Float64Array.of(1, -1, 0.5, 0, 2, -2), [3, 2]);

  it('have the gradients of central differences', () => {
    const model = createModel(engine, net, { inputShape: [4, 2], seed: 3 });
    const { gradients } = model.gradients(x, y, 'mse');
    const h = 1e-5;
    for (const [layer, { path }] of model.parameters.entries()) {
      for (const at of [0, 3, 7]) {
        const loss = (shift: number): number => {
          const moved = model.parameters.map(({ w, ...rest }, i) => {
            const data = w.data.slice();
            if (i === layer) data[at]! += shift;
            return { ...rest, w: { ...w, data } };
          });
          const shifted = createModel(engine, net, { inputShape: [4, 2], parameters: moved });
          const value = shifted.gradients(x, y, 'mse').loss;
          shifted.dispose();
          return value;
        };
        const slope = (loss(h) - loss(-h)) / (2 * h);
        expect(gradients[layer]!.w.data[at], `${path} ${at}`).toBeCloseTo(slope, 8);
      }
    }
    expect(model.parameters.map(({ path }) => path)).toEqual([
      'layers.0',
      'layers.0.recurrent',
      'layers.1',
      'layers.1.recurrent',
      'layers.2',
    ]);
    model.dispose();
  });

  it('have the tangent kernel of their tangent products, and parts that sum to it', () => {
    const model = createModel(engine, net, { inputShape: [4, 2], seed: 5 });
    const theta = empiricalNtk(model, x, null, { outputs: 'full' });
    const v = tensor(numbers(6, 7), [3, 2]);
    const product = empiricalNtkVectorProduct(model, x, null, v);
    for (let i = 0; i < 3; i++) {
      for (let o = 0; o < 2; o++) {
        let sum = 0;
        for (let j = 0; j < 3; j++)
          for (let p = 0; p < 2; p++) sum += theta.data[((i * 3 + j) * 2 + o) * 2 + p]! * v.data[j * 2 + p]!;
        expect(product.data[i * 2 + o]).toBeCloseTo(sum, 10);
      }
    }
    const whole = empiricalNtk(model, x, other);
    const parts = empiricalNtkPerLayer(model, x, other);
    expect(parts).toHaveLength(5);
    const total = whole.data.map((_, i) => parts.reduce((sum, { ntk }) => sum + ntk.data[i]!, 0));
    expect(apart({ ...whole, data: Float64Array.from(total) }, whole)).toBeLessThan(1e-13);
    model.dispose();
  });
});
