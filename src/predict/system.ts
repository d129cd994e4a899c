// The train-train system M = sym(K) + rho I, scaled by a power of two so that its diagonal is near 1: any scale of
// kernels from 1e-300 to 1e300 gives the same digits. Factor and spectrum are computed once, when first needed.
import { powerOfTwo } from '../math/power-of-two.js';
import { NumericalError, type Engine, type Fields, type RunOptions } from '../wasm/engine.js';
import { dense, exactBytes, pseudo, type Factored } from './factored.js';
import { placeMatrix, tiledFactor } from './large/tiled.js';
import {
  eigen,
  factorExactly,
  factorise,
  LOST,
  notDefinite,
  product,
  relativeGap,
  type Eigen,
  type Factor,
} from './linear.js';

/** Noise on the diagonal of the train kernel. */
export interface Regularisation {
  /** Added to the diagonal of the train-train kernel; see `diagRegScale`. Default 0. */
  readonly diagReg?: number;
  /** `relative` (default): diagReg times the mean of the diagonal is added; `absolute`: diagReg itself. */
  readonly diagRegScale?: 'relative' | 'absolute';
}

export const REGULARISATION: Fields<Regularisation> = { diagReg: true, diagRegScale: true };

/** What was done to the train-train kernel, and what was found. Part of every result. */
export interface Diagnostics {
  readonly diagReg: number;
  readonly diagRegScale: 'relative' | 'absolute';
  /** The number that diagReg added to every diagonal entry. */
  readonly added: number;
  /** What had to be added beyond it so that Cholesky succeeded; 0 in most cases. */
  readonly jitter: number;
  readonly method: 'cholesky' | 'eigen' | 'tiled' | 'cg' | 'nystrom' | 'features' | 'none';
  /** Cholesky paths: a lower bound of the condition number of the matrix that was factorised. */
  readonly condition?: number;
  /** Eigen path: extreme eigenvalues of the regularised kernel (raw, before clamping at 0). */
  readonly minEigenvalue?: number;
  readonly maxEigenvalue?: number;
  /** Eigen path: modes at or below the cut-off, which count as 0 and were left out (pseudo-inverse). */
  readonly droppedModes?: number;
  /**
   * |y - M w| / |y| of the dual coefficients w; of a singular kernel the share of the targets that it cannot fit. `nystrom`, `features`: estimated on
   * 256 rows; an upper bound of the relative change of the predictions of the train set, often far above it.
   */
  readonly residual?: number;
  /** `nystrom`, `features`: standard error of `residual`. */
  readonly residualError?: number;
  /** `cg`: the mean differs from the exact one by at most this times the prior deviation of the test point. */
  readonly errorBound?: number;
  /** `cg`: the most iterations any right-hand side took. */
  readonly iterations?: number;
  /** `nystrom`, `features`: |K - approximation| / |K| (Frobenius) estimated on 256 rows, and its standard error. */
  readonly kernelGap?: number;
  readonly kernelGapError?: number;
  /** Features, or pivots of the low-rank factor (`cg`: of the preconditioner) and the share of the trace it leaves out. */
  readonly rank?: number;
  readonly traceResidual?: number;
  /** Solvers that do not hold the kernel: bytes announced before the work began. */
  readonly bytes?: number;
}

/** Checks the options and says what they add to a kernel with this mean of its diagonal. */
export function regularise(
  name: string,
  { diagReg = 0, diagRegScale = 'relative' }: Regularisation,
  meanDiagonal: number,
): Diagnostics {
  if (typeof diagReg !== 'number' || !(diagReg >= 0) || diagReg === Infinity)
    throw new RangeError(`${name}: diagReg must be >= 0 and finite, got ${String(diagReg)}`);
  if (diagRegScale !== 'relative' && diagRegScale !== 'absolute')
    throw new RangeError(
      `${name}: diagRegScale must be 'relative' or 'absolute', got ${String(diagRegScale)}`,
    );
  const added = diagRegScale === 'relative' ? diagReg * meanDiagonal : diagReg;
  return { diagReg, diagRegScale, added, jitter: 0, method: 'none' };
}

/** Jitter of the tiled path, in units of the diagonal, beyond which it is not raised. */
const MOST_JITTER = 1e-9;

export class TrainSystem {
  readonly size: number;
  /** True kernel = scale * stored kernel. */
  readonly scale: number;
  /** Regularised and scaled. */
  readonly matrix: Float64Array;
  readonly base: Diagnostics;
  readonly #engine: Engine;
  #factor: Promise<Factor> | null = null;
  #eigen: Promise<Eigen> | null = null;
  #factored: Promise<Factored> | null = null;

  constructor(engine: Engine, name: string, kernel: Float64Array, size: number, options: Regularisation) {
    this.#engine = engine;
    this.size = size;
    const { scale, meanDiagonal } = measure(name, kernel, size);
    this.scale = scale;
    this.base = regularise(name, options, meanDiagonal * scale);
    this.matrix = symmetric(name, kernel, size, scale);
    for (let i = 0; i < size; i++) this.matrix[i * size + i]! += this.added;
  }

  /** diagReg in the units of the stored kernel. */
  get added(): number {
    return this.base.added / this.scale;
  }

  factor(run: RunOptions = {}): Promise<Factor> {
    this.#factor ??= factorise(this.#engine, this.matrix, this.size, run);
    this.#factor.catch(() => (this.#factor = null)); // an aborted computation may be asked for again
    return this.#factor;
  }

