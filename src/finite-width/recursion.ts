// One layer of the 1/n expansion: limits and first corrections of the covariance G of the next layer and of the empirical
// tangent kernel H, with their covariances over random nets. Same content as Roberts, Yaida & Hanin (arXiv:2106.10165,
// chapters 4 and 8) and Dyer & Gur-Ari / Hanin & Nica (arXiv:1910.00019, 1909.05989), in the kernel's own recursion.
import type { Family, PairDual } from './family.js';
import type { FourPoint } from './four-point.js';
import { pairCount, pairIndex, pairList, symmetricOf } from './pairs.js';

/** Limits and first-order terms before a layer; every term contains its 1/n. Pairs are numbered as in pairs.ts. */
export interface Order1State {
  readonly n: number;
  /** Limits of NNGP and NTK, n x n. */
  readonly k: Float64Array<ArrayBuffer>;
  readonly t: Float64Array<ArrayBuffer>;
  /** E G - K and E H - T, n x n. */
  readonly kMean: Float64Array<ArrayBuffer>;
  readonly tMean: Float64Array<ArrayBuffer>;
  /** Cov(G_p, G_q), Cov(G_p, Hh_q), Cov(Hh_p, Hh_q), P x P; Hh: the tangent kernel's mean given the layers below. */
  readonly v: Float64Array<ArrayBuffer>;
  readonly d: Float64Array<ArrayBuffer>;
  readonly a: Float64Array<ArrayBuffer>;
  /** F[a, c, b, d] = E[z_ia z_jb H_ij,cd] and B[a, c, b, d] = E[H_ij,ab H_ij,cd] of two outputs i, j; n^4. */
  readonly f: Float64Array<ArrayBuffer>;
  readonly b: Float64Array<ArrayBuffer>;
}

/** What follows a layer of width `units`: weights of variance `cw` / units, biases of variance `cb`. */
export interface Order1Layer {
  readonly units: number;
  readonly cw: number;
  readonly cb: number;
}

/** The covariance of the first layer has no fluctuation. */
export function firstState(k: Float64Array<ArrayBuffer>, n: number): Order1State {
  const size = pairCount(n) ** 2;
  const zeros = (length: number): Float64Array<ArrayBuffer> => new Float64Array(length);
  return {
    ...{ n, k, t: k.slice(), kMean: zeros(n * n), tMean: zeros(n * n) },
    ...{ v: zeros(size), d: zeros(size), a: zeros(size), f: zeros(n ** 4), b: zeros(n ** 4) },
  };
}

/** The duals of a layer with what the rules read again and again. */
interface Layer {
  readonly pairs: readonly [number, number][];
  readonly duals: readonly PairDual[];
  /** The pairs whose entries a pair's dual depends on: one or three. */
  readonly inputs: readonly (readonly number[])[];
  readonly slope: Float64Array;
  /** Rows of J = d G' / d G and of X = d Hh' / d G (without J: the part through the slope), on `inputs`. */
  readonly j: readonly (readonly number[])[];
  readonly x: readonly (readonly number[])[];
}

/** All duals of a layer. */
export function dualsOf(family: Family, { n, k }: Pick<Order1State, 'n' | 'k'>): PairDual[] {
  return pairList(n).map(([a, b]) => family.dual(k[a * n + a]!, k[a * n + b]!, k[b * n + b]!, a === b));
}

/** The state after an activation and the affine layer behind it. */
export function nextState(
  state: Order1State,
  duals: readonly PairDual[],
  four: FourPoint,
  after: Order1Layer,
): Order1State {
  const { n, t } = state;
  const { cw, cb } = after;
  const layer = layerOf(state, duals, cw);
  const kappa = symmetricOf(
    n,
    duals.map((dual) => dual.kappa.value),
  );
  const slope = symmetricOf(n, layer.slope);
  const k = kappa.map((value) => cb + cw * value);
  return {
    n,
    k,
    t: k.map((value, i) => value + cw * slope[i]! * t[i]!),
    ...meansOf(state, layer, cw),
    ...covariancesOf(state, layer, four, after),
    ...outputPairs(state, { layer, slope, four }, after),
  };
}

