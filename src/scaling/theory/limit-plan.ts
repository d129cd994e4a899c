// Which equation a scaling's infinitely wide net obeys (arXiv:2006.06574, section 3 and appendix).
import { classify, type CellId } from './classify.js';
import { powersOf } from './exponents.js';
import { add, equal, signOf, toNumber } from './rational.js';
import { scaling as complete, type ScalingSpec } from './scalings.js';

/** The ingredients of a limit: logits behave as wf^power times the outputs of this model. */
export interface LimitPlan {
  readonly name: string;
  readonly cell: CellId | null;
  /** `particles`: features move, simulated by many units. `kernel`: a fixed kernel, exact recursion. */
  readonly kind: 'particles' | 'kernel';
  /** Power of the width factor in the logits at the start (A) and later (L), and their signs. */
  readonly startPower: number;
  readonly power: number;
  readonly startSign: -1 | 0 | 1;
  readonly sign: -1 | 0 | 1;
  /** The Gaussian start belongs to the outputs at all steps (A = L, or init-corrected), not only to the first gradient. */
  readonly keepsStart: boolean;
  /** Which layers' part of the kernel counts, and move. */
  readonly layers: { readonly input: boolean; readonly output: boolean };
  /** Weights of this layer start negligibly small compared with their increments. */
  readonly outputFromZero: boolean;
  /** Input weights that do keep their initial direction until the first step: phi' at the start is theirs. */
  readonly inputFromZero: boolean;
}

/** RangeError for scalings without a limit, or with one that is not simulated here. */
export function limitPlan(spec: ScalingSpec): LimitPlan {
  const full = complete(spec);
  const { status, cell } = classify(spec);
  if (status !== 'stable') {
    throw new RangeError(
      `limitModel: ${full.name} is ${status}, it has no limit to simulate. See classify and explain.`,
    );
  }
  const { A, u, v, logits } = powersOf(spec);
  const corrected = full.initCorrection !== 'none';
  if (corrected && cell !== 'meanField') {
    throw new RangeError(
      `limitModel: initial corrections are defined for mean-field rates, got ${full.name}`,
    );
  }
  const same = equal(u, v);
  const growth = signOf(add(u, v), 0);
  const moves = v.num >= 0n || growth === 0; // input weights change by at least their own size
  return {
    name: full.name,
    cell: corrected ? null : cell,
    kind: moves ? 'particles' : 'kernel',
    startPower: corrected ? 0 : toNumber(A),
    power: toNumber(logits),
    startSign: corrected ? 0 : signOf(A, 0),
    sign: signOf(logits, 0),
    keepsStart: corrected || equal(A, logits),
    layers: {
      input: same || growth === 0 || toNumber(v) > toNumber(u),
      output: same || growth === 0 || toNumber(u) > toNumber(v),
    },
    outputFromZero: !same && u.num > 0n,
    inputFromZero: !same && v.num > 0n,
  };
}
