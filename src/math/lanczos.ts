// Lanczos iteration with full reorthogonalisation: extreme eigenvalues of a symmetric matrix, and functions of it times a
// vector, from products with vectors alone. Golub & Van Loan, "Matrix Computations", ch. 10.
import { knownFields, NumericalError, type Core, type Fields, type Ticket } from '../wasm/engine.js';
import { eighInPlace } from './eigh.js';
import { symv } from './matmul.js';
import { randomKey, uniformAt } from './random.js';

type Vector = Float64Array<ArrayBuffer>;

/** An orthonormal basis of a Krylov space and the tridiagonal matrix of A in it. */
export interface Krylov {
  readonly basis: Vector[];
  readonly diagonal: number[];
  /** One more than needed: the last is the norm of what the space does not hold yet. */
  readonly offDiagonal: number[];
}

/** Begins at `start` (not zero); multiply A with `basis[0]` and give the product to `extend`. */
export function startKrylov(start: Float64Array): Krylov {
  const norm = Math.sqrt(dot(start, start));
  if (!(norm > 0) || !Number.isFinite(norm)) {
    throw new NumericalError(`lanczos: the start vector must be finite and not zero, its norm is ${norm}.`);
  }
  return { basis: [start.map((x) => x / norm)], diagonal: [], offDiagonal: [] };
}

/** Takes `product` = A basis.at(-1) (overwritten). False when the space is invariant and cannot grow. */
export function extendKrylov({ basis, diagonal, offDiagonal }: Krylov, product: Float64Array): boolean {
  const w = product;
  const alpha = dot(w, basis.at(-1)!);
  // Twice is enough (Kahan, Parlett): once leaves components of size eps times what cancelled.
  for (let pass = 0; pass < 2; pass++) for (const q of basis) subtract(w, dot(w, q), q);
  const beta = Math.sqrt(dot(w, w));
  if (!Number.isFinite(alpha) || !Number.isFinite(beta)) {
    throw new NumericalError('lanczos: the product with the matrix is not finite.');
  }
  diagonal.push(alpha);
  offDiagonal.push(beta);
  let scale = 0;
  for (let i = 0; i < diagonal.length; i++)
    scale = Math.max(scale, Math.abs(diagonal[i]!), i > 0 ? offDiagonal[i - 1]! : 0);
  if (basis.length === w.length || !(beta > 1e-14 * scale)) return false;
  basis.push(w.map((x) => x / beta) as Vector);
  return true;
}

function dot(a: Float64Array, b: Float64Array): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  const whole = a.length - (a.length % 4);
  for (let i = 0; i < whole; i += 4) {
    s0 += a[i]! * b[i]!;
    s1 += a[i + 1]! * b[i + 1]!;
    s2 += a[i + 2]! * b[i + 2]!;
    s3 += a[i + 3]! * b[i + 3]!;
  }
  for (let i = whole; i < a.length; i++) s0 += a[i]! * b[i]!;
  return s0 + s1 + (s2 + s3);
}
function subtract(w: Float64Array, factor: number, q: Float64Array): void {
  for (let i = 0; i < w.length; i++) w[i]! -= factor * q[i]!;
}

/** The smallest and the largest eigenvalue of the tridiagonal matrix, by bisection with Sturm counts. */
export function ritzRange({ diagonal, offDiagonal }: Krylov): readonly [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (let i = 0; i < diagonal.length; i++) {
    const radius = (i > 0 ? offDiagonal[i - 1]! : 0) + (i + 1 < diagonal.length ? offDiagonal[i]! : 0);
    low = Math.min(low, diagonal[i]! - radius);
    high = Math.max(high, diagonal[i]! + radius);
  }
  const below = (x: number): number => {
    let count = 0;
    let q = 1;
    for (let i = 0; i < diagonal.length; i++) {
      q = diagonal[i]! - x - (i > 0 ? offDiagonal[i - 1]! ** 2 / (q || Number.MIN_VALUE) : 0);
      if (q < 0) count++;
    }
    return count;
  };
  const find = (enough: (x: number) => boolean): number => {
    let [a, b] = [low, high];
    for (let step = 0; step < 200; step++) {
      const middle = a + (b - a) / 2;
      if (middle <= a || middle >= b) break;
      if (enough(middle)) b = middle;
      else a = middle;
    }
    return b;
  };
  return [find((x) => below(x) >= 1), find((x) => below(x) >= diagonal.length)];
}

export interface LanczosOptions {
  /** Relative change between steps that counts as converged, twice in a row; default 1e-10. */
  readonly tolerance?: number;
  /** Default min(n, 300). */
  readonly maxSteps?: number;
}

/** @internal */
export const LANCZOS: Fields<LanczosOptions> = { tolerance: true, maxSteps: true };

/**
 * The extreme eigenvalues of a symmetric n x n matrix known by its products: `multiply(x)` returns A x, now or later, and
 * may keep neither x nor the result. Both are inner bounds (of a random Krylov space); the largest of a kernel matrix is
 * accurate to `tolerance`, the smallest of an ill-conditioned one is an upper bound. n vectors per step are kept.
 */
