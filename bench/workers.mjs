// How much faster are two workers than one? Wall-clock time, so run it on a quiet machine.
// Points lie in shared memory, which tiledGram reads without a copy.
//   node bench/workers.mjs [rounds] [n of gram] [n of cholesky] [images of a convolutional kernel]      n = 0: left out
import { availableParallelism } from 'node:os';
import { createEngine, kernel } from '../build/index.js';
import { tiledCholesky, tiledGram } from '../build/math/index.js';
import { tiledAddDiagonal } from '../build/math/tiled.js';

const [rounds = 3, gramSize = 4096, choleskySize = 4096, images = 40] = process.argv.slice(2).map(Number);
const engines = await Promise.all([1, 2].map((workers) => createEngine({ variant: 'auto', workers })));
const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const data = (n, d) => {
  const shared = new Float64Array(new SharedArrayBuffer(8 * n * d));
  for (let i = 0; i < n * d; i++) shared[i] = Math.sin(i * i);
  return { data: shared, shape: [n, d] };
};
const timed = async (run) => {
  const begin = performance.now();
  await run();
  return performance.now() - begin;
};

const points = data(gramSize, 1024);
const thousand = data(1024, 1024);
const few = data(choleskySize, 64);
const DEPTH = 4;
const net = [
  ...Array.from({ length: DEPTH }, () => [
    { layer: 'conv', channels: 64, filter: [3, 3], padding: 'SAME', wStd: Math.SQRT2 },
    { layer: 'relu' },
  ]).flat(),
  { layer: 'globalAvgPool' },
  { layer: 'dense', units: 10 },
];
const pixels = { data: Float64Array.from(data(images, 3072).data), shape: [images, 32, 32, 3] };
const all = {
  'gram n=1024 d=1024': (engine) => timed(() => tiledGram(engine, thousand)),
  [`gram n=${gramSize} d=1024`]: (engine) => timed(() => tiledGram(engine, points)),
  [`cholesky n=${choleskySize}`]: async (engine) => {
    const matrix = await tiledGram(engine, few);
    tiledAddDiagonal(matrix, 1);
    return timed(() => tiledCholesky(engine, matrix));
  },
  [`CNN-GAP depth ${DEPTH}, Gram matrix of n=${images} images`]: (engine) =>
    timed(() => kernel(engine, net, pixels, null, { dtype: 'f32' })),
};
const questions = Object.fromEntries(Object.entries(all).filter(([name]) => !/n=0\b/.test(name)));
console.log(`${availableParallelism()} cores, ${engines[0].variant}`);
for (const [name, run] of Object.entries(questions)) {
  const times = [[], []];
  for (const engine of engines) await run(engine); // start workers, compile, grow memories
  for (let round = 0; round < rounds; round++)
    for (const [index, engine] of engines.entries()) times[index].push(await run(engine));
  const ratios = times[0].map((t, i) => t / times[1][i]);
  console.log(
    `${name}: one worker ${median(times[0]).toFixed(0)} ms, two ${median(times[1]).toFixed(0)} ms, speed-up ${median(ratios).toFixed(2)} (best ${Math.max(...ratios).toFixed(2)})`,
  );
}
for (const engine of engines) engine.dispose();
