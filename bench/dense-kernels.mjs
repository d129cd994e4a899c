// Kernels of a dense net of three hidden layers against the Gram matrix alone, a layer against the roofline, and inputs
// of one norm; CPU time on one core, cases taking turns, minima.        node bench/dense-kernels.mjs [rounds] [n] [d] [--variant relaxed]
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createEngine, kernel } from '../build/index.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc'); // the garbage of one case is not charged to the next

const flag = process.argv.indexOf('--variant');
const variant = flag > 0 ? process.argv[flag + 1] : 'simd';
const [rounds = 10, n = 1024, d = 784] = process.argv.slice(2).map(Number).filter(Boolean);
const DEPTH = 3;
const SERIES = ['tanh', 'swish', 'softplus', 'elu'];
const ACTIVATIONS = ['relu', 'erf', 'gelu', ...SERIES];
const engine = await createEngine({ workers: 0, variant });
const { kernels, heap } = engine;

const cpu = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
const best = {};
async function time(name, run) {
  collect();
  const begin = cpu();
  await run();
  best[name] = Math.min(best[name] ?? Infinity, cpu() - begin);
}

const norms = [];
let state = 1;
const data = Float64Array.from({ length: n * d }, () => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 31 - 1;
});
// The same samples with one norm: kernels then take a table of the whole net in place of layers by series.
const sphere = data.map((value, i) => {
  const row = data.subarray(i - (i % d), i - (i % d) + d);
  return (value * Math.sqrt(d)) / (norms[(i - (i % d)) / d] ??= Math.hypot(...row));
});
const inputs = (values, dtype) => ({
  data: dtype === 'f32' ? Float32Array.from(values) : values,
  shape: [n, d],
});
const dense = { layer: 'dense', units: 512, wStd: Math.SQRT2, bStd: 0.1 };
const netOf = (activation) => [
  ...Array.from({ length: DEPTH }, () => [dense, { layer: activation }]).flat(),
  dense,
];

/** The Gram matrix in wasm memory, the same from array to array, and the arithmetic of the machine, for one dtype. */
function probes(dtype, given) {
  const region = heap.region();
  const x = region.put(given);
  const c = region.alloc(dtype, n * n);
  const work = region.alloc('u8', kernels.gemmWorkBytes());
  const at = region.alloc(dtype, 512);
  heap.fill(at, 0.5);
  const turns = 100_000;
  const gram = (from, to) => kernels[`gram_${dtype}`](0, 0, n, d, 1 / d, from.ptr, d, 0, to.ptr, n, work.ptr);
  return {
    gram: () => gram(x, c),
    call: () =>
      heap.scope((scope) => {
        const to = scope.alloc(dtype, n * n);
        gram(scope.put(given), to);
        kernels[`mirror_${dtype}`](n, to.ptr, n, 0);
        return heap.read(to);
      }),
    roof: () => kernels[`rooflineMadd_${dtype}`](turns, at.ptr),
    vectorOps: turns * 24,
  };
}

/** Arithmetic instructions of one vector of K and T through relu and the dense layer after it (assembly/dual-angles.ts). */
const RELU_OPS = { f32: 35, f64: 47 };

for (const dtype of ['f32', 'f64']) {
  const x = inputs(data, dtype);
  const onSphere = inputs(sphere, dtype);
  const probe = probes(dtype, x.data);
  const row = (name) => best[`${dtype} ${name}`];
  for (let round = 0; round < rounds; round++) {
    for (const name of ['gram', 'call', 'roof']) await time(`${dtype} ${name}`, probe[name]);
    for (const name of ACTIVATIONS) {
      await time(`${dtype} ${name}`, () => kernel(engine, netOf(name), x, null, { dtype, get: 'ntk' }));
      await time(`${dtype} ${name} both`, () => kernel(engine, netOf(name), x, null, { dtype }));
    }
    for (const name of SERIES)
      await time(`${dtype} ${name} sphere`, () =>
        kernel(engine, netOf(name), onSphere, null, { dtype, get: 'ntk' }),
      );
  }
  const layers = DEPTH * ((n * (n + 1)) / 2);
  const lanes = dtype === 'f32' ? 4 : 2;
  const op = (row('roof') * 1e6) / probe.vectorOps;
  console.log(`\n${dtype}, ${n} x ${d} symmetric, depth ${DEPTH}, ${variant}: Gram matrix in wasm memory`);
  console.log(
    `${row('gram').toFixed(2)} ms, from JavaScript arrays to JavaScript arrays ${row('call').toFixed(2)} ms;`,
  );
  console.log(
    `roofline ${op.toFixed(3)} ns per vector operation, so relu >= ${((RELU_OPS[dtype] * op) / lanes).toFixed(2)} ns\n`,
  );
  console.log(
    '| activation | NTK, ms | of gram in memory | of gram from array to array | of relu | ns per entry and layer | NTK and NNGP, ms | of gram from array to array | NTK on a sphere, ms |',
  );
  console.log('|---|---|---|---|---|---|---|---|---|');
  for (const name of ACTIVATIONS) {
    const [ms, both, table] = [row(name), row(`${name} both`), row(`${name} sphere`)];
    const over = ((ms - row('call')) * 1e6) / layers;
    const ratios = [ms / row('gram'), ms / row('call'), ms / row('relu')];
    const cells = [ms, ...ratios, over, both, both / row('call')].map((value) => value.toFixed(2));
    console.log(`| ${name} | ${cells.join(' | ')} | ${table ? table.toFixed(2) : ''} |`);
  }
}
engine.dispose();
