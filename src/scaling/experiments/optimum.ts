// Where a loss is least over a hyperparameter, size by size, and how that place moves: with an error from the seeds.
import { log, pow } from '../../math/elementary.js';
import { foldIn, randomKey, uniformAt } from '../../math/random.js';
import { mean, slopeFit, standardDeviation } from '../../math/statistics.js';

export interface OptimumShift {
  /** The best value per size (parabola through the best three in the logarithm); null at an edge of the sweep. */
  readonly best: readonly (number | null)[];
  /** Power of the size in the best value, its logarithm per doubling: 0 means values transfer. null below two interior optima. */
  readonly shift: number | null;
  /** Of the shift, by drawing seeds again and again (bootstrap). */
  readonly standardError: number | null;
  /** `transfers`: within tolerance and two standard errors of 0. `unknown`: no optimum inside the sweep, or an error too large to tell. */
  readonly verdict: 'transfers' | 'shifts' | 'unknown';
}

const DRAWS = 200;
/** An error of the shift above this tells nothing. */
const BLIND = 0.25;

/**
 * The best of `values` (ascending) for every size by the mean over seeds of the log loss, `losses[size][value][seed]`, and its
 * shift with size. Losses that are not positive and finite count as worst.
 */
export function optimumShift(
  sizes: readonly number[],
  values: readonly number[],
  losses: readonly (readonly (readonly number[])[])[],
  tolerance: number,
): OptimumShift {
  const seeds = losses[0]![0]!.length;
  const logs = losses.map((rows) =>
    rows.map((row) => row.map((loss) => (loss > 0 && loss < Infinity ? log(loss) : Infinity))),
  );
  const all = Array.from({ length: seeds }, (_, seed) => seed);
  const placesOf = (chosen: readonly number[]): Place[] =>
    logs.map((rows) =>
      place(
        values,
        rows.map((row) => mean(chosen.map((seed) => row[seed]!))),
      ),
    );
  const shiftOf = (places: readonly Place[]): number | null => {
    const inner = sizes.flatMap((size, i) =>
      places[i]!.isInner ? [[log(size), places[i]!.at] as const] : [],
    );
    if (inner.length < 2) return null;
    return slopeFit(
      inner.map(([x]) => x),
      inner.map(([, y]) => y),
    ).slope;
  };
  const places = placesOf(all);
  const best = places.map(({ at, isInner }) => (isInner ? pow(2, at / log(2)) : null));
  const shift = shiftOf(places);
  const key = foldIn(randomKey(0), 'bootstrap');
  const drawn = Array.from({ length: DRAWS }, (_, draw) =>
    shiftOf(placesOf(all.map((_, i) => Math.floor(uniformAt(key, draw * seeds + i) * seeds)))),
  ).filter((value) => value !== null);
  const standardError =
    shift === null || seeds < 2 || drawn.length < DRAWS / 2 ? null : standardDeviation(drawn);
  const isBlind = shift === null || standardError === null || standardError > BLIND;
  const near = shift !== null && Math.abs(shift) <= tolerance + 2 * (standardError ?? 0);
  return { best, shift, standardError, verdict: isBlind ? 'unknown' : near ? 'transfers' : 'shifts' };
}

interface Place {
  /** Natural logarithm of the best value. */
  readonly at: number;
  readonly isInner: boolean;
}

/** The vertex of the parabola through the lowest point and its neighbours, at most half a step away. */
function place(values: readonly number[], losses: readonly number[]): Place {
  const at = losses.indexOf(Math.min(...losses));
  const x = log(values[Math.max(0, at)]!);
  if (at <= 0 || at >= values.length - 1) return { at: x, isInner: false };
  const [left, middle, right] = [losses[at - 1]!, losses[at]!, losses[at + 1]!];
  if (!Number.isFinite(left) || !Number.isFinite(right)) return { at: x, isInner: true };
  const bend = left - 2 * middle + right;
  const step = bend > 0 ? Math.max(-0.5, Math.min(0.5, (left - right) / (2 * bend))) : 0;
  const neighbour = log(values[at + (step > 0 ? 1 : -1)]!);
  return { at: x + (neighbour - x) * Math.abs(step), isInner: true };
}