function layerOf({ n, t }: Order1State, duals: readonly PairDual[], cw: number): Layer {
  const pairs = pairList(n);
  const inputs = pairs.map(([a, b], p) =>
    duals[p]!.parallel ? [pairIndex(n, a, a)] : [pairIndex(n, a, a), p, pairIndex(n, b, b)],
  );
  const j = duals.map(({ kappa }) => kappa.first.map((rate) => cw * rate));
  const x = duals.map(({ slope }, p) => {
    const [a, b] = pairs[p]!;
    return slope.first.map((rate, i) => j[p]![i]! + cw * t[a * n + b]! * rate);
  });
  return { pairs, duals, inputs, slope: Float64Array.from(duals, ({ slope }) => slope.value), j, x };
}

const product = (left: readonly number[], right: (i: number) => number): number => {
  let sum = 0;
  for (let i = 0; i < left.length; i++) sum += left[i]! * right(i);
  return sum;
};

/** E G' - K' and E H' - T'. */
function meansOf(
  state: Order1State,
  { pairs, duals, inputs, slope, j }: Layer,
  cw: number,
): Pick<Order1State, 'kMean' | 'tMean'> {
  const { n, t, kMean, tMean, v, d, f } = state;
  const size = pairs.length;
  const at = (a: number, c: number, b: number, e: number): number => f[((a * n + c) * n + b) * n + e]!;
  const g1 = Float64Array.from(pairs, ([a, b]) => kMean[a * n + b]!);
  const next = new Float64Array(size);
  const nextT = new Float64Array(size);
  for (const [p, [a, b]] of pairs.entries()) {
    const on = inputs[p]!;
    const { kappa, slope: s, parallel } = duals[p]!;
    /** Half the sum of second derivatives times the covariances. */
    const curved = (second: readonly number[]): number =>
      product(second, (i) => v[on[Math.floor(i / on.length)]! * size + on[i % on.length]!]!) / 2;
    next[p] = product(j[p]!, (i) => g1[on[i]!]!) + cw * curved(kappa.second);
    const correlated = parallel
      ? 2 * s.first[0]! * at(a, a, a, a)
      : s.first[1]! * (at(a, a, b, b) + at(b, a, a, b)) +
        2 * s.first[0]! * at(a, a, a, b) +
        2 * s.first[2]! * at(b, a, b, b);
    nextT[p] =
      next[p]! +
      cw *
        (slope[p]! * tMean[a * n + b]! +
          t[a * n + b]! * (product(s.first, (i) => g1[on[i]!]!) + curved(s.second)) +
          product(s.first, (i) => d[on[i]! * size + p]!) +
          correlated);
  }
  return { kMean: symmetricOf(n, next), tMean: symmetricOf(n, nextT) };
}

