// Curvature of more samples than one chunk holds. Oracles: brute force, and what gradient descent does.
import {
  createEngine,
  createModel,
  dense,
  scanLearningRates,
  sgd,
  sharpness,
  tensor,
  Trainer,
  type Engine,
} from 'infinite-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const [n, d] = [2500, 3];
// The samples after the first 1024 are larger: a prefix misses most of the curvature.
const x = tensor(
  Float64Array.from({ length: n * d }, (_, i) => Math.sin(i * 12.9898) * (i < 1024 * d ? 0.5 : 3)),
  [n, d],
);
const y = tensor(
  Float64Array.from({ length: n }, (_, i) => Math.sign(x.data[i * d]!)),
  [n, 1],
);
// f = w.x / sqrt(3): its Gauss-Newton matrix is X^T X / 3.
const net = [dense(1, { bStd: null })];
const settings = { inputShape: [d], seed: 0 };

/** lambda_max of X^T X / 3 by power iteration. */
function bruteForce(): number {
  let v = [1, 0.7, -0.4];
  let lambda = 0;
  for (let pass = 0; pass < 300; pass++) {
    const next = [0, 0, 0];
    for (let i = 0; i < n; i++) {
      const row = x.data.subarray(i * d, (i + 1) * d);
      const dot = row.reduce((sum, value, k) => sum + value * v[k]!, 0);
      row.forEach((value, k) => (next[k]! += (dot * value) / 3));
    }
    lambda = Math.hypot(...next);
    v = next.map((value) => value / lambda);
  }
  return lambda;
}

describe('sharpness over several chunks', () => {
  let engine: Engine;
  const expected = bruteForce();
  beforeAll(async () => (engine = await createEngine()));
  afterAll(() => engine.dispose());

  it('is that of all samples, at the default tolerance', () => {
    using model = createModel(engine, net, settings);
    for (const [reduction, scale] of [
      ['sum', 1],
      ['mean', 1 / n],
    ] as const) {
      const found = sharpness(model, { x, loss: 'mse', reduction });
      expect(Math.abs(found / (expected * scale) - 1)).toBeLessThan(1e-6);
    }
    const weighted = sharpness(model, { x, loss: 'mse' }, [{ w: 0.25, b: 1 }]);
    expect(Math.abs(weighted / ((0.25 * expected) / n) - 1)).toBeLessThan(1e-6);
  });

  it('parts rates that fall from rates that rise', async () => {
    const options = { x, y, model: settings, multiples: [1.9, 2.1], steps: 60 };
    const [below, above] = await scanLearningRates(engine, net, options);
    expect(Math.abs((below!.learningRate * expected) / n / 1.9 - 1)).toBeLessThan(1e-6);
    expect(below!.finalLoss).toBeLessThan(below!.loss[0]!);
    expect(above!.finalLoss).toBeGreaterThan(above!.loss[0]!);
  });

  it('is what a message of divergence advises', () => {
    using model = createModel(engine, net, settings);
    const trainer = new Trainer(model, { x, y, loss: 'mse', optimizer: sgd(1e6) });
    const run = (): void => {
      for (let step = 0; step < 200; step++) trainer.next();
    };
    expect(run).toThrow(`up to about ${((2 * n) / expected).toPrecision(3)} is stable`);
    trainer.dispose();
  });
});
