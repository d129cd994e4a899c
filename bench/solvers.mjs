// Predictions of large train sets by each solver of `predict`: seconds and bytes of every stage, peak memory, score on
// clean test targets, diagnostics.
//   node bench/solvers.mjs [n = 5000] [solver = tiled|cg|nystrom|features] [workers = 2] [depth = 3] [tolerance] [rank]
import { createEngine, predict, tensor } from '../build/index.js';
import { normal, randomKey } from '../build/math/streams.js';
import { dense, relu, serial } from '../build/net/layers.js';

const [n = 5000, solver = 'tiled', workers = 2, depth = 3, tolerance, rank] = process.argv
  .slice(2)
  .map((word) => (Number.isNaN(Number(word)) ? word : Number(word)));
const [d, m] = [20, 500];
const engine = await createEngine({ variant: 'simd', workers });
const hidden = Array.from({ length: depth }, () => [dense(512, { wStd: Math.SQRT2, bStd: 0.3 }), relu()]);
const net = serial(...hidden.flat(), dense(1));

const x = normal(engine, randomKey(1), (n + m) * d);
const noise = normal(engine, randomKey(2), n);
const target = (i) =>
  Math.sin(x[i * d] + x[i * d + 1]) + (x[i * d + 2] * x[i * d + 3]) / 2 + Math.abs(x[i * d + 4]) - 0.8;
const yTrain = tensor(
  noise.map((value, i) => target(i) + 0.1 * value),
  [n, 1],
);

const begin = performance.now();
const seconds = () => ((performance.now() - begin) / 1000).toFixed(1);
let stage = '';
const { mean, diagnostics } = await predict(engine, net, {
  xTrain: tensor(x.slice(0, n * d), [n, d]),
  yTrain,
  xTest: tensor(x.slice(n * d), [m, d]),
  method: 'nngp',
  covariance: solver === 'cg' ? 'none' : 'diagonal',
  diagReg: 1e-2,
  solver,
  ...(tolerance ? { tolerance } : {}),
  ...(rank ? { rank } : {}),
  onProgress: (progress) => {
    const { residual, bytes } = progress;
    if (residual !== undefined) console.log(`${seconds()} s: residual ${residual.toExponential(1)}`);
    if (progress.stage === stage) return;
    stage = progress.stage;
    console.log(`${seconds()} s: ${stage}, ${(bytes / 1e6).toFixed(0)} MB`);
  },
});
const [left, whole] = [0, 1].map((share) =>
  Array.from({ length: m }, (_, i) => (target(n + i) - (1 - share) * mean.data[i]) ** 2).reduce(
    (a, b) => a + b,
  ),
);
console.log(
  `${seconds()} s: done, peak ${(process.resourceUsage().maxRSS / 1e3).toFixed(0)} MB, R2 ${(1 - left / whole).toFixed(4)}`,
);
console.log(JSON.stringify(diagnostics, null, 1));
engine.dispose();