/** The joint covariance of G and Hh: fluctuations of this layer's units, and those from below carried on. */
function covariancesOf(
  { n, t, v, d, a }: Order1State,
  { pairs, duals, inputs, slope, j, x }: Layer,
  { values, mixed, slopes }: FourPoint,
  { units, cw }: Order1Layer,
): Pick<Order1State, 'v' | 'd' | 'a'> {
  const size = pairs.length;
  const tangent = Float64Array.from(pairs, ([first, second]) => t[first * n + second]!);
  const kappa = Float64Array.from(duals, (dual) => dual.kappa.value);
  const rows = (rates: Layer['j'], m: Float64Array): Float64Array<ArrayBuffer> => {
    const out = new Float64Array(size * size);
    for (let p = 0; p < size; p++)
      for (const [i, from] of inputs[p]!.entries())
        for (let q = 0; q < size; q++) out[p * size + q]! += rates[p]![i]! * m[from * size + q]!;
    return out;
  };
  const [jv, jd, xv, xd] = [rows(j, v), rows(j, d), rows(x, v), rows(x, d)];
  const column = (rates: Layer['j'], m: Float64Array, p: number, q: number): number =>
    product(rates[q]!, (i) => m[p * size + inputs[q]![i]!]!);
  const [nextV, nextD, nextA] = [v, d, a].map(() => new Float64Array(size * size)) as [
    Float64Array<ArrayBuffer>,
    Float64Array<ArrayBuffer>,
    Float64Array<ArrayBuffer>,
  ];
  const scale = (cw * cw) / units;
  for (let p = 0; p < size; p++) {
    for (let q = 0; q < size; q++) {
      const pq = p * size + q;
      const [tp, tq] = [tangent[p]!, tangent[q]!];
      const c0 = values[pq]! - kappa[p]! * kappa[q]!;
      const c1 = (mixed[pq]! - kappa[p]! * slope[q]!) * tq;
      const c1Turned = (mixed[q * size + p]! - kappa[q]! * slope[p]!) * tp;
      const c2 = (slopes[pq]! - slope[p]! * slope[q]!) * tp * tq;
      const [sp, sq] = [cw * slope[p]!, cw * slope[q]!];
      nextV[pq] = scale * c0 + column(j, jv, p, q);
      nextD[pq] = scale * (c0 + c1) + column(x, jv, p, q) + jd[pq]! * sq;
      nextA[pq] =
        scale * (c0 + c1 + c1Turned + c2) +
        column(x, xv, p, q) +
        xd[pq]! * sq +
        xd[q * size + p]! * sp +
        sp * sq * a[pq]!;
    }
  }
  return { v: nextV, d: nextD, a: nextA };
}

/** F and B: what two different outputs share. */
function outputPairs(
  { n, t, f, b }: Order1State,
  { layer, slope, four }: { readonly layer: Layer; readonly slope: Float64Array; readonly four: FourPoint },
  { units, cw }: Order1Layer,
): Pick<Order1State, 'f' | 'b'> {
  const { pairs, duals } = layer;
  const size = pairs.length;
  // E[phi_a phi'_c g] = sum over e of P^e E[d g / d z_e]: by the slope for e = a, by E[phi_a phi''_c] for e = c.
  const bent = new Float64Array(n * n);
  for (const [p, [one, two]] of pairs.entries()) {
    const { parallel, kappa } = duals[p]!;
    if (parallel) continue;
    bent[one * n + two] = 2 * kappa.first[2]!;
    bent[two * n + one] = 2 * kappa.first[0]!;
  }
  const along = (a: number, c: number): number =>
    a === c ? duals[pairIndex(n, a, a)]!.kappa.first[0]! : slope[a * n + c]!;
  const square = cw * cw;
  const [nextF, nextB] = [new Float64Array(n ** 4), new Float64Array(n ** 4)];
  for (let a = 0; a < n; a++) {
    for (let c = 0; c < n; c++) {
      const [pa, pc] = [along(a, c), bent[a * n + c]!];
      for (let e = 0; e < n; e++) {
        for (let g = 0; g < n; g++) {
          const at = ((a * n + c) * n + e) * n + g;
          const [qe, qg] = [along(e, g), bent[e * n + g]!];
          const before = (first: number, second: number): number =>
            f[((first * n + c) * n + second) * n + g]!;
          const carried =
            pa * (qe * before(a, e) + (qg === 0 ? 0 : qg * before(a, g))) +
            (pc === 0 ? 0 : pc * (qe * before(c, e) + (qg === 0 ? 0 : qg * before(c, g))));
          const from = pairIndex(n, a, e) * size + pairIndex(n, c, g);
          const [tae, tcg] = [t[a * n + e]!, t[c * n + g]!];
          nextF[at] = square * ((four.mixed[from]! * tcg) / units + carried);
          nextB[at] =
            square *
            ((four.slopes[from]! * tae * tcg) / units + slope[a * n + c]! * slope[e * n + g]! * b[at]!);
        }
      }
    }
  }
  return { f: nextF, b: nextB };
}
