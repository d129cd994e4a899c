// Kernels of a dense net of three hidden layers against the Gram matrix alone, and a layer against the roofline; CPU time
// on one core, cases taking turns, minima.        node bench/dense-kernels.mjs [rounds] [n] [d] [--variant relaxed]
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createEngine, kernel } from '../build/index.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc'); // the garbage of one case is not charged to the next

const flag = process.argv.indexOf('--variant');
const variant = flag > 0 ? process.argv[flag + 1] : 'simd';
const [rounds = 10, n = 1024, d = 784] = process.argv.slice(2).map(Number).filter(Boolean);
const DEPTH = 3;
const ACTIVATIONS = ['relu', 'erf', 'gelu', 'tanh', 'swish', 'softplus', 'elu'];
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

let state = 1;
const data = Float64Array.from({ length: n * d }, () => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 31 - 1;
});
const dense = { layer: 'dense', units: 512, wStd: Math.SQRT2, bStd: 0.1 };
const netOf = (activation) => [
  ...Array.from({ length: DEPTH }, () => [dense, { layer: activation }]).flat(),
  dense,
];

/** The Gram matrix in wasm memory, and the arithmetic of the machine, for one dtype. */
function probes(dtype) {
  const region = heap.region();
  const x = region.put(dtype === 'f32' ? Float32Array.from(data) : data);
  const c = region.alloc(dtype, n * n);
  const work = region.alloc('u8', kernels.gemmWorkBytes());
  const at = region.alloc(dtype, 512);
  heap.fill(at, 0.5);
  const turns = 100_000;
  return {
    gram: () => kernels[`gram_${dtype}`](0, 0, n, d, 1 / d, x.ptr, d, 0, c.ptr, n, work.ptr),
    delivered: () => {
      const own = heap.region();
      const input = own.put(dtype === 'f32' ? Float32Array.from(data) : data);
      kernels[`gram_${dtype}`](0, 0, n, d, 1 / d, input.ptr, d, 0, c.ptr, n, work.ptr);
      kernels[`mirror_${dtype}`](n, c.ptr, n, 0);
      heap.read(c);
      own.dispose();
    },
    roof: () => kernels[`roofline_madd_${dtype}`](turns, at.ptr),
    vectorOps: turns * 24,
  };
}

/** Arithmetic instructions of one vector of K and T through relu and the dense layer after it (assembly/dual-rows.ts). */
const RELU_OPS = { f32: 31, f64: 43 };

for (const dtype of ['f32', 'f64']) {
  const x = { data: dtype === 'f32' ? Float32Array.from(data) : data, shape: [n, d] };
  const probe = probes(dtype);
  for (let round = 0; round < rounds; round++) {
    await time(`${dtype} gram`, probe.gram);
    await time(`${dtype} delivered`, probe.delivered);
    await time(`${dtype} roof`, probe.roof);
    for (const name of ACTIVATIONS)
      await time(`${dtype} ${name}`, () => kernel(engine, netOf(name), x, null, { dtype }));
  }
  const gram = best[`${dtype} gram`];
  const delivered = best[`${dtype} delivered`];
  const layers = DEPTH * ((n * (n + 1)) / 2);
  const lanes = dtype === 'f32' ? 4 : 2;
  const op = (best[`${dtype} roof`] * 1e6) / probe.vectorOps;
  console.log(`\n${dtype}, ${n} x ${d} symmetric, depth ${DEPTH}, ${variant}: gram ${gram.toFixed(2)} ms,`);
  console.log(`with input, mirror and result in JavaScript ${delivered.toFixed(2)} ms;`);
  console.log(
    `roofline ${op.toFixed(3)} ns per vector operation, so relu >= ${((RELU_OPS[dtype] * op) / lanes).toFixed(2)} ns\n`,
  );
  console.log(
    '| activation | ms | of gram | of gram with results | of relu | ns per entry and layer over it |',
  );
  console.log('|---|---|---|---|---|---|');
  for (const name of ACTIVATIONS) {
    const ms = best[`${dtype} ${name}`];
    const cells = [
      ms,
      ms / gram,
      ms / delivered,
      ms / best[`${dtype} relu`],
      ((ms - delivered) * 1e6) / layers,
    ];
    console.log(`| ${name} | ${cells.map((value) => value.toFixed(2)).join(' | ')} |`);
  }
}
engine.dispose();
