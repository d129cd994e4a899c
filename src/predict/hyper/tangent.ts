// Forward-mode derivatives of the dense kernel recursion, contracted with a weight matrix pair by pair: the gradient of
// any function of the kernel matrix with respect to every wStd and bStd, without storing a matrix per parameter.
// Duals: Cho & Saul 2009 (arc-cosine), Williams 1997 (erf); their second derivatives follow by hand.
import { acos, asin } from '../../math/elementary.js';
import { gram, mirror } from '../../math/matmul.js';
import { defineJob, type Job } from '../../wasm/engine.js';
import { stage } from '../linear.js';
import type { ActivationStep, Step } from './steps.js';

/** kappa and kappa' = d kappa / d k, with their derivatives in (k, q1, q2). */
interface DualDerivatives {
  value: number;
  slope: number;
  byQ1: number;
  byQ2: number;
  slopeByK: number;
  slopeByQ1: number;
  slopeByQ2: number;
}

/** The dual of an activation at covariance k and variances q1, q2 (written into `out`). */
export function dualDerivatives(
  step: ActivationStep,
  k: number,
  q1: number,
  q2: number,
  out: DualDerivatives,
): void {
  if (step.kind === 'erf') erfDual(step, k, q1, q2, out);
  else reluDual(step, k, q1, q2, out);
}

function reluDual(
  { a, b }: { a: number; b: number },
  k: number,
  q1: number,
  q2: number,
  out: DualDerivatives,
): void {
  const size = Math.sqrt(q1 * q2);
  const gap = (a - b) * (a - b);
  const cosine = size > 0 ? Math.max(-1, Math.min(1, k / size)) : 0;
  const sine = Math.sqrt((1 - cosine) * (1 + cosine));
  const share = (Math.PI - acos(cosine)) / (2 * Math.PI);
  out.value = gap * size * (sine / (2 * Math.PI) + cosine * share) + a * b * k;
  out.slope = gap * share + a * b;
  const edge = size > 0 ? (gap * size * sine) / (4 * Math.PI) : 0;
  out.byQ1 = size > 0 ? edge / q1 : 0;
  out.byQ2 = size > 0 ? edge / q2 : 0;
  // On the diagonal the angle is 0 whatever the parameters: its derivative is 0, not 0/0.
  const turn = sine > 1e-9 ? gap / (2 * Math.PI * sine) : 0;
  out.slopeByK = size > 0 ? turn / size : 0;
  out.slopeByQ1 = size > 0 ? (-turn * cosine) / (2 * q1) : 0;
  out.slopeByQ2 = size > 0 ? (-turn * cosine) / (2 * q2) : 0;
}

function erfDual(
  { a, b, c }: { a: number; b: number; c: number },
  k: number,
  q1: number,
  q2: number,
  out: DualDerivatives,
): void {
  const u = 2 * b * b * k;
  const [one, two] = [1 + 2 * b * b * q1, 1 + 2 * b * b * q2];
  const square = one * two - u * u;
  const root = Math.sqrt(square);
  const factor = (2 / Math.PI) * a * a;
  out.value = factor * asin(Math.max(-1, Math.min(1, u / Math.sqrt(one * two)))) + c * c;
  out.slope = (2 * factor * b * b) / root;
  out.byQ1 = (-factor * u * b * b) / (one * root);
  out.byQ2 = (-factor * u * b * b) / (two * root);
  out.slopeByK = (out.slope * u * 2 * b * b) / square;
  out.slopeByQ1 = (-out.slope * b * b * two) / square;
  out.slopeByQ2 = (-out.slope * b * b * one) / square;
}

export interface ContractParams {
  readonly steps: readonly Step[];
  /** The parameters, as (step, is it wStd). */
  readonly parameters: readonly { readonly step: number; readonly wStd: boolean }[];
  /** (n, features) */
  readonly x: Float64Array;
  readonly n: number;
  /** Symmetric (n, n). */
  readonly weights: Float64Array;
  readonly ntk: boolean;
}

/** @internal sum_ij weights_ij d kernel_ij / d parameter, for every parameter. */
export const contractJob: Job<ContractParams, Float64Array> = defineJob(
  'predict/contract',
  (core, params) => {
    const { x, n, weights } = params;
    const features = x.length / n;
    const inputs = core.heap.scope((scope) => {
      const c = scope.alloc('f64', n * n);
      gram(core, stage(scope, core, x), c, [n, features], { alpha: 1 / features });
      mirror(core, c, n);
      return core.heap.read(c);
    });
    const recursion = new Recursion(params);
    const sides = Array.from({ length: n }, (_, i) => recursion.side(inputs[i * n + i]!));
    const total = new Float64Array(params.parameters.length);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j <= i; j++) {
        const weight = (i === j ? 1 : 2) * weights[i * n + j]!;
        if (weight !== 0) recursion.pair(inputs[i * n + j]!, sides[i]!, sides[j]!, i === j, weight, total);
      }
    }
    return total;
  },
);

