// One-hidden-layer training against this run's own gemm, and the CI-size figure: node bench/scaling.mjs
import { xorMixture } from '../build/data/index.js';
import { createEngine, scalings, tensor } from '../build/index.js';
import { golikovFigure } from '../build/papers/index.js';
import { trainOneHidden } from '../build/scaling/index.js';

const engine = await createEngine({ variant: process.argv[2] ?? 'simd', workers: 0 });
const seconds = async (fn) => {
  const start = process.cpuUsage();
  await fn();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
};
const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];

const N = 512;
const region = engine.heap.region();
const [a, b, c] = [0, 1, 2].map(() => region.zeros('f32', N * N));
const work = region.alloc('u8', engine.kernels.gemmWorkBytes());
const gemm = () => engine.kernels.gemm_f32(0, 0, N, N, N, 1, a.ptr, N, b.ptr, N, 0, c.ptr, N, work.ptr);

function xor(train, test, features) {
  const { x, y } = xorMixture({ samples: train + test, features, seed: 0 });
  const split = train * features;
  return {
    xTrain: tensor(x.data.slice(0, split), [train, features]),
    yTrain: tensor(y.data.slice(0, train)),
    xTest: tensor(x.data.slice(split), [test, features]),
    yTest: tensor(y.data.slice(train)),
  };
}

/** The useful work of a step is two products, 4 rows inputs width flops; `other` divides the same by its time. */
async function measure(width, rows, features) {
  const data = xor(rows, 1, features);
  const run = (epochs) =>
    trainOneHidden(engine, {
      data,
      scaling: scalings.meanField,
      width,
      epochs,
      learningRate: 0.01,
      dtype: 'f32',
      evaluateAt: [],
    });
  const steps = Math.max(4, Math.ceil(2e10 / (4 * rows * features * width)));
  await run(1);
  const ratios = [];
  for (let i = 0; i < 5; i++) {
    const peak = (6 * 2 * N ** 3) / (await seconds(() => [0, 1, 2, 3, 4, 5].forEach(gemm)));
    const start = await seconds(() => run(1));
    const rate = (4 * rows * features * width * steps) / ((await seconds(() => run(steps + 1))) - start);
    ratios.push(rate / peak);
  }
  console.log(`width ${width}, ${rows} x ${features}, f32: ${median(ratios).toFixed(2)} of gemm`);
}

await measure(4096, 256, 784);
await measure(4096, 256, 64);
await measure(4096, 256, 20);
// What seeds of one width stacked into one net could save: the time of a unit falls with the width until a step's fixed
// costs are spread; half of these are the loss, which every seed has to itself.
const perUnit = [];
for (const width of [32, 128, 512, 4096]) {
  const data = xor(256, 1, 20);
  const options = {
    data,
    scaling: scalings.meanField,
    width,
    baseWidth: 32,
    learningRate: 0.01,
    dtype: 'f32',
  };
  const run = (epochs) => trainOneHidden(engine, { ...options, epochs, evaluateAt: [] });
  const steps = Math.ceil(2e5 / width);
  await run(steps);
  const rounds = [];
  for (let i = 0; i < 5; i++) {
    const start = await seconds(() => run(1));
    rounds.push(((await seconds(() => run(steps + 1))) - start) / steps);
  }
  perUnit.push(`${width}: ${((1e6 * median(rounds)) / width).toFixed(2)}`);
}
console.log(`microseconds per unit and step by width, 256 x 20, f32: ${perUnit.join(', ')}`);
const times = [];
for (let i = 0; i < 3; i++)
  times.push(await seconds(() => golikovFigure(engine, { data: xor(256, 512, 20) })));
console.log(`CI-size figure, seven curves: ${median(times).toFixed(2)} s on one core`);
engine.dispose();
