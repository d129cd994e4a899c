// Covariances of trained ensembles at many times, in the eigenbasis of the train system.
import type { Tensor, TensorLike } from '../math/tensor.js';
import type { Engine, RunOptions } from '../wasm/engine.js';
import { finishCovariance, finishVariance, priorVariance } from './covariance.js';
import { testKernelMatrix, zipped, type Layout } from './layout.js';
import { product, rowDots } from './linear.js';
import type { Dynamics, SpectralFactors } from './spectral.js';
import type { TrainSystem } from './system.js';

export interface EnsembleModel {
  readonly engine: Engine;
  readonly layout: Layout;
  readonly samples: number;
  readonly method: 'ntk' | 'nngp';
  readonly system: TrainSystem;
  readonly targets: Float64Array;
  readonly dynamics: Dynamics;
  /** NNGP train-train over the scale of the system; null when not given. */
  readonly nngp: Float64Array | null;
}

export interface SpreadParts {
  readonly test: boolean;
  /** (rows, n): the points in the eigenbasis. */
  readonly basis: Float64Array;
  readonly rows: number;
  readonly samples: number;
  /** V' K_dd V, for method ntk. */
  readonly core: Float64Array | null;
  /** Test-test kernel. */
  readonly prior: TensorLike | null;
  /** K_td V, for method ntk on test points. */
  readonly crossBasis: Float64Array | null;
}

const ENTRIES = 2 ** 22; // of the points at several times that go through one product

/**
 * The covariance at every time, in the units of the kernel. Method nngp: diagonal in the eigenbasis, so the variances of
 * all times are one product. Method ntk: rows n^2 operations per time, because K_dd is not diagonal in that basis.
 */
export async function spreads(
  model: EnsembleModel,
  parts: SpreadParts,
  list: readonly SpectralFactors[],
  wants: 'full' | 'diagonal',
  run: RunOptions,
): Promise<Tensor[]> {
  const { engine, layout, system, method } = model;
  const { basis, rows, test } = parts;
  const n = layout.rows;
  if (method === 'nngp') {
    const { values } = await system.spectrum(run);
    const weights = list.map(({ g, residual }) =>
      test
        ? g.map((value, j) => -value * (1 + residual[j]!))
        : values.map((value, j) => Math.max(value, 0) * residual[j]! ** 2),
    );
    if (wants === 'full')
      return inOrder(weights, async (weight) =>
        finish(model, parts, scaleColumns(basis, weight), basis, run),
      );
    const side = new Float64Array(n * list.length);
    weights.forEach((weight, k) => weight.forEach((value, j) => (side[j * list.length + k] = value)));
    const squares = basis.map((value) => value * value);
    const change = await product(engine, squares, side, [rows, list.length, n], run);
    return weights.map((_, k) =>
      variance(
        model,
        parts,
        Float64Array.from({ length: rows }, (_v, i) => change[i * list.length + k]!),
      ),
    );
  }
  const out: Tensor[] = [];
  const step = Math.max(1, Math.floor(ENTRIES / (rows * n)));
  for (let from = 0; from < list.length; from += step) {
    const now = list.slice(from, from + step);
    const right = new Float64Array(now.length * rows * n);
    now.forEach(({ g, residual }, k) => right.set(scaleColumns(basis, test ? g : residual), k * rows * n));
    const left = await product(engine, right, parts.core!, [now.length * rows, n, n], run);
    const { crossBasis } = parts;
    if (crossBasis) for (let i = 0; i < left.length; i++) left[i]! -= 2 * crossBasis[i % crossBasis.length]!;
    const cut = (data: Float64Array, k: number): Float64Array =>
      data.subarray(k * rows * n, (k + 1) * rows * n);
    if (wants === 'full')
      out.push(
        ...(await inOrder([...now.keys()], (k) => finish(model, parts, cut(left, k), cut(right, k), run))),
      );
    else
      for (const k of now.keys())
        out.push(variance(model, parts, rowDots(cut(left, k), cut(right, k), rows, n)));
  }
  return out;
}

async function inOrder<T, R>(list: readonly T[], make: (item: T) => Promise<R>): Promise<R[]> {
  const out: R[] = [];
  for (const item of list) out.push(await make(item));
  return out;
}

/** Each row of a (rows, n) matrix times `weight`, entry by entry. */
function scaleColumns(matrix: Float64Array, weight: Float64Array): Float64Array {
  const n = weight.length;
  const out = new Float64Array(matrix.length);
  for (let from = 0; from < matrix.length; from += n)
    for (let j = 0; j < n; j++) out[from + j] = matrix[from + j]! * weight[j]!;
  return out;
}

/** Prior (test points) plus scale * change, per point. */
function variance(
  { layout, system }: EnsembleModel,
  { prior, samples }: SpreadParts,
  change: Float64Array,
): Tensor {
  const before = prior ? priorVariance(layout, prior, samples) : null;
  const data = change.map((value, i) => system.scale * value + (before ? before[i]! : 0));
  const shape = layout.rowAxes.map((axis, i) => (i === 0 ? samples : layout.yShape[axis]!));
  return { data: finishVariance(data, null, 1, before ?? data), shape };
}

/** Prior plus scale * left right', once symmetrised. */
async function finish(
  { engine, layout, system }: EnsembleModel,
  { prior, rows, samples }: SpreadParts,
  left: Float64Array,
  right: Float64Array,
  run: RunOptions,
): Promise<Tensor> {
  const name = 'gradientDescentMseEnsemble';
  const data = await product(engine, left, right, [rows, rows, layout.rows], { transB: true, ...run });
  const before = prior ? testKernelMatrix(layout, prior, `${name}: nngpTestTest`, samples) : null;
  for (let i = 0; i < data.length; i++) data[i] = system.scale * data[i]! + (before ? before[i]! : 0);
  return zipped(layout, finishCovariance(name, data, before ?? data, rows), samples);
}
