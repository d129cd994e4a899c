// Would several seeds of one net train faster in one gemm? Training steps of 16 seeds beside their matrix products alone,
// one by one and with the first layer of all seeds stacked into one product: node bench/seeds.mjs
import { createEngine, createModel, tensor } from '../build/index.js';
import { sgd, Trainer } from '../build/training/index.js';

const engine = await createEngine({ variant: process.argv[2] ?? 'simd' });
const SEEDS = 16;
const [STEPS, ROUNDS] = [40, 9];
const microseconds = (fn) => {
  const start = process.cpuUsage();
  for (let k = 0; k < STEPS; k++) fn();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / STEPS / SEEDS;
};
const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];
const filled = (n, shape) =>
  tensor(
    Float64Array.from({ length: n }, (_, i) => ((i * 37) % 101) / 50 - 1),
    shape,
  );

function measure(inputs, hidden, layers, outputs, n) {
  const net = Array.from({ length: layers }, () => [{ layer: 'dense', units: hidden }, { layer: 'relu' }]);
  const x = filled(n * inputs, [n, inputs]);
  const y = filled(n * outputs, [n, outputs]);
  const trainers = Array.from({ length: SEEDS }, (_, seed) => {
    const model = createModel(engine, [...net.flat(), { layer: 'dense', units: outputs }], {
      inputShape: [inputs],
      seed,
    });
    return new Trainer(model, { x, y, loss: 'mse', optimizer: sgd(0.01) });
  });
  const region = engine.heap.region();
  const [a, b, c] = [0, 1, 2].map(() =>
    region.zeros('f64', 2 * Math.max(inputs, hidden * SEEDS, n) * Math.max(n, inputs, hidden)),
  );
  const work = region.alloc('u8', engine.kernels.gemmWorkBytes());
  const gemm = (transA, transB, m, columns, k) =>
    engine.kernels.gemm_f64(
      ...[transA, transB, m, columns, k, 1, a.ptr, transA ? m : k, b.ptr, transB ? k : columns],
      0,
      c.ptr,
      columns,
      work.ptr,
    );
  const first = (width) => {
    gemm(0, [0, n, width], inputs);
    gemm(1, [0, inputs, width], n);
  };
  const rest = () => {
    for (let l = 1; l < layers; l++) {
      gemm(0, [0, n, hidden], hidden);
      gemm(1, [0, hidden, hidden], n);
      gemm(0, [1, n, hidden], hidden);
    }
    gemm(0, [0, n, outputs], hidden);
    gemm(1, [0, hidden, outputs], n);
    gemm(0, [1, n, hidden], outputs);
  };
  const each = (fn) => Array.from({ length: SEEDS }, fn);
  const ways = {
    step: () => trainers.forEach((trainer) => trainer.next()),
    'its products': () => each(() => (first(hidden), rest())),
    'products, first layer stacked': () => (first(hidden * SEEDS), each(rest)),
  };
  const times = Object.fromEntries(Object.keys(ways).map((name) => [name, []]));
  Object.values(ways).forEach((way) => way());
  for (let round = 0; round < ROUNDS; round++)
    for (const [name, way] of Object.entries(ways)) times[name].push(microseconds(way));
  region.dispose();
  for (const trainer of trainers) {
    trainer.dispose();
    trainer.model.dispose();
  }
  const shown = Object.entries(times).map(([name, list]) => `${name} ${median(list).toFixed(0)} us`);
  console.log(
    `${[inputs, ...new Array(layers).fill(hidden), outputs].join('-')}, batch ${n}, per seed: ${shown.join(', ')}`,
  );
}

measure(20, 64, 1, 1, 32);
measure(20, 64, 1, 1, 256);
measure(64, 32, 2, 10, 64);
measure(64, 128, 2, 10, 128);
measure(784, 128, 2, 10, 64);
