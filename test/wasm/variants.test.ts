// Every variant this runtime can load gives the same numbers, to rounding. Node 20 has only `simd`; Chromium has both.
import {
  createEngine,
  dense,
  eigh,
  kernel,
  matmul,
  relu,
  serial,
  sgd,
  solve,
  supportedVariants,
  tensor,
  trainJob,
  type Engine,
} from 'infinite-width';
import { normal, randomKey } from '#build/math/random.js';
import { describe, expect, it } from 'vitest';

const net = serial(
  dense(1, { wStd: 1.4, bStd: 0.1 }),
  { layer: 'erf' },
  dense(1, { wStd: 1.4 }),
  relu(),
  dense(1),
);

/** One number list per kernel family: products, kernels, solves, eigenvalues, a trained net. */
async function numbersOf(engine: Engine): Promise<Record<string, ArrayLike<number>>> {
  const draw = (seed: number, rows: number, columns: number): ReturnType<typeof tensor<Float64Array>> =>
    tensor(normal(engine, randomKey(seed), rows * columns), [rows, columns]);
  const [x, y] = [draw(1, 40, 7), draw(2, 40, 2)];
  const { nngp, ntk } = await kernel(engine, net, x);
  const run = {
    net: serial(dense(20, { wStd: 1.4 }), { layer: 'tanh' as const }, dense(2)),
    model: { inputShape: [7], seed: 3 },
    train: { x, y, loss: 'mse' as const, optimizer: sgd(0.3), steps: 10, evaluate: { train: { x } } },
  };
  return {
    random: x.data,
    matmul: (await matmul(engine, draw(4, 61, 50), draw(5, 50, 33))).data,
    nngp: nngp.data,
    ntk: ntk.data,
    solve: (await solve(engine, ntk, y)).x.data,
    eigenvalues: (await eigh(engine, ntk)).values.data,
    trained: (await engine.run(trainJob, run)).outputs['train']!.data,
  };
}

describe('variants', () => {
  it.each(supportedVariants())('%s agrees with simd to rounding', async (variant) => {
    using base = await createEngine({ variant: 'simd' });
    using other = await createEngine({ variant, workers: 1 });
    const [want, got] = [await numbersOf(base), await numbersOf(other)];
    for (const name of Object.keys(want)) {
      const size = Math.max(...Array.from(want[name]!, Math.abs));
      const worst = Math.max(...Array.from(want[name]!, (value, i) => Math.abs(got[name]![i]! - value)));
      expect(worst, name).toBeLessThan((name === 'solve' ? 1e-9 : 1e-12) * size);
      if (variant === 'simd') expect(worst, name).toBe(0);
    }
  });
});
