// rmsNorm against formulas written out: values, gradients by differences, kernels by the limit of wide nets and by hand.
import {
  abs,
  conv,
  createEngine,
  createModel,
  dense,
  empiricalNtk,
  flatten,
  globalAvgPool,
  kernel,
  kernelInputGradient,
  layerKernels,
  layerNorm,
  monteCarloKernel,
  planKernel,
  relu,
  rmsNorm,
  serial,
  tensor,
  type Engine,
  type Tensor,
} from 'infinite-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd', workers: 0 });
});
afterAll(() => engine.dispose());

const waves = (...shape: number[]): Tensor<Float64Array> =>
  tensor(
    Float64Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) =>
      Math.sin(1.7 * i * i + 0.4 * i + 1),
    ),
    shape,
  );
const identity = (n: number): Tensor<Float64Array> =>
  tensor(
    Float64Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0)),
    [n, n],
  );

describe('in finite nets', () => {
  /** A net whose output is rmsNorm of its input: dense with the identity as weights, and none behind. */
  const outputs = (x: Tensor, eps: number, axis: number[], dtype: 'f32' | 'f64'): Tensor => {
    const channels = x.shape.at(-1)!;
    const net = serial(rmsNorm({ axis, eps }), dense(channels, { wStd: Math.sqrt(channels) }));
    using model = createModel(engine, net, { inputShape: x.shape.slice(1), dtype });
    model.setParameters([{ path: 'layers.1', w: identity(channels) }]);
    return model.forward(x);
  };

  it.each([
    ['f64', 1e-14],
    ['f32', 1e-6],
  ] as const)('it divides rows by their root mean square (%s)', (dtype, error) => {
    const x = waves(5, 6);
    const got = outputs(x, 0.3, [-1], dtype);
    for (let r = 0; r < 5; r++) {
      const row = x.data.subarray(6 * r, 6 * r + 6);
      const root = Math.sqrt(0.3 + row.reduce((total, v) => total + v * v, 0) / 6);
      row.forEach((v, i) => expect(Math.abs(got.data[6 * r + i]! - v / root)).toBeLessThan(error));
    }
  });

  it('it takes positions and channels together', () => {
    const x = waves(2, 3, 4);
    const got = outputs(x, 0, [1, 2], 'f64');
    for (let s = 0; s < 2; s++) {
      const sample = x.data.subarray(12 * s, 12 * s + 12);
      const root = Math.sqrt(sample.reduce((total, v) => total + v * v, 0) / 12);
      sample.forEach((v, i) => expect(got.data[12 * s + i]).toBeCloseTo(v / root, 13));
    }
  });

  it('a row of zeros stays zero where eps is 0', () => {
    expect([...outputs(tensor(new Float64Array(4), [1, 4]), 0, [-1], 'f64').data]).toEqual([0, 0, 0, 0]);
  });

  it('its gradients are those of central differences', () => {
    const net = serial(dense(5, { bStd: 0.3 }), rmsNorm({ eps: 0.1 }), abs(), dense(2));
    using model = createModel(engine, net, { inputShape: [3], seed: 4 });
    const [x, y] = [waves(4, 3), waves(4, 2)];
    const { gradients } = model.gradients(x, y, 'mse');
    const start = model.parameters;
    const h = 1e-6;
    for (let at = 0; at < 15; at++) {
      const loss = (shift: number): number => {
        model.setParameters(
          start.map(({ w, ...rest }, i) => {
            const data = w.data.slice();
            if (i === 0) data[at]! += shift;
            return { ...rest, w: { ...w, data } };
          }),
        );
        return model.gradients(x, y, 'mse').loss;
      };
      expect(gradients[0]!.w.data[at]).toBeCloseTo((loss(h) - loss(-h)) / (2 * h), 8);
    }
  });
});

