// Cholesky factors of train kernels that do not fit in one piece: tiles in JS memory.
import { extremeEigenvalues } from '../../math/lanczos.js';
import {
  heightOf,
  tiledAddDiagonal,
  tiledBytes,
  tiledEntry,
  tiledMatrix,
  tileIndex,
  tileRows,
  type TiledMatrix,
  type TiledOptions,
} from '../../math/tiled.js';
import { tiledCholesky, tiledSolve } from '../../math/tiled-cholesky.js';
import { NumericalError, type Engine, type RunOptions } from '../../wasm/engine.js';
import type { Factored } from '../factored.js';
import { notDefinite, product, rowDots, transpose } from '../linear.js';

/** Bytes that a factorisation of size n holds, tiles and workers. */
export const tiledFootprint = (engine: Engine, n: number): number =>
  tiledBytes(n).matrix + Math.max(1, engine.workers) * tiledBytes(n).perWorker;

/** Writes rows [row, ...) and columns [column, ...) of a symmetric matrix, as far as they lie in stored tiles. */
export function placeBlock(
  matrix: TiledMatrix,
  data: ArrayLike<number> & { subarray(from: number, to: number): ArrayLike<number> },
  [row, column]: readonly [number, number],
  width: number,
): void {
  const { tile } = matrix;
  for (let r = 0; r < data.length / width; r++) {
    const i = Math.floor((row + r) / tile);
    for (let c = column; c < column + width;) {
      const j = Math.floor(c / tile);
      if (j > i) break;
      const end = Math.min(column + width, (j + 1) * tile);
      const at = (row + r - i * tile) * heightOf(matrix, j) + c - j * tile;
      const from = r * width - column;
      matrix.tiles[tileIndex(i, j)]!.set(data.subarray(from + c, from + end), at);
      c = end;
    }
  }
}

/** The tiles of a matrix in one piece. */
export async function placeMatrix(tiles: TiledMatrix, matrix: Float64Array): Promise<void> {
  placeBlock(tiles, matrix, [0, 0], tiles.n);
}

const EPSILON = 2 ** -52;

/**
 * Factorises the matrix that `fill` writes into zeroed tiles. As in one piece, a pivot within rounding of zero counts as
 * a failure, and jitter grows from 16 eps to 1e-7 of the mean diagonal (by a factor of 512, because every attempt costs
 * the matrix anew). `least`: the jitter to begin with. NumericalError with the extreme eigenvalues beyond.
 */
export async function tiledFactor(
  engine: Engine,
  n: number,
  fill: (tiles: TiledMatrix) => Promise<void>,
  run: Pick<TiledOptions, 'onProgress'> & RunOptions & { readonly least?: number } = {},
): Promise<Factored> {
  const tiles = tiledMatrix(n);
  const options = { ...(run.signal ? { signal: run.signal } : {}) };
  let jitter = run.least ?? 0;
  for (;;) {
    await fill(tiles);
    if (jitter > 0) tiledAddDiagonal(tiles, jitter);
    const diagonal = Float64Array.from({ length: n }, (_, i) => tiledEntry(tiles, i, i));
    const mean = diagonal.reduce((sum, value) => sum + value / n, 0);
    const condition = await attempt(engine, tiles, diagonal, {
      ...options,
      ...(run.onProgress ? { onProgress: run.onProgress } : {}),
    });
    if (condition !== null) return solver(engine, tiles, jitter, condition);
    const next = jitter === 0 ? 16 * EPSILON * mean : 512 * jitter;
    if (!(mean > 0) || next > 1e-7 * mean) {
      await fill(tiles);
      const { smallest, largest } = await extremeEigenvalues((x) => multiply(tiles, x), n, { maxSteps: 100 });
      throw notDefinite(mean, [smallest, largest], jitter);
    }
    jitter = next;
  }
}

/** The bound of the condition number; null when a pivot is not positive, or not more than rounding noise. */
async function attempt(
  engine: Engine,
  tiles: TiledMatrix,
  diagonal: Float64Array,
  options: Omit<TiledOptions, 'tile'>,
): Promise<number | null> {
  try {
    await tiledCholesky(engine, tiles, options);
  } catch (error) {
    if (error instanceof NumericalError) return null;
    throw error;
  }
  let [smallest, largest] = [Infinity, 0];
  for (const [i, before] of diagonal.entries()) {
    const pivot = tiledEntry(tiles, i, i) ** 2;
    if (pivot <= 8 * EPSILON * before) return null;
    smallest = Math.min(smallest, pivot);
    largest = Math.max(largest, pivot);
  }
  return largest / smallest;
}

function solver(engine: Engine, tiles: TiledMatrix, jitter: number, condition: number): Factored {
  const { n } = tiles;
  const solve: Factored['solve'] = async (data, columns, run) => {
    const b = { data, shape: [n, columns] };
    return (await tiledSolve(engine, tiles, b, run?.signal ? { signal: run.signal } : {})).data;
  };
  return {
    method: 'tiled',
    size: n,
    jitter,
    condition,
    solve,
    explained: async (rows, want, run) => {
      const count = rows.length / n;
      const solved = transpose(await solve(transpose(rows, count, n), count, run), n, count);
      if (want === 'diagonal') return rowDots(rows, solved, count, n);
      return product(engine, rows, solved, [count, count, n], { transB: true, ...run });
    },
  };
}

/** A x for the symmetric matrix in the tiles. */
function multiply(tiles: TiledMatrix, x: Float64Array): Float64Array {
  const out = new Float64Array(tiles.n);
  for (let i = 0; i < tileRows(tiles); i++) {
    for (let j = 0; j <= i; j++) {
      const [data, width] = [tiles.tiles[tileIndex(i, j)]!, heightOf(tiles, j)];
      const [r0, c0] = [i * tiles.tile, j * tiles.tile];
      for (let r = 0; r < heightOf(tiles, i); r++) {
        const last = i === j ? r + 1 : width;
        for (let c = 0; c < last; c++) {
          const value = data[r * width + c]!;
          out[r0 + r]! += value * x[c0 + c]!;
          if (r0 + r !== c0 + c) out[c0 + c]! += value * x[r0 + r]!;
        }
      }
    }
  }
  return out;
}
