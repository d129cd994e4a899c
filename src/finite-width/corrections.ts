// The public call: kernels of a finite net to first order in 1/width.
import type { NetDocument } from '../net/document.js';
import type { TensorLike, Tensor } from '../math/tensor.js';
import { knownFields, type Engine, type Fields } from '../wasm/engine.js';
import { denseChain, firstCovariance, samplesOf, type DenseChain } from './dense-chain.js';
import { familyOf } from './family.js';
import { fourPoint, integralCount } from './four-point.js';
import { pairCount, pairIndex } from './pairs.js';
import { dualsOf, firstState, nextState, type Order1State } from './recursion.js';

export interface FiniteWidthOptions {
  /** Also the kernels of every layer, not only of the outputs; default false. */
  readonly perLayer?: boolean;
  /**
   * Nets whose largest relative variance of a kernel's diagonal is above this are refused; default 0.5. Beyond it the next
   * order counts as much as this one.
   */
  readonly mostExpansion?: number;
  readonly signal?: AbortSignal;
  /** Four-point integrals done and in total. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
}

/** @internal */
export const FINITE_WIDTH_FIELDS: Fields<FiniteWidthOptions> = {
  perLayer: true,
  mostExpansion: true,
  signal: true,
  onProgress: true,
};

/** What a call will need. */
export interface FiniteWidthPlan {
  readonly samples: number;
  /** Four-point integrals of all layers: they are most of the time. */
  readonly integrals: number;
  readonly bytes: number;
}

/**
 * Random nets at their start, to first order in 1/width: every number contains its 1/width. Arguments a, b, c, d of the
 * functions are samples. G is the covariance of an output given the layers below (its mean over nets is the NNGP), H the
 * empirical tangent kernel.
 */
export interface FiniteWidthKernels {
  readonly samples: number;
  /** Hidden widths. */
  readonly widths: readonly number[];
  /** Limits, (n, n). */
  readonly nngp: Tensor<Float64Array>;
  readonly ntk: Tensor<Float64Array>;
  /** Means over nets minus the limits, (n, n). */
  readonly nngpShift: Tensor<Float64Array>;
  readonly ntkShift: Tensor<Float64Array>;
  /** Variances over nets of every entry, (n, n); of the NTK of one output. */
  readonly nngpVariance: Tensor<Float64Array>;
  readonly ntkVariance: Tensor<Float64Array>;
  /** The largest of Var(G_aa)/K_aa^2 and Var(H_aa)/T_aa^2: what the expansion is in. */
  readonly expansion: number;
  /** Cov(G_ab, G_cd), which is the connected correlator of two neurons, E[f_ia f_ib f_jc f_jd]. */
  nngpCovariance(a: number, b: number, c: number, d: number): number;
  /** The connected four-point correlator of one output, E[f_a f_b f_c f_d] minus its Gaussian part. */
  fourPoint(a: number, b: number, c: number, d: number): number;
  /** Cov(H_ab, H_cd) of one output. */
  ntkCovariance(a: number, b: number, c: number, d: number): number;
  /** The same for the tangent kernels of two different outputs. */
  ntkCovarianceOfOutputs(a: number, b: number, c: number, d: number): number;
  /** Cov(H_ab, H_cd) of the mean over `outputs` outputs. */
  averageNtkCovariance(outputs: number, a: number, b: number, c: number, d: number): number;
  /** E[H_ij,ab H_ij,cd] of two different outputs i, j; the mean of H_ij is zero. */
  crossNtkCovariance(a: number, b: number, c: number, d: number): number;
  /** Cov(G_ab, H_cd). */
  nngpNtkCovariance(a: number, b: number, c: number, d: number): number;
  /** E[f_ia f_jb H_ij,cd] of two different outputs. */
  outputsNtk(a: number, b: number, c: number, d: number): number;
  /** Cov(f_a f_b, H_cd) of one output. */
  outputNtkCovariance(a: number, b: number, c: number, d: number): number;
  /** With `perLayer`: the same for the preactivations of every dense layer, the outputs last. */
  readonly layers?: readonly FiniteWidthKernels[];
}

/** Bytes and integrals of a call before it runs. RangeError for nets that are not covered. */
export function planFiniteWidth(net: NetDocument, samples: number): FiniteWidthPlan {
  return planOf(denseChain('planFiniteWidth', net), 'planFiniteWidth', samples);
}

function planOf({ steps }: DenseChain, where: string, n: number, perLayer = false): FiniteWidthPlan {
  if (!Number.isSafeInteger(n) || n < 1)
    throw new RangeError(`${where}: samples must be a whole number >= 1, got ${n}.`);
  const [pairs, fours] = [pairCount(n) ** 2, n ** 4];
  const state = 3 * pairs + 2 * fours;
  const kept = perLayer ? (steps.length + 1) * state : 2 * state;
  // Integrals and products of J with the covariances are there beside the states.
  return { samples: n, integrals: steps.length * integralCount(n), bytes: 8 * (kept + 8 * pairs) };
}

/**
 * Mean and covariance over random nets of the NNGP and NTK of a dense net, to first order in 1/width, by the recursion of
 * its kernels (Roberts, Yaida & Hanin, arXiv:2106.10165; Yaida, arXiv:1910.00019).
 *
 * @param net dense layers in NTK parametrisation with activations between; their units are the widths.
 * @param x samples (n, features), a handful: time and memory grow as n^4.
 * @returns limits, shifts and covariances; see `FiniteWidthKernels`.
 * @throws RangeError for layers that are not covered, more memory than the engine may use, or nets too narrow for their
 * depth (`mostExpansion`); NumericalError where an integral of a custom activation is not resolved.
 *
 * @example
 * const net = serial(dense(256, { wStd: Math.SQRT2 }), relu(), dense(256, { wStd: Math.SQRT2 }), relu(), dense(1));
 * const { ntk, ntkShift, ntkVariance } = await finiteWidthCorrections(engine, net, [[1, 0], [0.6, 0.8]]);
 */
export async function finiteWidthCorrections(
  engine: Engine,
  net: NetDocument,
  x: TensorLike,
  options: FiniteWidthOptions = {},
): Promise<FiniteWidthKernels> {
  const where = 'finiteWidthCorrections';
  knownFields(where, options, FINITE_WIDTH_FIELDS);
  const chain = denseChain(where, net);
  const samples = samplesOf(where, x);
  const states = await order1States(engine, where, { chain, samples }, options);
  const widths = chain.steps.map(({ units }) => units);
  const results = states.map((state, l) =>
    kernelsOf(state, widths.slice(0, widths.length - states.length + 1 + l)),
  );
  const last = results.at(-1)!;
  checkExpansion(where, last, options.mostExpansion ?? 0.5);
  return options.perLayer ? { ...last, layers: results } : last;
}

/** The states of all dense layers, or of the outputs alone. */
async function order1States(
  engine: Engine,
  where: string,
  { chain, samples }: { readonly chain: DenseChain; readonly samples: Tensor & { readonly n: number } },
  { perLayer = false, signal, onProgress }: FiniteWidthOptions,
): Promise<Order1State[]> {
  const { n } = samples;
  const { bytes, integrals } = planOf(chain, where, n, perLayer);
  if (bytes > engine.memoryBytes)
    throw new RangeError(
      `${where}: ${n} samples need ${bytes} bytes, the limit is ${engine.memoryBytes}. They grow as the fourth power of the samples: take fewer, or raise memoryBytes.`,
    );
  let state = firstState(firstCovariance(chain, samples), n);
  const states = [state];
  const each = integrals / chain.steps.length;
  for (const [l, { activation, ...after }] of chain.steps.entries()) {
    checkVariances(where, state, l);
    const follow = {
      signal,
      onDone: (done: number, total: number) =>
        onProgress?.({ done: (l + done / total) * each, total: integrals }),
    };
    const duals = dualsOf(familyOf(activation), state);
    const four = await fourPoint(engine, activation, state, follow);
    state = nextState(state, duals, four, after);
    states.push(state);
  }
  return perLayer ? states : [state];
}

function checkVariances(where: string, { k, n }: Order1State, l: number): void {
  for (let a = 0; a < n; a++)
    if (!(k[a * n + a]! > 0))
      throw new RangeError(
        `${where}: sample ${a} has variance ${k[a * n + a]} in dense layer ${l}, expected a positive one. Leave out zero samples, or give the layers a bias (bStd).`,
      );
}

function checkExpansion(where: string, { expansion, widths }: FiniteWidthKernels, most: number): void {
  if (!(expansion <= most))
    throw new RangeError(
      `${where}: the kernels' relative variance at widths ${widths.join(', ')} is ${expansion.toPrecision(3)}, expected at most ${most}: the next order in 1/width counts as much. Widen the net, or train finite nets instead (mostExpansion moves the bound).`,
    );
}

function kernelsOf(state: Order1State, widths: readonly number[]): FiniteWidthKernels {
  const { n, k, t, kMean, tMean, v, d, a: hh, f, b: shared } = state;
  const size = pairCount(n);
  const sample = (value: number): number => {
    if (Number.isInteger(value) && value >= 0 && value < n) return value;
    throw new RangeError(`finiteWidthCorrections: expected a sample from 0 to ${n - 1}, got ${value}.`);
  };
  const pairs =
    (m: Float64Array) =>
    (a: number, b: number, c: number, e: number): number =>
      m[pairIndex(n, sample(a), sample(b)) * size + pairIndex(n, sample(c), sample(e))]!;
  const fours = (m: Float64Array, a: number, c: number, b: number, e: number): number =>
    m[((sample(a) * n + sample(c)) * n + sample(b)) * n + sample(e)]!;
  const [vOf, dOf, aOf] = [pairs(v), pairs(d), pairs(hh)];
  const cross = (a: number, b: number, c: number, e: number): number =>
    fours(shared, a, c, b, e) + fours(shared, a, e, b, c);
  const ntkCovariance = (a: number, b: number, c: number, e: number): number =>
    aOf(a, b, c, e) + cross(a, b, c, e);
  const matrix = (entry: (a: number, b: number) => number): Tensor<Float64Array> => ({
    data: Float64Array.from({ length: n * n }, (_, i) => entry(Math.floor(i / n), i % n)),
    shape: [n, n],
  });
  let expansion = 0;
  for (let a = 0; a < n; a++) {
    const [kaa, taa] = [k[a * n + a]!, t[a * n + a]!];
    expansion = Math.max(expansion, vOf(a, a, a, a) / (kaa * kaa), ntkCovariance(a, a, a, a) / (taa * taa));
  }
  return {
    samples: n,
    widths,
    nngp: { data: k, shape: [n, n] },
    ntk: { data: t, shape: [n, n] },
    nngpShift: { data: kMean, shape: [n, n] },
    ntkShift: { data: tMean, shape: [n, n] },
    nngpVariance: matrix((a, b) => vOf(a, b, a, b)),
    ntkVariance: matrix((a, b) => ntkCovariance(a, b, a, b)),
    expansion,
    nngpCovariance: vOf,
    fourPoint: (a, b, c, e) => vOf(a, b, c, e) + vOf(a, c, b, e) + vOf(a, e, b, c),
    ntkCovariance,
    ntkCovarianceOfOutputs: aOf,
    averageNtkCovariance(outputs, a, b, c, e) {
      if (!Number.isInteger(outputs) || outputs < 1)
        throw new RangeError(`averageNtkCovariance: outputs must be a whole number >= 1, got ${outputs}.`);
      return aOf(a, b, c, e) + cross(a, b, c, e) / outputs;
    },
    crossNtkCovariance: (a, b, c, e) => fours(shared, a, c, b, e),
    nngpNtkCovariance: dOf,
    outputsNtk: (a, b, c, e) => fours(f, a, c, b, e),
    outputNtkCovariance: (a, b, c, e) => dOf(a, b, c, e) + fours(f, a, c, b, e) + fours(f, a, e, b, c),
  };
}
