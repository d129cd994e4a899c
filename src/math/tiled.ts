// Symmetric matrices larger than one wasm memory: the lower triangle as square tiles in ordinary JS memory (shared with
// the workers where the platform allows it), worked on by jobs of a few tiles each. Tile sizes depend on n alone, and
// every tile sees its updates in the same order, so results have equal bits for any number of workers.
import { machineMemory } from '../platform/machine.js';
import {
  defineJob,
  kindOf,
  knownFields,
  NumericalError,
  wholeNumber,
  type Engine,
  type Fields,
  type Job,
} from '../wasm/engine.js';
import { gemm, gram } from './matmul.js';
import { asTensor, assertFinite, type TensorLike } from './tensor.js';

/** The lower triangle of a symmetric n x n matrix. */
export interface TiledMatrix {
  readonly n: number;
  /** Rows and columns of a tile; the last row of tiles may be lower. */
  readonly tile: number;
  /**
   * Tile (i, j), j <= i, is `tiles[i (i + 1) / 2 + j]`: row-major, `heightOf(i)` x `heightOf(j)`. In a diagonal tile the
   * entries above the diagonal are not part of the matrix.
   */
  readonly tiles: readonly Float64Array[];
}

export interface TiledOptions {
  readonly signal?: AbortSignal;
  /** Called first with `done` = 0: `bytes` is what the operation will hold in JS memory and in all workers together. */
  readonly onProgress?: (progress: {
    readonly done: number;
    readonly total: number;
    readonly bytes: number;
  }) => void;
  /** Rows of a tile; the default depends on n, less where `memoryBytes` of the engine is too small for it. */
  readonly tile?: number;
}

/**
 * Tiles are large enough for gemm to run at full speed and small enough to keep two workers busy; halved until what a job
 * holds of a matrix, or of `width` numbers per point, fits into `budget` bytes.
 */
export function tileOf(n: number, wish?: number, budget: number = Infinity, width: number = 0): number {
  if (!Number.isSafeInteger(n) || n < 1) throw new RangeError(`tiled: expected a size n >= 1, got ${n}.`);
  let tile = wish ?? (n <= 2048 ? 256 : n < 8192 ? 512 : 1024);
  if (!Number.isInteger(tile) || tile < 1) throw new RangeError(`tiled: expected a tile >= 1, got ${tile}.`);
  while (wish === undefined && tile > 32 && 8 * tile * Math.max(3 * tile, 2 * width + tile) > budget)
    tile /= 2;
  return Math.min(tile, n);
}

/** RangeError or TypeError unless `matrix` has the tiles its sizes ask for. */
export function checkTiled(call: string, matrix: TiledMatrix): TiledMatrix {
  const n = wholeNumber(call, 'n', matrix?.n, 1);
  wholeNumber(call, 'tile', matrix.tile, 1, n);
  const rows = tileRows(matrix);
  const wanted = (rows * (rows + 1)) / 2;
  if (!Array.isArray(matrix.tiles) || matrix.tiles.length !== wanted) {
    throw new RangeError(
      `${call}: a matrix of ${n} rows in tiles of ${matrix.tile} has ${wanted} tiles, got ${kindOf(matrix.tiles?.length)}. Make it with tiledGram or tiledMatrix.`,
    );
  }
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j <= i; j++) {
      const tile: unknown = matrix.tiles[tileIndex(i, j)];
      const entries = heightOf(matrix, i) * heightOf(matrix, j);
      if (tile instanceof Float64Array && tile.length === entries) continue;
      const got = tile instanceof Float64Array ? `${tile.length} numbers` : kindOf(tile);
      throw new RangeError(
        `${call}: tile (${i}, ${j}) must be a Float64Array of ${entries} numbers, got ${got}.`,
      );
    }
  }
  return matrix;
}

/** @internal */
export const tileIndex = (i: number, j: number): number => (i * (i + 1)) / 2 + j;
/** @internal Rows of tiles. */
export const tileRows = ({ n, tile }: { n: number; tile: number }): number => Math.ceil(n / tile);
/** @internal Rows in tile row i. */
export const heightOf = ({ n, tile }: { n: number; tile: number }, i: number): number =>
  Math.min(tile, n - i * tile);

