// Kernels by offset planes: against the kernel written for one net, erf against ReLU, tables against entries, entries per second.
// CPU time, variants taking turns, the minimum of every piece.   node bench/offsets.mjs [rounds] [--json]
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createEngine } from '../build/index.js';
import { inferShapes } from '../build/net/layers.js';
import { planOffsets } from '../build/kernel/offsets/plan.js';
import { Executor } from '../build/kernel/offsets/executor.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const rounds = Number(process.argv[2]) || 3;
const [H, W, C, L] = [32, 32, 3, 21];
const P = H * W;
const cpu = () => {
  const { user, system } = process.cpuUsage();
  return user + system;
};
const pixels = (count, seed) => {
  let state = seed;
  return Float64Array.from({ length: count * P * C }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
};

const relu = { layer: 'relu' };
const conv = (more = {}) => ({
  layer: 'conv',
  channels: 4,
  filter: [3, 3],
  padding: 'SAME',
  wStd: Math.SQRT2,
  ...more,
});
const head = { layer: 'dense', units: 1 };
const stack = (depth, act, tail) => [
  ...Array.from({ length: depth }, () => [conv(), { layer: act }]).flat(),
  { layer: tail },
  head,
];
const pool = { layer: 'avgPool', window: [2, 2], strides: [2, 2] };
const myrtle5 = [
  conv(),
  relu,
  conv(),
  relu,
  pool,
  conv(),
  relu,
  pool,
  conv(),
  relu,
  pool,
  pool,
  pool,
  { layer: 'flatten' },
  head,
];

function wideResnet() {
  const standard = { parametrization: 'standard', bStd: 0.1 };
  const c = (channels, t = 1, filter = [3, 3]) => conv({ channels, strides: [t, t], filter, ...standard });
  const pre = [{ layer: 'layerNorm' }, relu];
  const block = (channels, t, first) => ({
    layer: 'sum',
    branches: [
      [...pre, c(channels, t), ...pre, c(channels)],
      first ? c(channels, t, [1, 1]) : { layer: 'identity' },
    ],
  });
  const group = (channels, t) => [0, 1, 2, 3].map((i) => block(channels, i ? 1 : t, i === 0));
  const tail = [
    ...pre,
    { layer: 'globalAvgPool' },
    { layer: 'dense', units: 10, parametrization: 'standard' },
  ];
  return [c(16), ...group(16, 1), ...group(32, 2), ...group(64, 2), ...tail];
}

/** A net ready to run one x against a full register of x'. */
function prepare(engine, net, dtype) {
  const plan = planOffsets(inferShapes(net, [H, W, C]), { dtype });
  const region = engine.heap.region();
  const executor = new Executor(engine, plan, region);
  const y = { data: pixels(plan.lanes, 7), count: plan.lanes };
  const records = executor.records({ data: pixels(1, 1), count: 1 });
  executor.tables(y, 0);
  const out = region.alloc(dtype, 2 * plan.lanes * plan.output.elements);
  const steps = region.alloc('i32', 4);
  const { steps: all } = plan.pairs;
  const big = [];
  for (let i = 0; i < all.length; i += 4) if (all[i] === 0) big.push(all.subarray(i, i + 4));
  const [, program, offsets] = big.reduce((a, b) => (b[3] > a[3] ? b : a));
  return {
    plan,
    whole: () => executor.execute('pairs', records.ptr, out.ptr, 1),
    tables: () => executor.execute('tables', null, 0, 1),
    /** Offsets [first, first + count) of the largest program. */
    part: (first, count) => {
      engine.heap.write(steps, Int32Array.of(0, program, offsets + 3 * first, count));
      executor.words.set([records.ptr], 2);
      executor.words.set([out.ptr, 0], 4);
      executor.words[9] = 0;
      engine.heap.write(executor.context, executor.words);
      executor.kernel(executor.context.ptr, steps.ptr, 1, 1, 0, 0);
    },
    dispose: () => region.dispose(),
  };
}

function specialised(dtype) {
  const file = `${root}build/bench/specialised-${dtype}.wasm`;
  mkdirSync(`${root}build/bench`, { recursive: true });
  const asc = `${root}node_modules/assemblyscript/bin/asc.js`;
  const flags = ['-o', file, '-O3', '--noAssert', '--enable', 'simd', '--runtime', 'stub'];
  // away from the project's own compiler options
  const cwd = `${root}build/bench`;
  const made = spawnSync(process.execPath, [asc, `${root}bench/offsets/specialised-${dtype}.ts`, ...flags], {
    cwd,
  });
  if (made.status !== 0) throw new Error(String(made.stderr));
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(file)), {
    env: { abort() {} },
  });
  const [lanes, bytes] = dtype === 'f32' ? [4, 4] : [2, 8];
  let top = exports.base();
  const take = (size) => {
    const at = top;
    top = (top + size + 255) & ~63;
    return at;
  };
  const planes = take(4 * 34 * 34 * 16);
  const X = take(C * P * bytes);
  const Y = take(C * P * 16);
  const XT = take((L * P + 64) * 2 * bytes);
  const YT = take((L * P + 64) * 32);
  const out = take(64);
  while (exports.memory.buffer.byteLength < top) exports.memory.grow(16);
  const Floats = dtype === 'f32' ? Float32Array : Float64Array;
  // Time does not depend on the values as long as they are ordinary numbers.
  new Floats(exports.memory.buffer, X, C * P).set(pixels(1, 1));
  new Floats(exports.memory.buffer, Y, C * P * lanes).set(pixels(lanes, 7));
  new Floats(exports.memory.buffer, XT, L * P * 2).fill(1.1);
  new Floats(exports.memory.buffer, YT, L * P * 2 * lanes).fill(0.4);
  return (dh, dw) => exports.sub(planes, X, Y, XT, YT, out, dh, dw, H, W, C, L, 1 / (9 * C));
}

