// Cholesky factorisation and solves on tiled matrices. Tile (i, j) of the factor is
//   L_ij = (A_ij - sum_{k<j} L_ik L_jk^T) L_jj^{-T},   L_jj = chol(A_jj - sum_{k<j} L_jk L_jk^T).
// A scheduler hands tiles to workers as soon as anything can be done for them, the leftmost column first (the critical
// path), so that no worker waits for a diagonal tile. Buttari, Langou, Kurzak & Dongarra (2009).
import { defineJob, knownFields, NumericalError, type Engine, type Job } from '../wasm/engine.js';
import { choleskyFactor, logDeterminant, solveTriangular, solveTriangularRight } from './cholesky.js';
import { gemm, gram } from './matmul.js';
import { asTensor, assertFinite, type Tensor, type TensorLike } from './tensor.js';
import {
  checkTiled,
  RUN,
  heightOf,
  inPlace,
  tiledBytes,
  tileIndex,
  tileRows,
  type TiledMatrix,
  type TiledOptions,
} from './tiled.js';

type Numbers = Float64Array<ArrayBuffer>;

interface TileParams {
  /** The tile, rows x columns. */
  readonly c: Float64Array;
  readonly rows: number;
  readonly columns: number;
  /** L_ik and L_jk for a run of k, each with `depth` columns; `right` is null on the diagonal. */
  readonly left: readonly Float64Array[];
  readonly right: readonly Float64Array[] | null;
  readonly depth: number;
  /** After the updates: nothing, factor this diagonal tile, or solve with L_jj. */
  readonly last: 'nothing' | 'factor' | Float64Array;
  readonly inPlace: boolean;
}
interface TileResult {
  readonly failed: number;
  readonly logDeterminant: number;
  readonly c: Float64Array | null;
}

/** @internal */
export const tiledCholeskyJob: Job<TileParams, TileResult> = defineJob(
  'math/tiled-cholesky',
  (core, params) =>
    core.heap.scope((scope) => {
      const { rows, columns, depth, last } = params;
      const c = scope.alloc('f64', rows * columns);
      const a = scope.alloc('f64', rows * Math.max(depth, columns));
      const b = scope.alloc('f64', columns * Math.max(depth, columns));
      core.heap.write(c, params.c);
      for (const [index, left] of params.left.entries()) {
        core.heap.write(a, left);
        if (params.right) {
          core.heap.write(b, params.right[index]!);
          gemm(core, [a, b, c], [rows, columns, depth], { transB: true, alpha: -1, beta: 1 });
        } else gram(core, a, c, [rows, depth], { alpha: -1, beta: 1 });
      }
      let failed = -1;
      let log = 0;
      if (last === 'factor') {
        failed = choleskyFactor(core, c, rows);
        if (failed < 0) log = logDeterminant(core, c, rows);
      } else if (last !== 'nothing') {
        core.heap.write(b, last);
        solveTriangularRight(core, b, c, [rows, columns]);
      }
      if (params.inPlace) core.heap.readInto(c, params.c as Numbers);
      return { failed, logDeterminant: log, c: params.inPlace ? null : core.heap.read(c) };
    }),
);

interface TileState {
  readonly i: number;
  readonly j: number;
  /** Updates k < applied are in. */
  applied: number;
  /** Holds its tile of L. */
  final: boolean;
  busy: boolean;
}

const MOST = 16; // updates per job: long enough to hide messages, short enough to keep everyone busy

/** What can be done for a tile now: updates up to `upto`, and whether it becomes final. Null if nothing. */
function work(all: readonly TileState[], tile: TileState): { upto: number; last: boolean } | null {
  if (tile.final || tile.busy) return null;
  const { i, j, applied } = tile;
  let upto = applied;
  while (
    upto < j &&
    upto < applied + MOST &&
    all[tileIndex(i, upto)]!.final &&
    all[tileIndex(j, upto)]!.final
  )
    upto++;
  const last = upto === j && (i === j || all[tileIndex(j, j)]!.final);
  return upto > applied || last ? { upto, last } : null;
}

/**
 * A = L L^T in place: the tiles become those of L. Returns log det A. NumericalError naming the pivot when A is not
 * positive definite (the matrix is then spoiled). n^3/3 flops; bits do not depend on the number of workers.
 */