/** Bytes of the tiles of an n x n matrix, and of the working memory of one worker. */
export function tiledBytes(
  n: number,
  wish?: number,
): { readonly matrix: number; readonly perWorker: number } {
  const shape = { n, tile: tileOf(n, wish) };
  let matrix = 0;
  for (let i = 0; i < tileRows(shape); i++)
    for (let j = 0; j <= i; j++) matrix += 8 * heightOf(shape, i) * heightOf(shape, j);
  return { matrix, perWorker: 3 * 8 * shape.tile ** 2 + 10 * 2 ** 20 };
}

/** Memory that workers see without copying, where there is such a thing. */
function sharedArray(length: number): Float64Array {
  return typeof SharedArrayBuffer === 'function'
    ? new Float64Array(new SharedArrayBuffer(8 * length))
    : new Float64Array(length);
}

/** @internal True when a job may write into `array` itself instead of returning it. */
export const inPlace = (engine: Engine, array: Float64Array): boolean =>
  engine.workers === 0 || !(array.buffer instanceof ArrayBuffer);

/** A zero matrix. RangeError naming the bytes if the machine or the runtime cannot hold them. */
export function tiledMatrix(n: number, wish?: number): TiledMatrix {
  const shape = { n, tile: tileOf(n, wish) };
  const { matrix } = tiledBytes(n, wish);
  const limit = machineMemory();
  if (matrix > limit) {
    // The system would give the addresses and end the process when they are written to.
    throw new RangeError(
      `tiled: ${matrix} bytes wanted for n = ${n}, this machine has ${limit}. Use fewer rows.`,
    );
  }
  const tiles: Float64Array[] = [];
  try {
    for (let i = 0; i < tileRows(shape); i++)
      for (let j = 0; j <= i; j++) tiles.push(sharedArray(heightOf(shape, i) * heightOf(shape, j)));
  } catch (error) {
    throw new RangeError(
      `tiled: ${matrix} bytes wanted for n = ${n}, more than this runtime gives (${String(error)}). Use fewer rows.`,
    );
  }
  return { ...shape, tiles };
}

/** Entry (row, column) of the symmetric matrix. */
export function tiledEntry(matrix: TiledMatrix, row: number, column: number): number {
  const [r, c] = row >= column ? [row, column] : [column, row];
  const [i, j] = [Math.floor(r / matrix.tile), Math.floor(c / matrix.tile)];
  return matrix.tiles[tileIndex(i, j)]![(r - i * matrix.tile) * heightOf(matrix, j) + c - j * matrix.tile]!;
}

/** Adds `value` to the diagonal: a ridge. */
export function tiledAddDiagonal(matrix: TiledMatrix, value: number): void {
  for (let i = 0; i < tileRows(matrix); i++) {
    const tile = matrix.tiles[tileIndex(i, i)]!;
    const height = heightOf(matrix, i);
    for (let k = 0; k < height; k++) tile[k * (height + 1)]! += value;
  }
}

interface GramParams {
  /** Rows of X of the tile's row and, unless it lies on the diagonal, of its column. */
  readonly left: Float64Array;
  readonly right: Float64Array | null;
  readonly width: number;
  readonly alpha: number;
  readonly out: Float64Array;
  readonly inPlace: boolean;
}

/** @internal One tile of alpha X X^T; null when written in place. */
export const tiledGramJob: Job<GramParams, Float64Array | null> = defineJob(
  'math/tiled-gram',
  (core, params) =>
    core.heap.scope((scope) => {
      const { left, right, width, alpha, out } = params;
      const rows = left.length / width;
      const columns = right ? right.length / width : rows;
      const a = scope.alloc('f64', left.length);
      core.heap.write(a, left);
      const c = right ? scope.alloc('f64', rows * columns) : scope.zeros('f64', rows * columns);
      if (right) {
        const b = scope.alloc('f64', right.length);
        core.heap.write(b, right);
        gemm(core, [a, b, c], [rows, columns, width], { transB: true, alpha });
      } else gram(core, a, c, [rows, width], { alpha });
      if (!params.inPlace) return core.heap.read(c);
      core.heap.readInto(c, out as Float64Array<ArrayBuffer>);
      return null;
    }),
);