describe('its kernels', () => {
  it('divide NNGP and NTK by the norms of the samples', async () => {
    const [w, b] = [1.4, 0.5];
    const x = waves(4, 6);
    const head = serial(dense(8, { wStd: w, bStd: b }), relu());
    const before = await kernel(engine, head, x);
    const after = await kernel(engine, serial(head, rmsNorm({ eps: 0.2 })), x);
    const root = (i: number): number => Math.sqrt(0.2 + before.nngp!.data[5 * i]!);
    for (let i = 0; i < 4; i++)
      for (let j = 0; j < 4; j++) {
        const divisor = root(i) * root(j);
        expect(after.nngp!.data[4 * i + j]).toBeCloseTo(before.nngp!.data[4 * i + j]! / divisor, 13);
        expect(after.ntk!.data[4 * i + j]).toBeCloseTo(before.ntk!.data[4 * i + j]! / divisor, 13);
      }
  });

  it('are those of layerNorm behind Gaussian layers, whose mean is zero in the limit', async () => {
    const x = waves(4, 5);
    const net = (norm: typeof rmsNorm) => serial(dense(8), norm({ eps: 0.1 }), relu(), dense(1));
    expect(await kernel(engine, net(rmsNorm), x)).toEqual(await kernel(engine, net(layerNorm), x));
  });

  const nets = {
    'behind an activation': [serial(dense(1024), relu(), rmsNorm(), dense(1024), relu(), dense(1)), [4]],
    'behind a convolution': [
      serial(
        conv(96, [2, 2]),
        relu(),
        rmsNorm({ axis: [1, 2, 3] }),
        conv(96, [2, 2]),
        relu(),
        flatten(),
        dense(1),
      ),
      [4, 4, 2],
    ],
  } as const;
  it.each(Object.keys(nets) as (keyof typeof nets)[])('are the mean over wide nets: %s', async (name) => {
    const [net, sample] = nets[name];
    const x = waves(3, ...sample);
    const exact = await kernel(engine, net, x);
    const drawn = await monteCarloKernel(engine, net, x, null, { samples: 48, seed: 5 });
    for (const one of ['nngp', 'ntk'] as const) {
      const { kernel: mean, standardError } = drawn[one]!;
      const scale = Math.max(...exact[one]!.data);
      mean.data.forEach((value, i) => {
        // three standard errors, and what a finite width leaves
        const room = 3 * standardError.data[i]! + 0.02 * scale;
        expect(Math.abs(value - exact[one]!.data[i]!)).toBeLessThan(room);
      });
    }
  });

  it('approach the empirical NTK as the width grows', async () => {
    const x = waves(3, 4);
    const net = (width: number) => serial(dense(width), relu(), rmsNorm(), dense(width), relu(), dense(1));
    const exact = [...(await kernel(engine, net(1), x)).ntk!.data];
    const gap = (width: number): number => {
      let total = 0;
      for (let seed = 0; seed < 12; seed++) {
        using model = createModel(engine, net(width), { inputShape: [4], seed });
        const theta = empiricalNtk(model, x).data;
        total += exact.reduce((squares, value, i) => squares + (theta[i]! - value) ** 2, 0);
      }
      return Math.sqrt(total / 12);
    };
    // the error falls as width^-1/2: to a quarter from 64 to 1024 units, within the noise of 12 draws
    expect(gap(1024)).toBeLessThan(0.4 * gap(64));
  });

  it('go by planes of constant offset with the same values as layer by layer', async () => {
    const block = serial(conv(4, [3, 3], { padding: 'SAME' }), relu(), rmsNorm({ axis: [-1], eps: 0.1 }));
    const net = serial(
      block,
      block,
      rmsNorm({ axis: [1, 2, 3] }),
      conv(4, [2, 2]),
      relu(),
      globalAvgPool(),
      dense(1),
    );
    const x = waves(3, 6, 5, 2);
    expect(planKernel(engine, net, x.shape).offsets).not.toHaveProperty('reason');
    const direct = await kernel(engine, net, x);
    const last = (await layerKernels(engine, net, x)).at(-1)!; // always layer by layer, on all pairs of positions
    for (const one of ['nngp', 'ntk'] as const)
      direct[one]!.data.forEach((value, i) => expect(value).toBeCloseTo(last[one]!.data[i]!, 12));
  });

  it('have derivatives by the inputs that agree with central differences', async () => {
    const net = serial(
      rmsNorm({ eps: 0.1 }),
      dense(4, { bStd: 0.2 }),
      relu(),
      rmsNorm({ eps: 0.2 }),
      dense(1),
    );
    const [x1, x2] = [waves(2, 3), waves(5, 3).data.subarray(6)];
    const other = tensor(Float64Array.from(x2), [3, 3]);
    const { ntk } = await kernelInputGradient(engine, net, x1, other);
    const h = 1e-5;
    const at = async (i: number, c: number, shift: number): Promise<ArrayLike<number>> => {
      const data = Float64Array.from(x1.data);
      data[3 * i + c]! += shift;
      return (await kernel(engine, net, tensor(data, [2, 3]), other, { get: 'ntk' })).ntk!.data;
    };
    for (let i = 0; i < 2; i++)
      for (let c = 0; c < 3; c++) {
        const [up, down] = [await at(i, c, h), await at(i, c, -h)];
        for (let j = 0; j < 3; j++)
          expect(ntk!.data[(i * 3 + j) * 3 + c]).toBeCloseTo(
            (up[3 * i + j]! - down[3 * i + j]!) / (2 * h),
            7,
          );
      }
  });

  it('need the channels among the axes', async () => {
    const net = serial(conv(2, [2]), rmsNorm({ axis: [1] }), flatten(), dense(1));
    await expect(kernel(engine, net, waves(2, 4, 2))).rejects.toThrow(
      /layers\.1 \(rmsNorm\) must normalise the channels too/,
    );
  });
});