/** Variances of one sample before every activation, and their derivatives: [activation][0 or 1 + parameter]. */
type SideValues = readonly Float64Array[];

class Recursion {
  readonly #params: ContractParams;
  readonly #count: number;
  readonly #dual: DualDerivatives = {
    value: 0,
    slope: 0,
    byQ1: 0,
    byQ2: 0,
    slopeByK: 0,
    slopeByQ1: 0,
    slopeByQ2: 0,
  };
  readonly #dk: Float64Array;
  readonly #dt: Float64Array;
  /** For every dense step, the indices of the parameters that are its own wStd and bStd, or -1. */
  readonly #own: readonly (readonly [number, number])[];

  constructor(params: ContractParams) {
    this.#params = params;
    this.#count = params.parameters.length;
    this.#dk = new Float64Array(this.#count);
    this.#dt = new Float64Array(this.#count);
    const find = (step: number, wStd: boolean): number =>
      params.parameters.findIndex((parameter) => parameter.step === step && parameter.wStd === wStd);
    this.#own = params.steps.map((_, step) => [find(step, true), find(step, false)]);
  }

  side(q: number): SideValues {
    const list: Float64Array[] = [];
    const now = new Float64Array(1 + this.#count);
    now[0] = q;
    for (const [index, step] of this.#params.steps.entries()) {
      if (step.kind === 'dense') {
        const [w, b] = this.#own[index]!;
        const before: number = now[0]!;
        const ww = step.wStd * step.wStd;
        const bias = step.bStd ?? 0;
        now[0] = ww * before + bias * bias;
        for (let p = 0; p < this.#count; p++) now[1 + p]! *= ww;
        if (w >= 0) now[1 + w]! += 2 * step.wStd * before;
        if (b >= 0) now[1 + b]! += 2 * bias;
      } else {
        list.push(now.slice());
        const dual = this.#dual;
        dualDerivatives(step, now[0]!, now[0]!, now[0]!, dual);
        const slope = dual.slope + dual.byQ1 + dual.byQ2;
        now[0] = dual.value;
        for (let p = 0; p < this.#count; p++) now[1 + p]! *= slope;
      }
    }
    return list;
  }

  /** Adds weight * d kernel / d parameter of one pair to `total`. */
  pair(
    input: number,
    one: SideValues,
    two: SideValues,
    same: boolean,
    weight: number,
    total: Float64Array,
  ): void {
    const [dk, dt, dual, count] = [this.#dk.fill(0), this.#dt.fill(0), this.#dual, this.#count];
    let [k, t, layer] = [input, 0, 0];
    for (const [index, step] of this.#params.steps.entries()) {
      if (step.kind === 'dense') {
        const [w, b] = this.#own[index]!;
        const [ww, bias] = [step.wStd * step.wStd, step.bStd ?? 0];
        for (let p = 0; p < count; p++) {
          dt[p] = ww * dt[p]! + (step.width ?? 0) * dk[p]!;
          dk[p]! *= ww;
        }
        if (w >= 0) {
          dk[w]! += 2 * step.wStd * k;
          dt[w]! += 2 * step.wStd * t;
        }
        if (b >= 0) dk[b]! += 2 * bias;
        if (step.width === null) for (let p = 0; p < count; p++) dt[p]! += dk[p]!;
        const own = step.width === null ? 0 : step.width * k + +(step.bStd !== null);
        k = ww * k + bias * bias;
        t = ww * t + (step.width === null ? k : own);
        continue;
      }
      const [q1, q2] = [one[layer]!, two[layer]!];
      layer++;
      dualDerivatives(step, same ? q1[0]! : k, q1[0]!, q2[0]!, dual);
      for (let p = 0; p < count; p++) {
        const bend = dual.slopeByK * dk[p]! + dual.slopeByQ1 * q1[1 + p]! + dual.slopeByQ2 * q2[1 + p]!;
        dt[p] = bend * t + dual.slope * dt[p]!;
        dk[p] = dual.slope * dk[p]! + dual.byQ1 * q1[1 + p]! + dual.byQ2 * q2[1 + p]!;
      }
      k = dual.value;
      t *= dual.slope;
    }
    const result = this.#params.ntk ? dt : dk;
    for (let p = 0; p < count; p++) total[p]! += weight * result[p]!;
  }
}
