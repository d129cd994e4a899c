// What predictions cost beside their decompositions, CPU time of one process (ratios, not milliseconds, are the message).
//   node bench/predictions.mjs [train rows] [test rows]
import { createEngine, gpInference, gradientDescentMse, matmul, tensor } from '../build/index.js';

const [n = 700, m = 400] = process.argv.slice(2).map(Number);
const engine = await createEngine({ variant: 'simd' });
const features = n + m;
let state = 1;
const noise = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 31 - 1;
const x = Float64Array.from({ length: (n + m) * features }, noise);
const dot = (i, j) => {
  let sum = 0;
  for (let k = 0; k < features; k++) sum += x[i * features + k] * x[j * features + k];
  return sum / features;
};
const block = (rows, columns, from) =>
  tensor(
    Float64Array.from({ length: rows * columns }, (_, i) => dot(from + Math.floor(i / columns), i % columns)),
    [rows, columns],
  );
const [train, cross] = [block(n, n, 0), block(m, n, n)];
const prior = tensor(Float64Array.from({ length: m }, (_, i) => dot(n + i, n + i)));
const y = tensor(Float64Array.from({ length: n }, noise), [n, 1]);

async function cpu(run) {
  const before = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e3;
}

const times = Array.from({ length: 50 }, (_, i) => 2 ** i / 1e3);
for (const round of ['cold', 'warm']) {
  const predictor = gradientDescentMse(engine, { ntk: train, y, diagReg: 1e-3 });
  const product = await cpu(() => matmul(engine, train, train));
  const decomposition = await cpu(() => predictor.spectrum());
  const sweep = await cpu(() => predictor(times, { ntkTestTrain: cross }));
  const posterior = gpInference(engine, { nngp: train, y, diagReg: 1e-3 });
  const factor = await cpu(() => posterior({ nngpTestTrain: cross }));
  const mean = await cpu(() => posterior({ nngpTestTrain: cross }));
  const both = await cpu(() =>
    posterior({ nngpTestTrain: cross, nngpTestTest: prior, covariance: 'diagonal' }),
  );
  const ratio = (a, b) => (a / b).toFixed(2);
  console.log(
    `${round}, n = ${n}, m = ${m}: eigendecomposition / gemm ${ratio(decomposition, product)}; 50 times, train and test / eigendecomposition ${ratio(sweep, decomposition)}; factor and mean / gemm ${ratio(factor, product)}; variances / mean ${ratio(both - mean, mean)}`,
  );
}
engine.dispose();
