// A Gram matrix that fits in no wasm memory: tiled product, factor and solve in float64, with the bytes announced, the
// time of each step on the clock and in CPU time of all threads (which other programs do not change), the peak memory of
// the process and the residual of A X = B, A = X X^T / d + ridge I, by products with X alone.
//   node bench/large.mjs [n = 20000] [d = 64] [workers = 2] [right-hand sides = 4]
import { createEngine } from '../build/index.js';
import { tiledAddDiagonal, tiledCholesky, tiledGram, tiledSolve } from '../build/math/index.js';
import { uniform, randomKey } from '../build/math/random.js';

const [n = 20_000, d = 64, workers = 2, r = 4] = process.argv.slice(2).map(Number);
const ridge = 0.1;
const engine = await createEngine({ variant: 'simd', workers });
const x = uniform(engine, randomKey(1), n * d).map((value) => value - 0.5);
const b = uniform(engine, randomKey(2), n * r).map((value) => value - 0.5);

async function step(name, flops, run) {
  const [begin, before] = [performance.now(), process.cpuUsage()];
  const result = await run(({ done, bytes }) => {
    if (done === 0) console.log(`${name}: ${(bytes / 2 ** 30).toFixed(2)} GiB announced`);
  });
  const seconds = (performance.now() - begin) / 1000;
  const { user, system } = process.cpuUsage(before);
  const cpu = (user + system) / 1e6;
  const rate = (time) => `${time.toFixed(1)} s, ${(flops / time / 1e9).toFixed(1)} GFLOP/s`;
  console.log(
    `${name}: ${rate(seconds)}; CPU time of all threads ${rate(cpu)} (system ${(system / 1e6).toFixed(1)} s)`,
  );
  return result;
}

const matrix = await step('gram', n * n * d, (onProgress) =>
  tiledGram(engine, { data: x, shape: [n, d] }, { alpha: 1 / d, onProgress }),
);
tiledAddDiagonal(matrix, ridge);
const { logDeterminant } = await step('cholesky', n ** 3 / 3, (onProgress) =>
  tiledCholesky(engine, matrix, { onProgress }),
);
const solution = await step('solve', 2 * n * n * r, (onProgress) =>
  tiledSolve(engine, matrix, { data: b, shape: [n, r] }, { onProgress }),
);

let [residual, size] = [0, 0];
for (let c = 0; c < r; c++) {
  const inner = new Float64Array(d);
  for (let i = 0; i < n; i++) for (let k = 0; k < d; k++) inner[k] += x[i * d + k] * solution.data[i * r + c];
  for (let i = 0; i < n; i++) {
    let sum = ridge * solution.data[i * r + c];
    for (let k = 0; k < d; k++) sum += (x[i * d + k] * inner[k]) / d;
    residual += (sum - b[i * r + c]) ** 2;
    size += b[i * r + c] ** 2;
  }
}
console.log(`log det ${logDeterminant}, |A X - B| / |B| = ${Math.sqrt(residual / size).toExponential(2)}`);
console.log(`peak memory ${(process.resourceUsage().maxRSS / 2 ** 20).toFixed(2)} GiB`);
engine.dispose();