export async function extremeEigenvalues(
  multiply: (x: Float64Array<ArrayBuffer>) => Float64Array | Promise<Float64Array>,
  n: number,
  options: LanczosOptions = {},
): Promise<{ readonly smallest: number; readonly largest: number; readonly steps: number }> {
  knownFields('extremeEigenvalues', options, LANCZOS);
  const watch = watcher(n, options);
  for (;;) {
    const product = Float64Array.from(await multiply(watch.krylov.basis.at(-1)!));
    const done = watch.step(product);
    if (done) return done;
  }
}

/** The same for a matrix in wasm memory (lower triangle read), synchronously. */
export function extremeEigenvaluesOf(
  core: Core,
  a: Ticket<'f64'>,
  n: number,
  options: LanczosOptions & { readonly lda?: number } = {},
): { readonly smallest: number; readonly largest: number; readonly steps: number } {
  const watch = watcher(n, options);
  return core.heap.scope((scope) => {
    const x = scope.alloc('f64', n);
    const y = scope.alloc('f64', n);
    for (;;) {
      core.heap.write(x, watch.krylov.basis.at(-1)!);
      symv(core, a, x, y, { n, lda: options.lda ?? n });
      const done = watch.step(core.heap.read(y));
      if (done) return done;
    }
  });
}

function watcher(n: number, { tolerance = 1e-10, maxSteps = Math.min(n, 300) }: LanczosOptions) {
  if (!Number.isInteger(n) || n < 1) throw new RangeError(`lanczos: expected a size n >= 1, got ${n}.`);
  const key = randomKey(n);
  const krylov = startKrylov(Float64Array.from({ length: n }, (_, i) => uniformAt(key, i) + 0.5));
  let last = NaN;
  let calm = 0;
  return {
    krylov,
    step(product: Float64Array) {
      const more = extendKrylov(krylov, product);
      const steps = krylov.diagonal.length;
      const [smallest, largest] = ritzRange(krylov);
      const size = Math.max(Math.abs(smallest), Math.abs(largest));
      calm = Math.abs(largest - last) <= tolerance * size ? calm + 1 : 0;
      last = largest;
      return more && steps < maxSteps && calm < 2 ? null : { smallest, largest, steps };
    },
  };
}

/**
 * f(A) r for a symmetric matrix A known by its products, e.g. exp(-t A) r: cheaper than `eigh` for a few vectors. `f`
 * is applied to Ritz values, which lie inside the spectrum up to rounding. Converged when two successive checks, three
 * steps apart, change the result by less than `tolerance` |f(A) r|; NumericalError if `maxSteps` are not enough.
 */
export function applyMatrixFunction(
  core: Core,
  multiply: (x: Float64Array<ArrayBuffer>) => Float64Array,
  r: Float64Array,
  f: (eigenvalue: number) => number,
  { tolerance = 1e-10, maxSteps = Math.min(r.length, 300) }: LanczosOptions = {},
): Float64Array<ArrayBuffer> {
  const norm = Math.sqrt(dot(r, r));
  if (norm === 0) return new Float64Array(r.length);
  const krylov = startKrylov(r);
  let last: Float64Array = new Float64Array(0);
  let calm = 0;
  for (;;) {
    const more = extendKrylov(krylov, Float64Array.from(multiply(krylov.basis.at(-1)!)));
    const steps = krylov.diagonal.length;
    if (more && steps % 3 !== 0 && steps < maxSteps) continue;
    const now = firstColumn(core, krylov, f);
    let change = 0;
    for (let i = 0; i < now.length; i++) change += (now[i]! - (last[i] ?? 0)) ** 2;
    calm = change <= tolerance ** 2 * dot(now, now) ? calm + 1 : 0;
    last = now;
    if (!more || calm >= 2) break;
    if (steps >= maxSteps) {
      throw new NumericalError(
        `applyMatrixFunction: not converged after ${steps} steps. Raise maxSteps or use eigh.`,
      );
    }
  }
  const result = new Float64Array(r.length);
  for (let i = 0; i < last.length; i++) subtract(result, -norm * last[i]!, krylov.basis[i]!);
  return result;
}

/** f(T) e_1 for the tridiagonal matrix of a Krylov space. */
function firstColumn(core: Core, { diagonal, offDiagonal }: Krylov, f: (x: number) => number): Float64Array {
  const m = diagonal.length;
  const t = new Float64Array(m * m);
  for (let i = 0; i < m; i++) {
    t[i * m + i] = diagonal[i]!;
    if (i > 0) t[i * m + i - 1] = offDiagonal[i - 1]!;
  }
  const [w, v] = core.heap.scope((scope) => {
    const values = scope.alloc('f64', m);
    const vectors = scope.alloc('f64', m * m);
    const matrix = scope.put(t);
    eighInPlace(core, matrix, values, vectors, { n: m });
    return [core.heap.read(values), core.heap.read(vectors)];
  });
  const column = new Float64Array(m);
  for (let j = 0; j < m; j++) {
    const weight = v[j * m]! * f(w[j]!);
    for (let i = 0; i < m; i++) column[i]! += weight * v[j * m + i]!;
  }
  return column;
}