export async function tiledCholesky(
  engine: Engine,
  matrix: TiledMatrix,
  options: Omit<TiledOptions, 'tile'> = {},
): Promise<{ readonly logDeterminant: number }> {
  knownFields('tiledCholesky', options, RUN);
  const { signal, onProgress } = options;
  const rows = tileRows(checkTiled('tiledCholesky', matrix));
  const all: TileState[] = [];
  for (let i = 0; i < rows; i++)
    for (let j = 0; j <= i; j++) all.push({ i, j, applied: 0, final: false, busy: false });
  const order = all.toSorted((p, q) => p.j - q.j || p.i - q.i);
  const { matrix: held, perWorker } = tiledBytes(matrix.n, matrix.tile);
  const bytes = held + Math.max(1, engine.workers) * perWorker;
  const logs = new Float64Array(rows);
  let done = 0;
  onProgress?.({ done, total: all.length, bytes });

  const step = async (tile: TileState, upto: number, last: boolean): Promise<void> => {
    const { i, j, applied } = tile;
    const at = tileIndex(i, j);
    const ks = Array.from({ length: upto - applied }, (_, k) => applied + k);
    const c = matrix.tiles[at]!;
    const params: TileParams = {
      c,
      rows: heightOf(matrix, i),
      columns: heightOf(matrix, j),
      left: ks.map((k) => matrix.tiles[tileIndex(i, k)]!),
      right: i === j ? null : ks.map((k) => matrix.tiles[tileIndex(j, k)]!),
      depth: matrix.tile,
      last: !last ? 'nothing' : i === j ? 'factor' : matrix.tiles[tileIndex(j, j)]!,
      inPlace: inPlace(engine, c),
    };
    const result = await engine.run(tiledCholeskyJob, params, { signal });
    if (result.failed >= 0) {
      throw new NumericalError(
        `tiledCholesky: expected a positive definite matrix, pivot ${j * matrix.tile + result.failed} of ${matrix.n} is not positive. Add a ridge.`,
      );
    }
    if (result.c) c.set(result.c);
    if (i === j && last) logs[j] = result.logDeterminant;
    tile.applied = upto;
    tile.final = last;
    if (last) onProgress?.({ done: ++done, total: all.length, bytes });
  };
  await drain(Math.max(1, engine.workers), () => {
    for (const tile of order) {
      const next = work(all, tile);
      if (!next) continue;
      tile.busy = true;
      return step(tile, next.upto, next.last).finally(() => (tile.busy = false));
    }
    return null;
  });
  return { logDeterminant: logs.reduce((sum, x) => sum + x, 0) };
}

/** Keeps up to `width` promises of `take` running until it has no more; the first failure wins, after the rest ended. */
async function drain(width: number, take: () => Promise<void> | null): Promise<void> {
  const running = new Set<Promise<void>>();
  const failures: unknown[] = [];
  for (;;) {
    while (running.size < width && failures.length === 0) {
      const next = take();
      if (!next) break;
      const guarded: Promise<void> = next
        .catch((error: unknown) => void failures.push(error))
        .finally(() => running.delete(guarded));
      running.add(guarded);
    }
    if (running.size === 0) break;
    await Promise.race(running);
  }
  if (failures.length > 0) throw failures[0];
}

interface SolveParams {
  /** Diagonal: solve with L_ii. Otherwise: subtract the products of these tiles with x from the blocks. */
  readonly diagonal: Float64Array | null;
  readonly tiles: readonly Float64Array[];
  readonly blocks: readonly Float64Array[];
  readonly x: Float64Array;
  readonly r: number;
  readonly trans: boolean;
}

