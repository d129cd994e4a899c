// Nets with layers that planes of constant offset cannot do (attention, aggregate): stretches of their other layers by offsets against
// propagation of all pairs of positions layer by layer, 16 x 16 samples, K and T. CPU time, taking turns, the least of each.
//   node bench/stretches.mjs [rounds] [--json]
import { createEngine, parseNet, planKernel } from '../build/index.js';
import { computeTile } from '../build/kernel/tiles/tile.js';

const rounds = Number(process.argv[2]) || 5;
const SAMPLES = 16;
const cpu = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
const images = (sample, seed) => {
  let state = seed;
  const shape = [SAMPLES, ...sample];
  const data = Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
  return { data, shape };
};

const relu = { layer: 'relu' };
const norm = { layer: 'layerNorm' };
const gap = { layer: 'globalAvgPool' };
const same = { layer: 'identity' };
const conv = { layer: 'conv', channels: 64, filter: [3, 3], padding: 'SAME', wStd: 1.4, bStd: 0.1 };
const dense = { layer: 'dense', units: 64, wStd: 1.4, bStd: 0.1 };
const pool = { layer: 'avgPool', window: [2, 2], strides: [2, 2] };
const attention = {
  layer: 'attention',
  channels: 64,
  keyChannels: 16,
  valueChannels: 16,
  heads: 4,
  bStd: 0.1,
};
const stack = (n) => Array.from({ length: n }, () => [conv, relu]).flat();
const residual = (...branch) => ({ layer: 'sum', branches: [branch, same] });
const block = [residual(norm, attention), residual(norm, conv, relu, conv, relu, conv)];
const nets = {
  '4 convolutions, attention, 4 convolutions, global pool': [...stack(4), attention, ...stack(4), gap, dense],
  '8 convolutions, attention, 8 convolutions, global pool': [...stack(8), attention, ...stack(8), gap, dense],
  '8 convolutions, aggregate, 8 convolutions, global pool': [
    ...stack(8),
    { layer: 'aggregate' },
    ...stack(8),
    gap,
    dense,
  ],
  'two residual blocks of attention and three convolutions': [conv, ...block, ...block, gap, dense],
  'two residual blocks of attention and two dense layers': [
    conv,
    ...[1, 2].flatMap(() => [residual(norm, attention), residual(norm, dense, relu, dense)]),
    gap,
    dense,
  ],
};
const pooled = [...stack(2), pool, ...stack(2), attention, ...stack(2), gap, dense];

const engine = await createEngine({ variant: 'simd' });
const report = { rounds, nets: [] };
for (const [name, net, sample] of [
  ...[8, 10].flatMap((n) => Object.entries(nets).map(([name, net]) => [name, net, [n, n, 3]])),
  ['2 convolutions, pool, 2 convolutions, attention, 2 convolutions, global pool', pooled, [16, 16, 3]],
]) {
  for (const dtype of ['f32', 'f64']) {
    const params = {
      net: parseNet(net),
      ntk: true,
      dtype,
      diagonalSpatial: false,
      maskConstant: null,
      pattern1: null,
      pattern2: null,
      frozen: [],
      tolerance: dtype === 'f32' ? 1e-7 : 1e-12,
      x1: images(sample, 1),
      x2: images(sample, 2),
    };
    const variants = [() => computeTile(engine, params), () => computeTile(engine, params, () => {})];
    const best = [Infinity, Infinity];
    for (let round = 0; round < rounds; round++)
      for (const [i, run] of variants.entries()) {
        const start = cpu();
        run();
        best[i] = Math.min(best[i], cpu() - start);
      }
    const { offsets } = planKernel({ memoryBytes: 2 ** 30 }, net, params.x1.shape, null, { dtype });
    const [byOffsets, layerByLayer] = best.map((ms) => ms / SAMPLES ** 2);
    report.nets.push({
      name,
      sample: sample.join(' x '),
      dtype,
      stretches: offsets.stretches.length,
      byOffsets,
      layerByLayer,
      ratio: byOffsets / layerByLayer,
    });
  }
}
engine.dispose();
if (process.argv.includes('--json')) console.log(JSON.stringify(report, null, 2));
else
  for (const { name, sample, dtype, stretches, byOffsets, layerByLayer, ratio } of report.nets)
    console.log(
      `${sample.padEnd(11)} ${dtype} ${name}: ${stretches} stretches, ${byOffsets.toFixed(3)} ms per entry, layer by layer ${layerByLayer.toFixed(3)}: ratio ${ratio.toFixed(2)}`,
    );
