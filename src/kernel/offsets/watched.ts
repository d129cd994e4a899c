// Activations whose variances TypeScript looks at: series, whose tables it makes while the executor waits, and moments that may
// diverge. Of a series the record holds, per position, the exact kappa and slope and the tables of assembly/dual-series.ts.
import { dualOf } from '../../layers/activation/dual/dual.js';
import { checkMoments, EXACT, tableEntries } from '../../layers/activation/dual/tables.js';
import type { ActivationLayer } from '../../layers/vocabulary.js';
import { overflow } from '../tiles/checks.js';

type Floats = Float64Array<ArrayBuffer> | Float32Array<ArrayBuffer>;

/** Values per position of the longest series. */
export const LONGEST: number = EXACT + 3 + 400;

export interface Watched {
  readonly layer: ActivationLayer;
  /** Values per position; 1: the executor makes the tables. */
  readonly width: number;
  /** Index of the first value in a record. */
  readonly table: number;
  readonly positions: number;
  /** Blob index of the parameter block, whose fifth number is how many terms are read. */
  readonly params: number;
}

/** Thrown where a record has no room for the tables of a series. */
export class NoRoom extends Error {
  readonly width: number;

  constructor(width: number) {
    super(`series with ${width} values per position`);
    this.width = width;
  }
}

/**
 * `values`: what the record of the images in the lanes holds for an activation, with variances in place of the first value of
 * every position. Puts tables there; returns the number of terms they have, or null where the executor makes them.
 */
export function fillWatched(
  { layer, width, positions }: Watched,
  values: Floats,
  { lanes, tolerance, dtype }: { lanes: number; tolerance: number; dtype: 'f32' | 'f64' },
): number | null {
  const dual = dualOf(layer);
  const step = width * lanes;
  const k = new Float64Array(positions * lanes);
  for (let i = 0; i < k.length; i++) k[i] = values[Math.floor(i / lanes) * step + (i % lanes)]!;
  if (!k.every((value) => value < Infinity)) throw overflow(dtype);
  if (dual.form === 'function') throw new Error('no tables');
  if (dual.form === 'closed') {
    checkMoments(dual, k);
    return null;
  }
  const { rows, params, width: own, entries } = tableEntries(dual, k, tolerance);
  if (own > width) throw new NoRoom(own);
  values.fill(0);
  for (let i = 0; i < k.length; i++) {
    const from = rows[i]! * own;
    const to = Math.floor(i / lanes) * step + (i % lanes);
    for (let j = 0; j < own; j++) values[to + j * lanes] = entries[from + j]!;
  }
  return params[0]!;
}
