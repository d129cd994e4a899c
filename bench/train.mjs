// Training steps against this run's own gemm, interleaved and by processor time: node bench/train.mjs
import { createEngine, createModel, tensor } from '../build/index.js';
import { sgd, Trainer } from '../build/training/index.js';

const engine = await createEngine({ variant: process.argv[2] ?? 'simd' });
const seconds = (fn) => {
  const start = process.cpuUsage();
  fn();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
};
const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];

const N = 512;
const region = engine.heap.region();
const [a, b, c] = [0, 1, 2].map(() => region.zeros('f32', N * N));
const work = region.alloc('u8', engine.kernels.gemmWorkBytes());
const gemm = () => engine.kernels.gemm_f32(0, 0, N, N, N, 1, a.ptr, N, b.ptr, N, 0, c.ptr, N, work.ptr);

function measure(name, net, inputShape, n, flops) {
  const model = createModel(engine, net, { inputShape, dtype: 'f32' });
  const size = inputShape.reduce((product, axis) => product * axis, n);
  const x = tensor(
    Float32Array.from({ length: size }, (_, i) => ((i * 37) % 101) / 50 - 1),
    [n, ...inputShape],
  );
  const y = tensor(
    Float64Array.from({ length: n }, (_, i) => i % 10),
    [n],
  );
  const trainer = new Trainer(model, { x, y, loss: 'crossEntropy', optimizer: sgd(0.01) });
  trainer.next();
  const ratios = Array.from({ length: 12 }, () => {
    const peak = seconds(() => [0, 1, 2, 3, 4, 5].forEach(gemm)) / (6 * 2 * N ** 3);
    const step = seconds(() => trainer.next()) / flops;
    return peak / step;
  });
  trainer.dispose();
  model.dispose();
  console.log(`${name}: ${median(ratios).toFixed(2)} of gemm`);
}

const dense = (units) => ({ layer: 'dense', units });
const relu = { layer: 'relu' };
const conv = { layer: 'conv', channels: 64, filter: [3, 3], padding: 'SAME' };
// The first layer needs no input gradient: 4 flops per weight and sample, 6 elsewhere.
measure(
  'dense 784-512-512-10, batch 256',
  [dense(512), relu, dense(512), relu, dense(10)],
  [784],
  256,
  256 * (4 * 784 * 512 + 6 * (512 * 512 + 512 * 10)),
);
measure(
  'conv 3x3, 16-64-64 channels on 16x16, batch 32',
  [conv, relu, conv, relu, { layer: 'globalAvgPool' }, dense(10)],
  [16, 16, 16],
  32,
  32 * 256 * 9 * (4 * 16 * 64 + 6 * 64 * 64),
);
