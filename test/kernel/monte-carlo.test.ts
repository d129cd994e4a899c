// Kernels of what has no limit rule: max pooling and its Monte Carlo kernels; the stopping rule and its determinism.
import {
  attention,
  conv,
  createEngine,
  createModel,
  dense,
  empiricalNtk,
  empiricalNtkVectorProduct,
  flatten,
  globalAvgPool,
  kernel,
  maxPool,
  monteCarloKernel,
  planKernel,
  relu,
  serial,
  tensor,
  type Engine,
} from 'infinite-width';
import { afterAll, beforeAll, expect, it } from 'vitest';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
});
afterAll(() => engine.dispose());

const numbers = (length: number, seed: number): Float64Array =>
  Float64Array.from({ length }, (_, i) => Math.sin(12.9898 * (i + 1) + 78.233 * seed) * 1.3);

it('max pooling takes the largest entry inside the image', () => {
  const model = createModel(engine, maxPool([2, 2], { strides: [2, 2], padding: 'SAME' }), {
    inputShape: [3, 3, 1],
  });
  const x = tensor(Float64Array.of(-1, -2, -3, -4, -5, -6, -7, -8, -9), [1, 3, 3, 1]);
  expect([...model.forward(x).data]).toEqual([-1, -3, -7, -9]); // padding is no zero
  model.dispose();
});

it('has gradients of central differences and a tangent kernel of its tangent products', () => {
  const net = serial(
    conv(5, [2, 2], { bStd: 0.3 }),
    maxPool([2, 2]),
    relu(),
    conv(4, [1, 2]),
    flatten(),
    dense(2),
  );
  const options = { inputShape: [4, 4, 2], seed: 3 };
  const model = createModel(engine, net, options);
  const x = tensor(numbers(3 * 32, 1), [3, 4, 4, 2]);
  const y = tensor(numbers(6, 2), [3, 2]);
  const { gradients } = model.gradients(x, y, 'mse');
  const h = 1e-6;
  const start = model.parameters;
  for (const at of [0, 7, 19, 30]) {
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
    expect(gradients[0]!.w.data[at]).toBeCloseTo((loss(h) - loss(-h)) / (2 * h), 7);
  }
  model.setParameters(start);
  const theta = empiricalNtk(model, x, null, { outputs: 'full' });
  const v = tensor(numbers(6, 7), [3, 2]);
  const product = empiricalNtkVectorProduct(model, x, null, v);
  for (let i = 0; i < 6; i++) {
    let sum = 0;
    for (let j = 0; j < 6; j++)
      sum += theta.data[(((i >> 1) * 3 + (j >> 1)) * 2 + (i & 1)) * 2 + (j & 1)]! * v.data[j]!;
    expect(product.data[i]).toBeCloseTo(sum, 10);
  }
  model.dispose();
});

it('its Monte Carlo kernel is E max(u, v)^2 = (k11 + k22) / 2 for two positions', async () => {
  const net = serial(conv(64, [1]), maxPool([2]), flatten(), dense(16));
  const x = tensor(numbers(4 * 2 * 3, 1), [4, 2, 3]);
  const { nngp, samples } = await monteCarloKernel(engine, net, x, null, {
    samples: 64,
    get: ['nngp'],
    seed: 9,
  });
  expect(samples).toBe(64);
  for (let i = 0; i < 4; i++) {
    const want = x.data.subarray(i * 6, i * 6 + 6).reduce((sum, value) => sum + value * value, 0) / 6;
    const [value, error] = [nngp!.kernel.data[i * 5]!, nngp!.standardError.data[i * 5]!];
    expect(Math.abs(value - want)).toBeLessThan(5 * error); // unbiased at any width: both layers are linear
    expect(error).toBeLessThan(0.1 * want);
  }
});

it('analytic kernels of it say what to use', async () => {
  const net = serial(conv(4, [2, 2]), maxPool([2, 2]), globalAvgPool(), dense(1));
  const x = tensor(numbers(32, 1), [2, 4, 4, 1]);
  await expect(kernel(engine, net, x)).rejects.toThrow(
    /layers\.1 \(maxPool\) has no infinite-width kernel in closed form\. Use monteCarloKernel/,
  );
  expect(() => planKernel(engine, net, [2, 4, 4, 1])).toThrow(RangeError);
});

it('stops at the asked error, with equal bits for any number of workers, also for softmax attention', async () => {
  const channels = { channels: 8, keyChannels: 4, valueChannels: 4, heads: 2, linearScaling: false };
  const net = serial(attention(channels), flatten(), dense(4));
  const x = tensor(numbers(3 * 4 * 2, 3), [3, 4, 2]);
  await expect(kernel(engine, net, x)).rejects.toThrow(RangeError); // no limit rule
  const options = { samples: 512, seed: 11, targetRelativeError: 0.25 };
  const alone = await monteCarloKernel(engine, net, x, null, options);
  expect(alone.samples).toBeLessThan(512);
  for (const { kernel: mean, standardError } of [alone.nngp!, alone.ntk!]) {
    const norm = (values: Iterable<number>): number => Math.hypot(...values);
    expect(norm(standardError.data)).toBeLessThanOrEqual(0.25 * norm(mean.data));
  }
  await using busy = await createEngine({ variant: 'simd', workers: 2 });
  expect(await monteCarloKernel(busy, net, x, null, options)).toEqual(alone);
});