/** @internal */
export const RUN: Fields<Omit<TiledOptions, 'tile'>> = { signal: true, onProgress: true };

/**
 * alpha X X^T for X of shape `[n, d]`, tile by tile on the workers. n d + n^2 / 2 numbers of JS memory; float64 X in a
 * SharedArrayBuffer is read where it lies (leave it alone meanwhile), which saves the n d and the time of a copy.
 * RangeError for other shapes and for NaN or infinity in X, NumericalError where a norm overflows.
 */
export async function tiledGram(
  engine: Engine,
  x: TensorLike,
  options: TiledOptions & { readonly alpha?: number } = {},
): Promise<TiledMatrix> {
  knownFields('tiledGram', options, { ...RUN, tile: true, alpha: true });
  const { signal, onProgress, tile: wish, alpha = 1 } = options;
  const tensor = asTensor(x, 'tiledGram: x');
  const [n, width] = tensor.shape as [number, number];
  if (tensor.shape.length !== 2 || !(n >= 1) || !(width >= 1)) {
    throw new RangeError(
      `tiledGram: expected shape [n, d] with n, d >= 1, got [${tensor.shape.join(', ')}].`,
    );
  }
  if (!Number.isFinite(alpha))
    throw new RangeError(`tiledGram: alpha must be a finite number, got ${alpha}.`);
  const tile = tileOf(n, wish, engine.memoryBytes, width);
  const { data } = tensor;
  const readable = data instanceof Float64Array && inPlace(engine, data) ? data : null;
  const working = Math.max(1, engine.workers) * 8 * tile * (2 * width + tile);
  const bytes = tiledBytes(n, tile).matrix + (readable ? 0 : 8 * n * width) + working;
  const total = tileIndex(tileRows({ n, tile }), 0);
  onProgress?.({ done: 0, total, bytes });
  const matrix = tiledMatrix(n, tile);
  const shared = readable ?? sharedArray(n * width);
  const part = <A extends Float64Array | Float32Array>(array: A, i: number): A =>
    array.subarray(i * tile * width, Math.min(n, (i + 1) * tile) * width) as A;
  let done = 0;
  const compute = async (pairs: readonly (readonly [number, number])[]): Promise<void> => {
    const jobs = pairs.map(([i, j]): GramParams => {
      const out = matrix.tiles[tileIndex(i, j)]!;
      const right = i === j ? null : part(shared, j);
      return { left: part(shared, i), right, width, alpha, out, inPlace: inPlace(engine, out) };
    });
    const onDone = (): void => onProgress?.({ done: ++done, total, bytes });
    const results = await engine.map(tiledGramJob, jobs, { signal, onDone });
    for (const [k, result] of results.entries()) if (result) jobs[k]!.out.set(result);
  };
  // Workers begin while later rows are still being copied, with the first diagonal tile; the others, half the work of a
  // full tile, come last and fill gaps.
  const rows = Array.from({ length: tileRows(matrix) }, (_, i) => i);
  const running = rows.map((i) => {
    if (!readable) part(shared, i).set(part(data, i));
    return compute(rows.slice(0, Math.max(i, 1)).map((j) => [i, j] as const));
  });
  running.push(compute(rows.slice(1).map((i) => [i, i] as const)));
  await Promise.all(running);
  for (let i = 0; i < n; i++) {
    // A row that is not finite has no finite norm: cheaper than a pass over X before.
    if (Number.isFinite(tiledEntry(matrix, i, i))) continue;
    assertFinite(tensor, 'tiledGram: x');
    throw new NumericalError(`tiledGram: the squared norm of row ${i} of x overflows. Scale x down.`);
  }
  return matrix;
}