/** @internal */
export const tiledSolveJob: Job<SolveParams, Float64Array[]> = defineJob('math/tiled-solve', (core, params) =>
  core.heap.scope((scope) => {
    const { diagonal, x, r, trans } = params;
    const known = x.length / r;
    const right = scope.alloc('f64', x.length);
    core.heap.write(right, x);
    if (diagonal) {
      const l = scope.alloc('f64', diagonal.length);
      core.heap.write(l, diagonal);
      solveTriangular(core, l, right, [known, r], { trans });
      return [core.heap.read(right)];
    }
    return params.tiles.map((tile, index) =>
      core.heap.scope((inner) => {
        const block = params.blocks[index]!;
        const rows = block.length / r;
        const l = inner.alloc('f64', tile.length);
        const c = inner.alloc('f64', block.length);
        core.heap.write(l, tile);
        core.heap.write(c, block);
        gemm(core, [l, right, c], [rows, r, known], { transA: trans, alpha: -1, beta: 1 });
        return core.heap.read(c);
      }),
    );
  }),
);

const CHUNK = 4; // tiles per job of a solve

/** L X = B (or L^T X = B), block row by block row; `blocks` are replaced. */
async function sweep(
  engine: Engine,
  factor: TiledMatrix,
  blocks: Float64Array[],
  r: number,
  { trans, options }: { readonly trans: boolean; readonly options: Pick<TiledOptions, 'signal'> },
): Promise<void> {
  const rows = tileRows(factor);
  for (let turn = 0; turn < rows; turn++) {
    const k = trans ? rows - 1 - turn : turn;
    const solve = {
      diagonal: factor.tiles[tileIndex(k, k)]!,
      tiles: [],
      blocks: [],
      x: blocks[k]!,
      r,
      trans,
    };
    const x = (await engine.run(tiledSolveJob, solve, options))[0]!;
    blocks[k] = x;
    const others = trans
      ? Array.from({ length: k }, (_, i) => i)
      : Array.from({ length: rows - 1 - k }, (_, i) => k + 1 + i);
    const chunks = Array.from({ length: Math.ceil(others.length / CHUNK) }, (_, c) =>
      others.slice(c * CHUNK, (c + 1) * CHUNK),
    );
    const updated = await engine.map(
      tiledSolveJob,
      chunks.map((chunk) => ({
        diagonal: null,
        tiles: chunk.map((i) => factor.tiles[trans ? tileIndex(k, i) : tileIndex(i, k)]!),
        blocks: chunk.map((i) => blocks[i]!),
        x,
        r,
        trans,
      })),
      options,
    );
    for (const [c, chunk] of chunks.entries())
      for (const [at, i] of chunk.entries()) blocks[i] = updated[c]![at]!;
  }
}

/**
 * Solves A X = B given the tiles of L (from `tiledCholesky`), B of shape `[n]` or `[n, r]`. 2 n^2 r flops, each tile is
 * read twice. RangeError for other shapes and for NaN or infinity in B.
 */
export async function tiledSolve(
  engine: Engine,
  factor: TiledMatrix,
  b: TensorLike,
  options: Omit<TiledOptions, 'tile'> = {},
): Promise<Tensor<Float64Array>> {
  knownFields('tiledSolve', options, RUN);
  const { signal, onProgress } = options;
  const right = asTensor(b, 'tiledSolve: b');
  const { n, tile } = checkTiled('tiledSolve', factor);
  if (right.shape[0] !== n || right.shape.length > 2) {
    throw new RangeError(
      `tiledSolve: expected b of shape [${n}] or [${n}, r], got [${right.shape.join(', ')}].`,
    );
  }
  assertFinite(right, 'tiledSolve: b');
  const r = right.shape[1] ?? 1;
  if (r === 0) return { data: new Float64Array(0), shape: right.shape };
  const bytes =
    tiledBytes(n, tile).matrix + 16 * n * r + Math.max(1, engine.workers) * 8 * tile * (tile + 2 * r);
  onProgress?.({ done: 0, total: 2, bytes });
  const blocks = Array.from(
    { length: tileRows(factor) },
    (_, i) =>
      Float64Array.from(right.data.subarray(i * tile * r, Math.min(n, (i + 1) * tile) * r)) as Float64Array,
  );
  for (const [turn, trans] of [false, true].entries()) {
    await sweep(engine, factor, blocks, r, { trans, options: { ...(signal ? { signal } : {}) } });
    onProgress?.({ done: turn + 1, total: 2, bytes });
  }
  const data = new Float64Array(n * r);
  for (const [i, block] of blocks.entries()) data.set(block, i * tile * r);
  return { data, shape: right.shape };
}
