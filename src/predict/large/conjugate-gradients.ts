// Preconditioned conjugate gradients for several right-hand sides at once: each has its own recurrence, but the kernel is
// computed once per iteration for all of them. Golub & Van Loan, "Matrix Computations", 11.5.
import { log } from '../../math/elementary.js';
import { NumericalError, type RunOptions } from '../../wasm/engine.js';

/** A linear map of blocks (n, r). */
export type BlockMap = (b: Float64Array, r: number) => Promise<Float64Array>;

/** Where a solve stands after an iteration: what it takes to go on with the same bits. */
export interface CgState {
  readonly x: Float64Array;
  readonly iterations: number;
  readonly before: number;
  readonly rough: boolean;
  readonly goals: Float64Array;
  readonly inner: Inner;
}

/** The recurrence of the columns that are not there yet. */
interface Inner {
  readonly active: readonly number[];
  readonly residual: Float64Array;
  readonly direction: Float64Array;
  readonly rz: Float64Array;
  readonly iteration: number;
}

/** A place that outlives the process, for the state of a solve. */
export interface CgCheckpoint {
  /** null: there is none. */
  load(): Promise<CgState | null>;
  /** Keeps a state in place of the one before, after every iteration. */
  keep(state: CgState): Promise<void>;
}

export interface CgOptions extends RunOptions {
  readonly checkpoint?: CgCheckpoint | undefined;
  /** A cheaper `multiply` of about seven digits, for the iterations; residuals are then taken anew every four digits. */
  readonly rough?: BlockMap | null;
  /** Of the true residual |b - A x| / |b| of every column. */
  readonly tolerance: number;
  readonly maxIterations: number;
  /** From 0 to 1: the digits of the slowest column that are there; and its relative residual. */
  readonly onProgress?: ((share: number, residual: number) => void) | undefined;
}

export interface CgResult {
  readonly x: Float64Array;
  readonly iterations: number;
  /** The largest true residual, computed anew at the end. */
  readonly residual: number;
}

/**
 * X with A X = B for B (n, r). Columns that converged leave the block. The residual of the recurrence drifts from the
 * true one, so that is computed at the end, and the rest is solved again if it is too large (iterative refinement).
 * NumericalError with the residual reached when iterations run out or rounding stops progress.
 */
export async function conjugateGradients(
  multiply: BlockMap,
  precondition: BlockMap,
  b: Float64Array,
  [n, r]: readonly [number, number],
  options: CgOptions,
): Promise<CgResult> {
  const { tolerance, maxIterations } = options;
  const norms = columnNorms(b, n, r);
  let from = checked((await options.checkpoint?.load()) ?? null, [n, r]);
  const x = from ? from.x.slice() : new Float64Array(n * r);
  let rest = b.slice();
  let rough = from?.rough === false ? null : (options.rough ?? null);
  let [iterations, before] = [from?.iterations ?? 0, from?.before ?? Infinity];
  for (;;) {
    // Half of the tolerance for the drift.
    const now = columnNorms(rest, n, r);
    const goals =
      from?.goals ?? norms.map((norm, c) => Math.max((tolerance / 2) * norm, rough ? DIGITS * now[c]! : 0));
    const state = { x, iterations, before, rough: rough !== null, goals };
    const used = await descend(rough ?? multiply, precondition, x, {
      rest,
      wanted: { norms, goals },
      sizes: [n, r],
      options: {
        ...options,
        maxIterations: maxIterations - iterations,
        from: from?.inner ?? null,
        keep: async (inner) => options.checkpoint?.keep({ ...state, inner }),
      },
    });
    from = null;
    iterations += used;
    const product = await multiply(x, r);
    rest = b.map((value, i) => value - product[i]!);
    const residual = columnNorms(rest, n, r).reduce(
      (most, value, c) => Math.max(most, norms[c]! > 0 ? value / norms[c]! : 0),
      0,
    );
    if (residual <= tolerance) return { x, iterations, residual };
    if (rough && residual > before / 2 && iterations < maxIterations) {
      rough = null; // too rough for this matrix
      continue;
    }
    if (iterations >= maxIterations || used === 0 || residual > before / 2) {
      throw new NumericalError(
        `predict: conjugate gradients reached the residual ${residual.toExponential(2)} in ${iterations} iterations, ${tolerance} is wanted. Raise diagReg, rank or tolerance, or use solver 'tiled'.`,
        { step: iterations },
      );
    }
    before = residual;
  }
}

const DIGITS = 1e-4; // of the residual that iterations with the rough map may gain before it is taken anew

interface Goals {
  /** Of the right-hand sides, and the residuals wanted. */
  readonly norms: Float64Array;
  readonly goals: Float64Array;
}

