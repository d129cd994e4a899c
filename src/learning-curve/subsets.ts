// Kernel regression on subsets of a pool: what it says about itself (leave one out, generalised cross-validation) and what the
// rest of the pool says.
import { choleskySolve, solveTriangular } from '../math/cholesky.js';
import { choleskyWithJitter } from '../math/positive.js';
import { mean, standardDeviation } from '../math/statistics.js';
import { defineJob, type Job } from '../wasm/engine.js';

/** A pool: kernel (m, m), targets (m, outputs). */
export interface Pool {
  readonly kernel: Float64Array;
  readonly y: Float64Array;
  readonly m: number;
  readonly outputs: number;
  readonly ridge: number;
}

/** Errors are squared and summed over outputs. */
export interface SubsetErrors {
  /** Mean of the leave-one-out errors and their standard deviation over the samples. */
  readonly leaveOneOut: number;
  readonly spread: number;
  /** n |a|^2 / (tr R)^2: generalised cross-validation, which is KARE too. */
  readonly gcv: number;
  /** Mean error on the rest of the pool; null where nothing is left. */
  readonly test: number | null;
}

/** @internal `order`: the samples of every subset, one after the other; `size` samples each */
export const subsetsJob: Job<Pool & { readonly order: Int32Array; readonly size: number }, SubsetErrors[]> =
  defineJob('learning-curve/subsets', async (core, { order, size, ...pool }, { breathe }) => {
    const all: SubsetErrors[] = [];
    for (let at = 0; at < order.length; at += size) {
      all.push(subsetErrors(core, pool, order.subarray(at, at + size)));
      await breathe();
    }
    return all;
  });

function subsetErrors(
  core: Parameters<typeof choleskyWithJitter>[0],
  pool: Pool,
  picked: Int32Array,
): SubsetErrors {
  const { kernel, y, m, outputs, ridge } = pool;
  const n = picked.length;
  return core.heap.scope((scope) => {
    const system = new Float64Array(n * n);
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++)
        system[i * n + j] = kernel[picked[i]! * m + picked[j]!]! + (i === j ? ridge : 0);
    const factor = scope.put(system);
    choleskyWithJitter(core, factor, n);
    const targets = new Float64Array(n * outputs);
    for (let i = 0; i < n; i++)
      targets.set(y.subarray(picked[i]! * outputs, (picked[i]! + 1) * outputs), i * outputs);
    const dual = scope.put(targets);
    choleskySolve(core, factor, dual, [n, outputs]);
    const a = core.heap.read(dual);
    const unit = new Float64Array(n * n);
    for (let i = 0; i < n; i++) unit[i * (n + 1)] = 1;
    const inverse = scope.put(unit);
    solveTriangular(core, factor, inverse, [n, n]); // L^-1: its columns' squares are the diagonal of R
    const root = core.heap.read(inverse);
    const diagonal = new Float64Array(n);
    for (let k = 0; k < n; k++)
      for (let i = 0; i <= k; i++) diagonal[i]! += root[k * n + i]! * root[k * n + i]!;
    const errors = new Float64Array(n);
    let [size, trace] = [0, 0];
    for (let i = 0; i < n; i++) {
      for (let o = 0; o < outputs; o++) {
        const value = a[i * outputs + o]!;
        errors[i]! += (value / diagonal[i]!) ** 2;
        size += value * value;
      }
      trace += diagonal[i]!;
    }
    return {
      leaveOneOut: mean(errors),
      spread: standardDeviation(errors),
      gcv: (n * size) / (trace * trace),
      test: restError(pool, picked, a),
    };
  });
}

/** Mean error on the samples that were not picked. */
function restError({ kernel, y, m, outputs }: Pool, picked: Int32Array, a: Float64Array): number | null {
  const taken = new Set(picked);
  if (taken.size === m) return null;
  let sum = 0;
  const f = new Float64Array(outputs);
  for (let r = 0; r < m; r++) {
    if (taken.has(r)) continue;
    f.fill(0);
    for (let i = 0; i < picked.length; i++) {
      const value = kernel[r * m + picked[i]!]!;
      for (let o = 0; o < outputs; o++) f[o]! += value * a[i * outputs + o]!;
    }
    for (let o = 0; o < outputs; o++) sum += (f[o]! - y[r * outputs + o]!) ** 2;
  }
  return sum / (m - taken.size);
}
