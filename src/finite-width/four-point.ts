// The Gaussian expectations of four factors that one layer of the recursion needs, for all samples: jobs over sets of at most
// four distinct samples, so that what a set shares (its axes, its grid) is made once.
import { usesFunctions } from '../layers/registry.js';
import type { Layer } from '../layers/vocabulary.js';
import { defineJob, type Engine, type Job, type RunOptions } from '../wasm/engine.js';
import { familyOf, type HiddenActivation, type Pattern } from './family.js';
import { pairCount, pairIndex, pairList } from './pairs.js';

/** Over pairs p, q of samples, P x P each. */
export interface FourPoint {
  /** E[phi phi | phi phi], E[phi phi | phi' phi'] (rows: phi), E[phi' phi' | phi' phi']. */
  readonly values: Float64Array;
  readonly mixed: Float64Array;
  readonly slopes: Float64Array;
}

interface Params {
  readonly activation: HiddenActivation;
  readonly k: Float64Array;
  readonly n: number;
  /** Four numbers per set, -1 where it has fewer samples. */
  readonly sets: Int32Array;
}

/** @internal the values of all patterns of all sets, one after the other */
export const fourPointJob: Job<Params, Float64Array> = defineJob(
  'finite-width/four-point',
  async (_, { activation, k, n, sets }, { send, breathe }) => {
    const family = familyOf(activation);
    const out: number[] = [];
    for (let at = 0; at < sets.length; at += 4) {
      const set = members(sets, at);
      const m = set.length;
      const block = Float64Array.from(
        { length: m * m },
        (_, i) => k[set[Math.floor(i / m)]! * n + set[i % m]!]!,
      );
      out.push(...family.block(block, m, patternsOf(m)));
      if (at % 256 === 0) send(at / sets.length);
      await breathe();
    }
    return Float64Array.from(out);
  },
  ({ activation }) => activation.layer !== 'linear' && usesFunctions(activation as Layer),
);

const members = (sets: Int32Array, at: number): number[] =>
  [...sets.subarray(at, at + 4)].filter((i) => i >= 0);

const known: (readonly Pattern[])[] = [];

/** The patterns of four factors in which each of m samples stands at least once. */
function patternsOf(m: number): readonly Pattern[] {
  const kept = known[m];
  if (kept) return kept;
  const list: Pattern[] = [];
  const whole = (all: readonly number[]): boolean => new Set(all).size === m;
  for (let i = 0; i < m; i++)
    for (let j = i; j < m; j++)
      for (let k = j; k < m; k++)
        for (let l = k; l < m; l++)
          if (whole([i, j, k, l]))
            list.push({ phi: [i, j, k, l], slope: [] }, { phi: [], slope: [i, j, k, l] });
  for (const phi of pairList(m))
    for (const slope of pairList(m)) if (whole([...phi, ...slope])) list.push({ phi, slope });
  return (known[m] = list);
}

/** Sets of at most four of n samples. */
function setsOf(n: number): Int32Array {
  const list: number[] = [];
  for (let a = 0; a < n; a++) {
    list.push(a, -1, -1, -1);
    for (let b = a + 1; b < n; b++) {
      list.push(a, b, -1, -1);
      for (let c = b + 1; c < n; c++) {
        list.push(a, b, c, -1);
        for (let d = c + 1; d < n; d++) list.push(a, b, c, d);
      }
    }
  }
  return Int32Array.from(list);
}

/** How many integrals n samples need per layer. */
export const integralCount = (n: number): number =>
  (2 * (n * (n + 1) * (n + 2) * (n + 3))) / 24 + pairCount(n) * pairCount(n);

/** Sets per job; results do not depend on it. */
const SETS = 256;

/** All expectations of a layer whose covariance is `k` (n x n). */
export async function fourPoint(
  engine: Engine,
  activation: HiddenActivation,
  { k, n }: { readonly k: Float64Array; readonly n: number },
  run: RunOptions,
): Promise<FourPoint> {
  const sets = setsOf(n);
  const jobs: Params[] = [];
  for (let at = 0; at < sets.length; at += 4 * SETS)
    jobs.push({ activation, k, n, sets: sets.slice(at, at + 4 * SETS) });
  const results = await engine.map(fourPointJob, jobs, run);
  const size = pairCount(n);
  const found = {
    values: new Float64Array(size * size),
    mixed: new Float64Array(size * size),
    slopes: new Float64Array(size * size),
  };
  for (const [j, { sets: part }] of jobs.entries()) {
    let next = 0;
    for (let at = 0; at < part.length; at += 4) {
      const set = members(part, at);
      for (const pattern of patternsOf(set.length)) place(found, n, { set, pattern }, results[j]![next++]!);
    }
  }
  return found;
}

/** Writes a value wherever its pattern stands: in all three pairings where all factors are of one kind. */
function place(
  { values, mixed, slopes }: FourPoint,
  n: number,
  { set, pattern }: { readonly set: readonly number[]; readonly pattern: Pattern },
  value: number,
): void {
  const size = pairCount(n);
  const pair = (i: number, j: number): number => pairIndex(n, set[i]!, set[j]!);
  const { phi, slope } = pattern;
  if (phi.length === 2) {
    mixed[pair(phi[0]!, phi[1]!) * size + pair(slope[0]!, slope[1]!)] = value;
    return;
  }
  const target = phi.length === 4 ? values : slopes;
  const [i, j, k, l] = (phi.length === 4 ? phi : slope) as [number, number, number, number];
  for (const [p, q] of [
    [pair(i, j), pair(k, l)],
    [pair(i, k), pair(j, l)],
    [pair(i, l), pair(j, k)],
  ] as const)
    target[p * size + q] = target[q * size + p] = value;
}