/** Improves X until the recurrence says so; returns the iterations. `rest` is B - A X. */
async function descend(
  multiply: BlockMap,
  precondition: BlockMap,
  x: Float64Array,
  {
    rest,
    wanted: { norms, goals },
    sizes: [n, r],
    options: { tolerance, maxIterations, onProgress, signal, from, keep },
  }: {
    readonly rest: Float64Array;
    readonly wanted: Goals;
    readonly sizes: readonly [number, number];
    readonly options: CgOptions & Following;
  },
): Promise<number> {
  const begun =
    from ?? (await begin(precondition, rest, openColumns(rest, { norms, goals }, n, r).open, [n, r]));
  let active = begun.active;
  if (active.length === 0) return 0;
  let residual: Float64Array = begun.residual.slice();
  let direction: Float64Array = begun.direction.slice();
  let rz = begun.rz;
  for (let iteration = begun.iteration + 1; iteration <= maxIterations; iteration++) {
    signal?.throwIfAborted();
    const k = active.length;
    const image = await multiply(direction, k);
    const curvature = columnDots(direction, image, n, k);
    const alpha = rz.map((value, c) => (curvature[c]! > 0 ? value / curvature[c]! : 0));
    for (let i = 0; i < n; i++) {
      for (let c = 0; c < k; c++) {
        x[i * r + active[c]!]! += alpha[c]! * direction[i * k + c]!;
        residual[i * k + c]! -= alpha[c]! * image[i * k + c]!;
      }
    }
    const own = [norms, goals].map((list) => Float64Array.from(active, (c) => list[c]!));
    const { open, worst } = openColumns(residual, { norms: own[0]!, goals: own[1]! }, n, k);
    onProgress?.(Math.min(1, log(Math.min(worst, 1)) / log(tolerance / 2)), worst);
    const stuck = alpha.every((value) => value === 0);
    if (open.length === 0 || stuck) return iteration;
    if (open.length < k) {
      residual = columns(residual, k, open, n);
      direction = columns(direction, k, open, n);
      rz = Float64Array.from(open, (c) => rz[c]!);
      active = open.map((c) => active[c]!);
    }
    const width = active.length;
    const preconditioned = await precondition(residual, width);
    const next = columnDots(residual, preconditioned, n, width);
    for (let i = 0; i < n; i++)
      for (let c = 0; c < width; c++)
        direction[i * width + c] =
          preconditioned[i * width + c]! + (rz[c]! > 0 ? next[c]! / rz[c]! : 0) * direction[i * width + c]!;
    rz = next;
    await keep({ active, residual, direction, rz, iteration });
  }
  return maxIterations;
}

interface Following {
  readonly from: Inner | null;
  keep(inner: Inner): Promise<void>;
}

/** The first direction. */
async function begin(
  precondition: BlockMap,
  rest: Float64Array,
  active: readonly number[],
  [n, r]: readonly [number, number],
): Promise<Inner> {
  const residual = columns(rest, r, active, n);
  const direction = active.length > 0 ? await precondition(residual, active.length) : residual;
  return { active, residual, direction, rz: columnDots(residual, direction, n, active.length), iteration: 0 };
}

/** RangeError where a state is of a system of another size. */
function checked(state: CgState | null, [n, r]: readonly [number, number]): CgState | null {
  if (!state) return null;
  const { x, goals, inner } = state;
  const k = inner.active.length;
  const fits = x.length === n * r && goals.length === r && inner.rz.length === k;
  if (fits && inner.residual.length === n * k && inner.direction.length === n * k) return state;
  throw new RangeError(
    `predict: the checkpoint of the solve is of another system, ${x.length} numbers, expected ${n * r}. Delete it to start again.`,
  );
}

/** The columns above their goals, and the largest relative residual. */
function openColumns(
  rest: Float64Array,
  { norms, goals }: Goals,
  n: number,
  r: number,
): { open: number[]; worst: number } {
  const open: number[] = [];
  let worst = 0;
  columnNorms(rest, n, r).forEach((value, c) => {
    worst = Math.max(worst, norms[c]! > 0 ? value / norms[c]! : 0);
    if (value > goals[c]!) open.push(c);
  });
  return { open, worst };
}

function columns(data: Float64Array, r: number, list: readonly number[], n: number): Float64Array {
  const out = new Float64Array(n * list.length);
  for (let i = 0; i < n; i++) list.forEach((column, c) => (out[i * list.length + c] = data[i * r + column]!));
  return out;
}

function columnDots(a: Float64Array, b: Float64Array, n: number, r: number): Float64Array {
  const out = new Float64Array(r);
  for (let i = 0; i < n; i++) for (let c = 0; c < r; c++) out[c]! += a[i * r + c]! * b[i * r + c]!;
  return out;
}

const columnNorms = (a: Float64Array, n: number, r: number): Float64Array =>
  columnDots(a, a, n, r).map(Math.sqrt);
