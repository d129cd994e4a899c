// How much faster are the kernels than the loop one would write in JavaScript? Run after `npm run build`:
//   node bench/javascript.mjs [--json]
// tinybench times each pair; the last column is the ratio of the medians.
import { Bench } from 'tinybench';
import { createEngine } from '../build/index.js';

const engine = await createEngine({ variant: 'simd' });
const { kernels } = engine;
const region = engine.heap.region();
const json = process.argv.includes('--json');
const rows = [];

async function pair(name, ours, theirs) {
  const bench = new Bench({ time: 300, warmupTime: 100 });
  bench.add('kernel', ours).add('javascript', theirs);
  await bench.run();
  const [kernel, javascript] = bench.tasks.map(({ result }) => result.latency);
  rows.push({
    name,
    kernelMs: kernel.p50,
    javascriptMs: javascript.p50,
    ratio: javascript.p50 / kernel.p50,
    spread: kernel.rme / 100,
  });
}

const N = 8192;
const inputs = Float64Array.from({ length: N }, (_, i) => -4 + (8 * i) / N);
for (const dtype of ['f64', 'f32']) {
  const values = dtype === 'f64' ? inputs : Float32Array.from(inputs);
  const [x, y] = [region.put(values), region.alloc(dtype, N)];
  const out = values.slice();
  for (const name of ['exp', 'tanh', 'sin', 'expm1']) {
    const fn = Math[name];
    await pair(
      `${name} ${dtype}, ${N} numbers`,
      () => kernels[`${name}_${dtype}`](N, x.ptr, y.ptr),
      () => {
        for (let i = 0; i < N; i++) out[i] = fn(values[i]);
      },
    );
  }
  const n = 256;
  const a = values.constructor.from({ length: n * n }, (_, i) => 1 / (1 + i));
  const [ta, tc] = [region.put(a), region.alloc(dtype, n * n)];
  const work = region.alloc('u8', kernels.gemmWorkBytes());
  const c = a.slice();
  await pair(
    `gemm ${dtype}, n = ${n}`,
    () => kernels[`gemm_${dtype}`](0, 0, n, n, n, 1, ta.ptr, n, ta.ptr, n, 0, tc.ptr, n, work.ptr),
    () => {
      c.fill(0);
      for (let i = 0; i < n; i++) {
        for (let k = 0; k < n; k++) {
          const aik = a[i * n + k];
          for (let j = 0; j < n; j++) c[i * n + j] += aik * a[k * n + j];
        }
      }
    },
  );
}
engine.dispose();

if (json) console.log(JSON.stringify(rows, null, 2));
else
  console.table(
    rows.map(({ name, ...numbers }) => ({
      name,
      ...Object.fromEntries(
        Object.entries(numbers).map(([key, value]) => [key, Number(value.toPrecision(3))]),
      ),
    })),
  );
