// Layers that mix offsets, one axis at a time: which input positions an output position reads.
import type { WindowAxis } from '../geometry.js';
import { windowTaps } from '../geometry.js';

export interface MixTap {
  readonly input: number;
  readonly weight: number;
  /** Layers with shared weights pair equal ids of p and p' only; pools and resizes pair all. */
  readonly id: number;
}

/** Output position p of `out` reads `taps[p]`, input positions out of `n`. */
export interface MixAxis {
  readonly n: number;
  readonly out: number;
  readonly taps: readonly (readonly MixTap[])[];
  readonly pairing: 'all' | 'same';
}

/** An element of a plane that flows into an element of another plane: `out` and `input` count from the start of the planes. */
export interface Flow {
  readonly out: number;
  readonly input: number;
  readonly weight: number;
}

/** The axis that changes nothing. */
export function identityAxis(n: number): MixAxis {
  return positionsAxis(
    n,
    Array.from({ length: n }, (_, i) => i),
  );
}

/** Output position p is input position `positions[p]`; -1: nothing flows there. */
export function positionsAxis(n: number, positions: readonly number[]): MixAxis {
  const taps = positions.map((input) => (input < 0 ? [] : [{ input, weight: 1, id: 0 }]));
  return { n, out: positions.length, taps, pairing: 'all' };
}

/** Axes of `sizes` one after the other: what each of them brings. */
export function joinedAxes(sizes: readonly number[]): MixAxis[] {
  const total = sizes.reduce((sum, n) => sum + n, 0);
  let start = 0;
  return sizes.map((n) => {
    const from = start;
    start += n;
    const positions = Array.from({ length: total }, (_, p) => (p >= from && p < from + n ? p - from : -1));
    return positionsAxis(n, positions);
  });
}

/** Weights of its own at every position: only equal positions stay correlated. */
export function localAxis(n: number): MixAxis {
  const taps = Array.from({ length: n }, (_, input) => [{ input, weight: 1, id: input }]);
  return { n, out: n, taps, pairing: 'same' };
}

/** A pool: `average` divides by the window, or (normalizeEdges) by the positions inside the image. */
export function poolAxis(axis: WindowAxis, average: boolean, normalizeEdges: boolean): MixAxis {
  const taps = windowTaps(axis).map((list) => {
    const count = normalizeEdges ? list.length : axis.size;
    return list.map(({ input, tap }) => ({ input, weight: average ? 1 / count : 1, id: tap }));
  });
  return { n: axis.n, out: axis.out, taps, pairing: 'all' };
}

/** Shared weights whose taps are given: a transposed convolution, or a circular one across the seam of signed planes. */
export function sharedAxis(
  n: number,
  size: number,
  taps: readonly (readonly { readonly input: number; readonly tap: number }[])[],
): MixAxis {
  return {
    n,
    out: taps.length,
    taps: taps.map((list) => list.map(({ input, tap }) => ({ input, weight: 1 / size, id: tap }))),
    pairing: 'same',
  };
}

/** A matrix (out x n, row-major) on both sides of the covariance. */
export function matrixAxis(matrix: Float64Array, n: number): MixAxis {
  const taps = Array.from({ length: matrix.length / n }, (_, p) =>
    Array.from({ length: n }, (_, input) => ({ input, weight: matrix[p * n + input]!, id: input })).filter(
      (tap) => tap.weight !== 0,
    ),
  );
  return { n, out: taps.length, taps, pairing: 'all' };
}

/** The factor all flows share, or null when they differ. */
export function commonWeight({ taps, pairing }: MixAxis): number | null {
  const weights = new Set(taps.flatMap((list) => list.map((tap) => tap.weight)));
  if (weights.size !== 1) return null;
  const [weight] = weights;
  return pairing === 'all' ? weight! * weight! : weight!;
}

/** For output offset d: input offset -> flows, sorted by output. Modular planes hold all positions p with p' = p + d mod n. */
export function flowsInto(
  axis: MixAxis,
  d: number,
  inModular: boolean,
  outModular: boolean,
): Map<number, Flow[]> {
  const { n, out, taps, pairing } = axis;
  const first = outModular ? 0 : Math.max(0, -d);
  const size = outModular ? out : out - Math.abs(d);
  const sums = new Map<number, Map<string, Flow>>();
  for (let a = 0; a < size; a++) {
    const q = outModular ? (first + a + d) % out : first + a + d;
    for (const left of taps[first + a]!) {
      for (const right of taps[q]!) {
        if (pairing === 'same' && left.id !== right.id) continue;
        const raw = right.input - left.input;
        const e = inModular ? (raw + n) % n : raw;
        const input = inModular ? left.input : left.input - Math.max(0, -e);
        const weight = pairing === 'all' ? left.weight * right.weight : left.weight;
        const flows = sums.get(e) ?? new Map<string, Flow>();
        sums.set(e, flows);
        const key = `${a},${input}`;
        flows.set(key, { out: a, input, weight: weight + (flows.get(key)?.weight ?? 0) });
      }
    }
  }
  return new Map([...sums].map(([e, flows]) => [e, [...flows.values()]]));
}
