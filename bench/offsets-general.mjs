// Convolutional kernels by offset planes against the general propagation of the same tile: activations with and without a closed form,
// layers of an NTK one by one. CPU time, the two taking turns, the minimum of each.   node bench/offsets-general.mjs [rounds] [--json]
import { createEngine, parseNet, planKernel } from '../build/index.js';
import { inferShapes } from '../build/net/layers.js';
import { weightPaths } from '../build/kernel/propagation/frozen.js';
import { computeTile } from '../build/kernel/tiles/tile.js';
import { offsetTile } from '../build/kernel/offsets/tile.js';

const rounds = Number(process.argv[2]) || 3;
const engine = await createEngine({ variant: 'simd' });
const cpu = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e3;
};

function images(n, side, dtype, seed) {
  let state = seed;
  const data = Float64Array.from({ length: n * side * side * 3 }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
  return { data: dtype === 'f32' ? Float32Array.from(data) : data, shape: [n, side, side, 3] };
}

const conv = { layer: 'conv', channels: 4, filter: [3, 3], padding: 'SAME', wStd: 1.2 };
const stack = (depth, act, tail) => [
  ...Array.from({ length: depth }, () => [conv, { layer: act }]).flat(),
  { layer: tail },
  { layer: 'dense', units: 1 },
];

const ready = (net, n, side, dtype) => ({
  net: parseNet(net),
  x1: images(n, side, dtype, 1),
  x2: images(n, side, dtype, 7),
  ntk: true,
  dtype,
  diagonalSpatial: false,
  maskConstant: null,
  pattern1: null,
  pattern2: null,
  frozen: [],
  tolerance: dtype === 'f32' ? 1e-8 : 1e-13,
});

/** Least milliseconds of each, in turns. */
function compare(general, planes) {
  const best = [Infinity, Infinity];
  for (let round = 0; round < rounds; round++)
    for (const [i, run] of [general, planes].entries()) {
      const start = cpu();
      run();
      best[i] = Math.min(best[i], cpu() - start);
    }
  const [a, b] = best;
  return { generalMs: +a.toFixed(1), offsetsMs: +b.toFixed(1), generalToOffsets: +(a / b).toFixed(2) };
}

const rows = [];
for (const tail of ['globalAvgPool', 'flatten'])
  for (const act of ['relu', 'gelu', 'tanh', 'sigmoid', 'swish', 'elu', 'hardTanh'])
    for (const dtype of ['f32', 'f64']) {
      const net = stack(4, act, tail);
      const [n, side] = tail === 'flatten' ? [16, 16] : [4, 16];
      const params = ready(net, n, side, dtype);
      const { offsets } = planKernel({ memoryBytes: 2 ** 30 }, net, [n, side, side, 3], null, { dtype });
      rows.push({
        net: `4 x ${act}, ${tail}, ${n} x ${n} images of ${side}x${side}`,
        dtype,
        ...compare(
          () => computeTile(engine, params, () => {}),
          () => offsetTile(engine, params),
        ),
        kilobytesPerImage: Math.round(offsets.bytes.perImage / 1e3),
      });
    }
for (const [depth, side] of [
  [4, 8],
  [8, 12],
]) {
  const net = stack(depth, 'relu', 'globalAvgPool');
  const params = ready(net, 8, side, 'f64');
  const paths = weightPaths(inferShapes(net, [side, side, 3]));
  const alone = paths.map((path) => ({ ...params, frozen: paths.filter((other) => other !== path) }));
  rows.push({
    net: `NTK of each of ${paths.length} layers: ${depth} x relu, globalAvgPool, 8 x 8 images of ${side}x${side}`,
    dtype: 'f64',
    ...compare(
      () => alone.forEach((one) => computeTile(engine, one, () => {})),
      () => alone.forEach((one) => offsetTile(engine, one)),
    ),
  });
}
engine.dispose();
if (process.argv.includes('--json')) console.log(JSON.stringify({ rounds, rows }, null, 2));
else console.table(rows);