/** Sums over pieces of the least time of each, for variants that take turns. */
function interleave(variants, pieces) {
  const best = variants.map(() => pieces.map(() => Infinity));
  for (let round = 0; round < rounds; round++)
    for (const [p, piece] of pieces.entries())
      for (const [v, run] of variants.entries()) {
        const start = cpu();
        run(piece);
        best[v][p] = Math.min(best[v][p], cpu() - start);
      }
  return best.map((times) => times.reduce((sum, t) => sum + t, 0));
}

const engine = await createEngine({ variant: 'simd' });
const report = { rounds, ratios: {}, nets: [] };
const columns = 2 * W - 1;
for (const dtype of ['f32', 'f64']) {
  const peer = specialised(dtype);
  const own = prepare(engine, stack(L, 'relu', 'globalAvgPool'), dtype);
  const erf = prepare(engine, stack(L, 'erf', 'globalAvgPool'), dtype);
  // every third row of offsets: the same mix of plane sizes in a third of the time
  const rows = Array.from({ length: Math.ceil(H / 3) }, (_, i) => 3 * i + 1 - H);
  const [a, b, c] = interleave(
    [
      (dh) => {
        for (let dw = 1 - W; dw < W; dw++) peer(dh, dw);
      },
      (dh) => own.part((dh + H - 1) * columns, columns),
      (dh) => erf.part((dh + H - 1) * columns, columns),
    ],
    rows,
  );
  const repeat = (run) => () => {
    for (let i = 0; i < 40; i++) run();
  };
  const centre = (H - 1) * columns + W - 1;
  const [d, e, f, t] = interleave(
    [() => peer(0, 0), () => own.part(centre, 1), () => erf.part(centre, 1), () => own.tables()].map(repeat),
    [0, 1, 2],
  );
  report.ratios[dtype] = {
    globalPoolToSpecialised: b / a,
    flattenToSpecialised: e / d,
    erfToRelu: c / b,
    erfToReluFlatten: f / e,
    // tables of one image over 100 entries of one x against groups of x'
    tablesToFlattenRowOf100: t / own.plan.lanes / ((e * 100) / own.plan.lanes),
  };
  own.dispose();
  erf.dispose();
}
const nets = [
  ...[1, 2, 4, 8, 16].map((n) => [`Conv-GAP depth ${n}`, stack(n, 'relu', 'globalAvgPool')]),
  ...[1, 2, 4, 8, 16].map((n) => [`Conv-Vec depth ${n}`, stack(n, 'relu', 'flatten')]),
  ['Myrtle-5', myrtle5],
  ['WRN-28 layerNorm, standard', wideResnet()],
];
for (const [name, net] of nets) {
  const one = prepare(engine, net, 'f32');
  const { affineSteps, bytes } = one.plan.report;
  const times = Math.max(1, Math.round(2e6 / affineSteps));
  const [spent] = interleave(
    [
      () => {
        for (let i = 0; i < times; i++) one.whole();
      },
    ],
    [0],
  );
  const seconds = spent / 1e6 / times / one.plan.lanes;
  report.nets.push({
    net: name,
    entriesPerSecond: 1 / seconds,
    steps: affineSteps,
    nsPerStep: (seconds * 1e9) / affineSteps,
    planeBytes: bytes.planes,
    bytesPerImage: bytes.perImage,
  });
  one.dispose();
}
engine.dispose();
if (process.argv.includes('--json')) console.log(JSON.stringify(report, null, 2));
else {
  console.table(report.ratios);
  console.table(report.nets);
}
