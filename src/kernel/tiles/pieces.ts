// Inputs cut for tiles, and tiles put into the whole matrix.
import type { Tensor } from '../../math/tensor.js';
import type { TilePlace } from '../plan.js';
import type { TileResult } from './tile-params.js';

/** Samples [start, end) of a tensor: a copy to send to a worker, else a view. */
export function cutSamples(
  { data, shape }: Tensor,
  [start, end]: readonly [number, number],
  send: boolean,
): Tensor {
  const size = shape.slice(1).reduce((product, n) => product * n, 1);
  if (start === 0 && end === shape[0]) return { data, shape };
  const [from, to] = [start * size, end * size];
  return {
    data: send ? data.slice(from, to) : data.subarray(from, to),
    shape: [end - start, ...shape.slice(1)],
  };
}

/** What a tile is a part of. */
interface Whole {
  /** null: of a matrix that is symmetric, tiles below the diagonal only. */
  readonly x2: Tensor | null;
  /** Where an entry stands in the transpose; null: it stays, there are no pairs of different positions. */
  readonly swap: Int32Array | null;
  /** Numbers per pair of samples. */
  readonly entries: number;
}

const BLOCK = 32;

/** Writes a tile into the whole, and its mirror image where the matrix is symmetric. */
export function placeTile(
  { data, shape }: Tensor,
  { rows, columns }: TilePlace,
  tile: TileResult['nngp'],
  { x2, swap, entries: size }: Whole,
): void {
  const n2 = shape[1]!;
  const [height, width] = [rows[1] - rows[0], columns[1] - columns[0]];
  for (let i = 0; i < height; i++) {
    const to = ((rows[0] + i) * n2 + columns[0]) * size;
    data.set(tile.subarray(i * width * size, (i + 1) * width * size), to);
  }
  if (x2 || rows[0] === columns[0]) return;
  mirrorInto(data, { at: columns[0] * n2 + rows[0], stride: n2 }, tile, [height, width], {
    swap,
    entries: size,
  });
}

/**
 * Writes the mirror image of a tile of shape [height, width]. `to`: the pair of samples in `data` where it begins, and from row
 * to row.
 */
export function mirrorInto(
  data: Tensor['data'],
  to: { readonly at: number; readonly stride: number },
  tile: TileResult['nngp'],
  [height, width]: readonly [number, number],
  { swap, entries: size }: Pick<Whole, 'swap' | 'entries'>,
): void {
  // By blocks, so that both sides stay in cache.
  for (let j0 = 0; j0 < width; j0 += BLOCK) {
    for (let i0 = 0; i0 < height; i0 += BLOCK) {
      for (let j = j0; j < Math.min(width, j0 + BLOCK); j++) {
        const row = (to.at + j * to.stride) * size;
        for (let i = i0; i < Math.min(height, i0 + BLOCK); i++) {
          const from = (i * width + j) * size;
          const at = row + i * size;
          if (!swap) for (let e = 0; e < size; e++) data[at + e] = tile[from + e]!;
          else for (let e = 0; e < size; e++) data[at + e] = tile[from + swap[e]!]!;
        }
      }
    }
  }
}
