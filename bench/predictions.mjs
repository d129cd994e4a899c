// What predictions cost beside their decompositions, CPU time of one process (ratios, not milliseconds, are the message).
//   node bench/predictions.mjs [train rows] [test rows]
import { createEngine, tensor } from '../build/index.js';
import { matmul } from '../build/math/index.js';
import { gpInference, gradientDescentMse, gradientDescentMseEnsemble } from '../build/predict/index.js';
import { solveTriangular } from '../build/math/cholesky.js';

const [n = 1000, m = 400] = process.argv.slice(2).map(Number);
const engine = await createEngine({ variant: 'simd' });
const features = n + m;
let state = 1;
const noise = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 31 - 1;
const points = tensor(Float64Array.from({ length: (n + m) * features }, noise), [n + m, features]);
const transposed = tensor(new Float64Array(features * (n + m)), [features, n + m]);
for (let i = 0; i < n + m; i++)
  for (let k = 0; k < features; k++)
    transposed.data[k * (n + m) + i] = points.data[i * features + k] / features;
const whole = (await matmul(engine, points, transposed)).data;
const block = (from, rows, columns) =>
  tensor(
    Float64Array.from(
      { length: rows * columns },
      (_, i) => whole[(from + Math.floor(i / columns)) * (n + m) + (i % columns)],
    ),
    [rows, columns],
  );
const [train, cross] = [block(0, n, n), block(n, m, n)];
for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) train.data[j * n + i] = train.data[i * n + j];
const prior = tensor(Float64Array.from({ length: m }, (_, i) => whole[(n + i) * (n + m + 1)]));
const y = tensor(Float64Array.from({ length: n }, noise), [n, 1]);

async function cpu(run) {
  const before = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e3;
}

/** The smallest of several rounds: other programs only add. */
async function best(run, rounds = 5) {
  let least = Infinity;
  for (let k = 0; k < rounds; k++) least = Math.min(least, await cpu(run));
  return least;
}

const times = Array.from({ length: 50 }, (_, i) => 2 ** i / 1e3);
const ratio = (a, b) => (a / b).toFixed(2);
const product = await best(() => matmul(engine, train, train));
const predictor = gradientDescentMse(engine, { ntk: train, y, diagReg: 1e-3 });
await predictor.spectrum();
const decomposition = await best(
  () => gradientDescentMse(engine, { ntk: train, y, diagReg: 1e-3 }).spectrum(),
  2,
);
const sweep = await best(() => predictor(times, { ntkTestTrain: cross }));
const ensemble = gradientDescentMseEnsemble(engine, { nngp: train, y, diagReg: 1e-3, method: 'nngp' });
const call = { nngpTestTrain: cross, nngpTestTest: prior, covariance: 'diagonal' };
await ensemble(times, call);
const spread = await best(() => ensemble(times, call));
const posterior = gpInference(engine, { nngp: train, y, diagReg: 1e-3 });
await posterior({ nngpTestTrain: cross });
const mean = await best(() => posterior({ nngpTestTrain: cross }));
const both = await best(() => posterior(call));
const triangular = await best(() =>
  engine.heap.scope((scope) => {
    const l = scope.alloc('f64', n * n);
    engine.heap.write(l, train.data);
    const b = scope.alloc('f64', n * m);
    engine.heap.write(b, cross.data);
    solveTriangular(engine, l, b, [n, m]);
    return engine.heap.read(b);
  }),
);
console.log(`n = ${n}, m = ${m}; gemm of size n: ${product.toFixed(0)} ms of CPU
eigendecomposition / gemm                              ${ratio(decomposition, product)}
50 times, train and test outputs / eigendecomposition  ${ratio(sweep, decomposition)}
50 times, NNGP means and variances / decomposition     ${ratio(spread, decomposition)}
predictive variances / one triangular solve            ${ratio(both - mean, triangular)}
means, variances and their copies / triangular solve   ${ratio(both, triangular)}`);
engine.dispose();
