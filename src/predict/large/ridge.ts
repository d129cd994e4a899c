// Regression with a kernel F F' of few columns, and how far it is from that with the true kernel.
import type { RunOptions } from '../../wasm/engine.js';
import { factorise, LOST, product, relativeGap, solve, type Factor } from '../linear.js';
import { down, inner, pick, up, type Columns } from './low-rank.js';
import type { NetSystem } from './net-system.js';
import type { Targets } from './regressor.js';

/** Of the mean diagonal: jitter beyond which a solve is taken as it is. */
const MOST_JITTER = 1e-9;
const PROBES = 256; // rows on which errors are estimated

interface Ridge {
  /** Of A = F'F + rho I. */
  readonly small: Factor;
  /** A^-1 F'y, (rank, outputs). */
  readonly coefficients: Float64Array;
}

/** Least squares on the columns, with the noise of the system as ridge: n rank^2 operations. */
export async function ridge(
  system: NetSystem,
  factor: Columns,
  { y, outputs }: Targets,
  run: RunOptions,
): Promise<Ridge> {
  const { engine, added } = system;
  const matrix = await inner(system, factor, added, run);
  const right = await down(system, factor, y, outputs, run);
  const { rank } = factor;
  for (let least = 0; ;) {
    const small = await factorise(engine, matrix, rank, { ...run, least });
    const coefficients = await solve(engine, small, right, outputs, run);
    const image = await product(engine, matrix, coefficients, [rank, outputs, rank], run);
    image.forEach((value, i) => (image[i] = value + small.jitter * coefficients[i]!));
    if (relativeGap(right, image) <= LOST || small.jitter > MOST_JITTER * small.mean)
      return { small, coefficients };
    least = 64 * Math.max(small.jitter, 2 ** -50 * small.mean);
  }
}

/** What some rows of the true kernel say about F F'. */
interface Found {
  readonly kernelGap: number;
  readonly kernelGapError: number;
  readonly residual?: number;
  readonly residualError?: number;
}

/**
 * |F F' - K| / |K| (Frobenius) and, where noise is added, |y - M w| / |y| for w = (y - F c) / rho, from evenly spaced
 * rows of the true kernel, with their standard errors.
 */
export async function probe(
  system: NetSystem,
  factor: Columns,
  { y, outputs }: Targets,
  coefficients: Float64Array,
  run: RunOptions,
): Promise<Found> {
  const { engine, size: n, added } = system;
  const count = Math.min(PROBES, n);
  const rows = Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) * n) / count));
  const cross = (await system.cross(system.samples(rows), run))[system.name];
  const near = new Float64Array(cross.length);
  for (const block of factor.blocks) {
    const sizes = [count, n, block.width] as const;
    const part = await product(engine, pick(block, rows), block.data, sizes, { transB: true, ...run });
    for (let i = 0; i < near.length; i++) near[i]! += part[i]!;
  }
  const gap = near.map((value, i) => value - cross[i]!);
  const kernel = ratioOf(squares(gap, n), squares(cross, n));
  const found = { kernelGap: kernel.ratio, kernelGapError: kernel.error };
  if (!(added > 0)) return found;
  const fit = await up(system, factor, coefficients, outputs, run);
  const dual = y.map((value, i) => (value - fit[i]!) / added);
  const image = await product(engine, cross, dual, [count, outputs, n], run);
  const left = Float64Array.from(image, (value, i) => {
    const row = rows[Math.floor(i / outputs)]!;
    return fit[row * outputs + (i % outputs)]! - value;
  });
  const size = y.reduce((sum, value) => sum + value * value, 0) / n;
  const { ratio, error } = ratioOf(squares(left, outputs), new Float64Array(count).fill(size));
  return { ...found, residual: ratio, residualError: error };
}

/** The sum of squares of every row. */
function squares(data: Float64Array, columns: number): Float64Array {
  const out = new Float64Array(data.length / columns);
  data.forEach((value, i) => (out[Math.floor(i / columns)]! += value * value));
  return out;
}

/** sqrt(sum a / sum b) over sampled rows, and its standard error as a ratio estimator; 0 when b is. */
function ratioOf(a: Float64Array, b: Float64Array): { ratio: number; error: number } {
  const mean = (list: Float64Array): number => list.reduce((sum, value) => sum + value / list.length, 0);
  const below = mean(b) || 1;
  const square = mean(a) / below;
  const spread = mean(a.map((value, i) => (value - square * b[i]!) ** 2)) / Math.max(1, a.length - 1);
  const ratio = Math.sqrt(square);
  return { ratio, error: ratio > 0 ? Math.sqrt(spread) / (2 * ratio * below) : 0 };
}
