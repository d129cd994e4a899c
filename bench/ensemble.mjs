// The law of the ensemble against nets that were really trained, exact steps of gradient descent on all weights: how far
// means and variances are off, in their sampling errors.
//   node bench/ensemble.mjs [nets = 4000] [width = 1024] [steps = 8]
import { createEngine, kernel, predict, tensor, trainEnsemble } from '../build/index.js';
import { normal, randomKey } from '../build/math/streams.js';
import { dense, leakyRelu, serial } from '../build/net/layers.js';
import { maxLearningRate } from '../build/predict/index.js';
import { sgd } from '../build/training/index.js';

const [nets = 4000, width = 1024, steps = 8] = process.argv.slice(2).map(Number);
const engine = await createEngine({ variant: 'simd', workers: 'auto' });
const net = serial(dense(width, { wStd: 1.4, bStd: 0.3 }), leakyRelu(0.2), dense(1, { wStd: 1.2 }));
const [n, m] = [6, 8];
const x = tensor(normal(engine, randomKey(1), 3 * n), [n, 3]);
const xTest = tensor(normal(engine, randomKey(2), 3 * m), [m, 3]);
const y = tensor(
  Float64Array.from({ length: n }, (_, i) => Math.sin(2 * x.data[3 * i]) + x.data[3 * i + 1]),
  [n, 1],
);
const { ntk } = await kernel(engine, net, x, null, { get: 'ntk' });
const learningRate = 0.25 * (await maxLearningRate(engine, ntk, { targets: n }));
const call = { xTrain: x, yTrain: y, xTest, time: steps, mode: 'discrete', learningRate };
const law = await predict(engine, net, { ...call, covariance: 'diagonal' });
const { moments } = await trainEnsemble(engine, net, {
  seeds: nets,
  model: { inputShape: [3] },
  train: {
    ...{ x, y, loss: 'mse', optimizer: sgd(learningRate), batchSize: n },
    ...{ steps, recordEvery: steps, evaluate: { test: { x: xTest } } },
  },
});
const { mean, variance } = moments.test;
const z = Array.from(
  mean.data,
  (value, i) => (value - law.mean.data[i]) / Math.sqrt(law.variance.data[i] / nets),
);
const ratio = Array.from(variance.data, (value, i) => value / law.variance.data[i]);
const error = Math.sqrt(2 / (nets - 1));
const list = (values, digits) => values.map((value) => value.toFixed(digits)).join(' ');
console.log(`${nets} nets of width ${width} after ${steps} steps, ${m} test points
means off, in standard errors:  ${list(z, 2)}
variances over the law's:       ${list(ratio, 3)}  (sampling error ${error.toFixed(3)})`);
engine.dispose();
