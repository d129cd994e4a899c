// Predictions against nets that were really trained: 300 draws of a wide net, exact steps of gradient descent on all of
// them, mean and variance over the draws beside the law of the infinite ensemble at the same step.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createEngine,
  dense,
  kernel,
  leakyRelu,
  maxLearningRate,
  momentum as heavyBall,
  predict,
  serial,
  sgd,
  tensor,
  trainEnsemble,
  type Engine,
} from 'infinite-width';
import { random } from './support.js';

let engine: Engine;
beforeAll(async () => void (engine = await createEngine({ variant: 'simd', workers: 2 })));
afterAll(() => engine.dispose());

const [n, m, draws, width, steps] = [6, 8, 300, 1024, 8];
const hidden = dense(width, { wStd: 1.4, bStd: 0.3 });
const net = serial(hidden, leakyRelu(0.2), dense(1, { wStd: 1.2 }));
const x = random([n, 3], 21);
const xTest = random([m, 3], 22);
const y = tensor(
  Float64Array.from({ length: n }, (_, i) => Math.sin(2 * x.data[3 * i]!) + x.data[3 * i + 1]!),
  [n, 1],
);

describe('the law of the ensemble at step 8', () => {
  it.each([null, 0.5])('is that of 300 trained nets of width 1024, momentum %s', async (momentum) => {
    const { ntk } = await kernel(engine, net, x, null, { get: 'ntk' });
    const learningRate = 0.25 * (await maxLearningRate(engine, ntk, { targets: n, momentum: momentum ?? 0 }));
    const theory = await predict(engine, net, {
      xTrain: x,
      yTrain: y,
      xTest,
      time: steps,
      mode: 'discrete',
      learningRate,
      momentum,
      covariance: 'diagonal',
    });
    const { moments } = await trainEnsemble(engine, net, {
      seeds: draws,
      model: { inputShape: [3] },
      train: {
        x,
        y,
        loss: 'mse',
        optimizer: momentum === null ? sgd(learningRate) : heavyBall(learningRate, momentum),
        batchSize: n,
        steps,
        recordEvery: steps,
        evaluate: { test: { x: xTest } },
      },
    });
    const { mean, variance } = moments['test']!;
    const late = await predict(engine, net, { xTrain: x, yTrain: y, xTest });
    let [squares, ratios, afterwards] = [0, 0, 0];
    for (let i = 0; i < m; i++) {
      const standardError = Math.sqrt(theory.variance!.data[i]! / draws);
      const z = (mean.data[i]! - theory.mean.data[i]!) / standardError;
      expect(Math.abs(z)).toBeLessThan(3);
      squares += z * z;
      afterwards = Math.max(afterwards, Math.abs(mean.data[i]! - late.mean.data[i]!) / standardError);
      const ratio = variance.data[i]! / theory.variance!.data[i]!;
      ratios += ratio / m;
      // A sample variance of a Gaussian has the relative standard error sqrt(2 / (draws - 1)) = 0.082.
      expect(Math.abs(ratio - 1)).toBeLessThan(3 * Math.sqrt(2 / (draws - 1)));
    }
    expect(afterwards).toBeGreaterThan(4); // the limit t = infinity is not what these nets show
    expect(Math.sqrt(squares / m)).toBeLessThan(2);
    expect(Math.abs(ratios - 1)).toBeLessThan(2 * Math.sqrt(2 / (draws - 1)));
  });
});
