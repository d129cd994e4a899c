// The empirical NTK (trace) from factors of the Jacobian against explicit Jacobians and their product, same net and data;
// minima of CPU time.        node bench/empirical.mjs [samples] [width] [rounds]
import { planEmpiricalNtk } from '../build/empirical/index.js';
import { createEngine, createModel, empiricalNtk, tensor } from '../build/index.js';
import { slice } from '../build/wasm/engine.js';

const [n = 24, width = 128, rounds = 3] = process.argv.slice(2).map(Number);
const [inputs, outputs] = [784, 10];
const engine = await createEngine({ workers: 0 });
const { heap, kernels } = engine;
const hidden = [{ layer: 'dense', units: width }, { layer: 'relu' }];
const net = [...hidden, ...hidden, ...hidden, { layer: 'dense', units: outputs }];
const model = createModel(engine, net, { inputShape: [inputs] });
let state = 1;
const data = Float64Array.from({ length: n * inputs }, () => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 31 - 1;
});
const x = tensor(data, [n, inputs]);
const p = model.parameterCount;

/** The diagonal blocks of J J^T, averaged over outputs. */
function explicit() {
  return heap.scope((scope) => {
    const [jacobian, gram] = [scope.alloc('f64', n * p), scope.zeros('f64', n * n)];
    const work = scope.alloc('u8', kernels.gemmWorkBytes());
    const sum = new Float64Array(n * n);
    for (let i = 0; i < outputs; i++) {
      for (let s = 0; s < n; s++) {
        const unit = tensor(
          Float64Array.from({ length: outputs }, (_, j) => (j === i ? 1 : 0)),
          [1, outputs],
        );
        const row = model.vectorJacobian(
          tensor(data.subarray(s * inputs, (s + 1) * inputs), [1, inputs]),
          unit,
        );
        let at = s * p;
        for (const { w, b } of row) {
          for (const part of b ? [w, b] : [w]) {
            heap.write(slice(jacobian, at, part.data.length), part.data);
            at += part.data.length;
          }
        }
      }
      kernels.gram_f64(0, 0, n, p, 1 / outputs, jacobian.ptr, p, 0, gram.ptr, n, work.ptr);
      heap.read(gram).forEach((value, k) => (sum[k] += value));
    }
    return sum;
  });
}

const best = {};
const time = (name, run) => {
  const begin = process.cpuUsage();
  const result = run();
  const { user, system } = process.cpuUsage(begin);
  best[name] = Math.min(best[name] ?? Infinity, (user + system) / 1000);
  return result;
};
let difference = 0;
for (let round = 0; round < rounds; round++) {
  const got = time('factors', () => empiricalNtk(model, x)).data;
  const want = time('Jacobians', explicit);
  for (let r = 0; r < n; r++)
    for (let c = 0; c <= r; c++)
      difference = Math.max(difference, Math.abs(got[r * n + c] - want[r * n + c]) / Math.abs(got[0]));
}
const { bytes, jacobianBytes } = planEmpiricalNtk(model, n, n);
const mb = (count) => `${(count / 1e6).toFixed(1)} MB`;
console.log(`${n} samples, 3 hidden layers of ${width}, ${p} parameters, ${outputs} outputs, f64`);
console.log(`factors    ${best.factors.toFixed(1)} ms, ${mb(bytes)}`);
console.log(`Jacobians  ${best.Jacobians.toFixed(1)} ms, all outputs at once ${mb(jacobianBytes / 2)}`);
console.log(
  `ratio ${(best.Jacobians / best.factors).toFixed(1)}, largest difference ${difference.toExponential(1)}`,
);
engine.dispose();