  /**
   * The factor where it fits: in one piece, or in tiles beyond the memory budget of the engine. A matrix that has none
   * without jitter is singular and has its pseudo-inverse instead, the limit of a vanishing noise.
   */
  factored(run: RunOptions = {}): Promise<Factored> {
    this.#factored ??= this.#inPieces ? this.#inTiles(0, run) : this.#exact(run);
    this.#factored.catch(() => (this.#factored = null));
    return this.#factored;
  }

  /** Whether the noise alone keeps the matrix from being singular. */
  get isRegular(): boolean {
    return this.added > 1e-12;
  }

  /**
   * M w = right for (size, columns), and its residual. Where that shows that the factor has lost the answer, the system goes
   * over to the pseudo-inverse (in tiles: to more jitter), for everything that is asked of it from then on.
   */
  async solve(
    right: Float64Array,
    columns: number,
    run: RunOptions = {},
  ): Promise<{ weights: Float64Array; residual: number; factored: Factored }> {
    for (;;) {
      const factored = await this.factored(run);
      const weights = await factored.solve(right, columns, run);
      const image = await product(this.#engine, this.matrix, weights, [this.size, columns, this.size], run);
      if (factored.jitter > 0)
        image.forEach((value, i) => (image[i] = value + factored.jitter * weights[i]!));
      const residual = relativeGap(right, image);
      const { method, jitter } = factored;
      if (residual <= LOST || method === 'eigen' || jitter > MOST_JITTER)
        return { weights, residual, factored };
      this.#factored = this.#inPieces
        ? this.#inTiles(512 * Math.max(jitter, 2 ** -48), run)
        : this.#singular(run);
    }
  }

  get #inPieces(): boolean {
    return exactBytes(this.size) > this.#engine.memoryBytes;
  }

  #inTiles(least: number, run: RunOptions): Promise<Factored> {
    return tiledFactor(this.#engine, this.size, (tiles) => placeMatrix(tiles, this.matrix), {
      ...run,
      least,
    });
  }

  async #exact(run: RunOptions): Promise<Factored> {
    const factor = await factorExactly(this.#engine, this.matrix, this.size, run);
    return factor ? dense(this.#engine, factor) : this.#singular(run);
  }

  /** NumericalError for a matrix that is not even positive semidefinite. */
  async #singular(run: RunOptions): Promise<Factored> {
    const found = await this.spectrum(run);
    const [low, high] = [found.values[0]!, found.values[this.size - 1]!];
    let mean = 0;
    for (let i = 0; i < this.size; i++) mean += this.matrix[i * this.size + i]! / this.size;
    if (low < -1e-7 * mean) throw notDefinite(mean, [low, high], 0);
    return pseudo(this.#engine, found, await this.cutoff(run));
  }

  spectrum(run: RunOptions = {}): Promise<Eigen> {
    this.#eigen ??= eigen(this.#engine, this.matrix, this.size, run);
    this.#eigen.catch(() => (this.#eigen = null));
    return this.#eigen;
  }

  /** Eigenvalues at or below this are rounding noise: n eps lambda_max. */
  async cutoff(run: RunOptions = {}): Promise<number> {
    const { values } = await this.spectrum(run);
    return Math.max(0, values[values.length - 1]!) * this.size * 2 ** -52;
  }

  /** What is known of the factor and of a solve with it. */
  async solved(residual: number): Promise<Diagnostics> {
    const { method, jitter, condition, left } = await this.factored();
    if (method === 'eigen') return { ...(await this.diagnostics(method, left!.modes)), residual };
    return { ...this.base, method, jitter: jitter * this.scale, condition, residual };
  }

  async diagnostics(method: 'eigen' | 'none', dropped = 0): Promise<Diagnostics> {
    if (method === 'none') return this.base;
    const { values } = await this.spectrum();
    return {
      ...this.base,
      method,
      minEigenvalue: values[0]! * this.scale,
      maxEigenvalue: Math.min(values[values.length - 1]! * this.scale, Number.MAX_VALUE),
      droppedModes: dropped,
    };
  }
}

function measure(name: string, kernel: Float64Array, size: number): { scale: number; meanDiagonal: number } {
  let top = 0;
  for (let i = 0; i < size; i++) {
    const value = kernel[i * size + i]!;
    if (value < 0)
      throw new NumericalError(`${name}: diagonal entry ${i} of the kernel is ${value}, it must be >= 0`);
    top = Math.max(top, value);
  }
  if (top === 0) return { scale: 1, meanDiagonal: 0 };
  const scale = powerOfTwo(top);
  let sum = 0;
  for (let i = 0; i < size; i++) sum += kernel[i * size + i]! / scale;
  return { scale, meanDiagonal: sum / size };
}

/** (K + K')/2 / scale; RangeError when the halves differ by more than rounding. */
function symmetric(name: string, kernel: Float64Array, size: number, scale: number): Float64Array {
  const out = new Float64Array(kernel.length);
  let top = 0;
  let gap = 0;
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      const a = kernel[i * size + j]! / scale;
      const b = kernel[j * size + i]! / scale;
      top = Math.max(top, Math.abs(a));
      gap = Math.max(gap, Math.abs(a - b));
      out[i * size + j] = out[j * size + i] = (a + b) / 2;
    }
  }
  if (gap > 1e-4 * top) {
    throw new RangeError(
      `${name}: the train-train kernel must be symmetric; entries (i, j) and (j, i) differ by up to ${(gap * scale).toPrecision(3)}. Was it computed with x2 = null?`,
    );
  }
  return out;
}
