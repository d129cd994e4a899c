// What a parametrisation of a net of any depth does as its width n grows: W_l = n^-a_l w_l, w_l ~ N(0, n^-2b_l), rate
// eta n^-c_l. SGD: Yang & Hu, arXiv:2011.14522; entrywise optimisers: Yang & Littwin, arXiv:2308.01814. Only two numbers
// per matrix matter, A_l = a_l + b_l (entries at the start ~ n^-A_l) and C_l (its step), so everything is said in them.
import {
  add,
  below,
  equal,
  format,
  HALF,
  max,
  min,
  negate,
  ONE,
  subtract,
  sum,
  times,
  toRational,
  ZERO,
  type Exponent,
  type Rational,
} from '../theory/rational.js';
import { knownFields } from '../../wasm/engine.js';
import { commonName } from './common.js';
import { optimizerRule, type RuleOptimizer, type UpdateFamily } from './optimizers.js';
import { deepWords, type Violation } from './words.js';

/** One exponent per matrix from input to output: hidden layers + 1 of them, two at least. */
export interface DeepAbc {
  readonly a: readonly Exponent[];
  readonly b: readonly Exponent[];
  /** Of the rate: one for all, or one per matrix. */
  readonly c: Exponent | readonly Exponent[];
  /** Default `sgd`. */
  readonly optimizer?: RuleOptimizer;
  /** Exponents d_l of epsilon, eps_l ~ n^-d_l (optimisers with one). Left out: it follows the gradient. */
  readonly d?: readonly Exponent[];
}

/** The same by its invariants. */
export interface DeepInvariants {
  readonly A: readonly Exponent[];
  /** Of the step of W_l: n^-C_l times delta x^T (SGD), entries of order 1 (entrywise, relative), or U V^T (spectral). */
  readonly C: readonly Exponent[];
  readonly optimizer?: RuleOptimizer;
}

export type DeepClass = 'feature' | 'kernel' | 'trivial' | 'unstable';

export interface DeepClassification {
  /** Exactly one holds. */
  readonly class: DeepClass;
  /** What people call this choice, where it is a common one. */
  readonly name: string | null;
  readonly family: UpdateFamily;
  readonly hiddenLayers: number;
  readonly A: readonly string[];
  readonly C: readonly string[];
  /** Change of h_l by its own step ~ n^-r_l, and the least of them: 0 where features move. */
  readonly r: string;
  readonly rLayers: readonly string[];
  /** dL/dh ~ n^-gradient once training has begun; n^-A of the readout before. */
  readonly gradient: string;
  /** Powers of n of the change of every h_l, layers before it included, after training has begun and at the first step. */
  readonly changes: readonly string[];
  readonly firstChanges: readonly string[];
  /** Powers of n of the output: at the start, its change by the readout's own step, by features, and the larger of the two. */
  readonly logits: {
    readonly init: string;
    readonly readout: string;
    readonly features: string;
    readonly change: string;
    readonly firstChange: string;
  };
  readonly initStable: boolean;
  readonly stable: boolean;
  readonly nontrivial: boolean;
  readonly featureLearning: boolean;
  readonly kernel: boolean;
  /** Which hidden layers learn features. */
  readonly learns: readonly boolean[];
  readonly uniform: boolean;
  readonly maximal: boolean;
  /** Powers of n of the entries of dL/dw_l once training has begun; null where only A and C are given. */
  readonly gradients: readonly string[] | null;
  /** d_l that keep epsilon beside the gradient, and whether the given ones (and the gradients' order) do; null without. */
  readonly epsExponents: readonly string[] | null;
  readonly faithful: boolean | null;
  /** The inequalities that fail, first the one to mend first. */
  readonly violations: readonly Violation[];
  /** In words. */
  readonly words: readonly string[];
}

interface Invariants {
  readonly family: UpdateFamily;
  readonly A: readonly Rational[];
  readonly C: readonly Rational[];
  readonly a: readonly Rational[] | null;
  readonly d: readonly Rational[] | null;
  readonly hasEps: boolean;
}

/** Whether a spec speaks of a net of any depth rather than of the plane of one hidden layer. */
export const isDeep = (spec: object): spec is DeepAbc | DeepInvariants => 'a' in spec || 'A' in spec;

function list(name: string, value: unknown, length?: number): Rational[] {
  const entries = Array.isArray(value) ? (value as Exponent[]) : [];
  if (entries.length < 2 || (length !== undefined && entries.length !== length)) {
    throw new RangeError(
      `classify: ${name} must have one exponent per weight matrix, ${length ?? 'at least two'}, got ${Array.isArray(value) ? entries.length : String(value)}.`,
    );
  }
  return entries.map((entry, l) => toRational(entry, `classify: ${name}[${l}]`));
}

function invariantsOf(spec: DeepAbc | DeepInvariants): Invariants {
  const { family, hasEps } = optimizerRule('classify', spec.optimizer ?? 'sgd');
  if ('A' in spec) {
    knownFields<DeepInvariants>('classify', spec, { A: true, C: true, optimizer: true });
    const A = list('A', spec.A);
    return { family, hasEps, A, C: list('C', spec.C, A.length), a: null, d: null };
  }
  knownFields<DeepAbc>('classify', spec, { a: true, b: true, c: true, d: true, optimizer: true });
  const a = list('a', spec.a);
  const b = list('b', spec.b, a.length);
  const c = Array.isArray(spec.c)
    ? list('c', spec.c, a.length)
    : a.map(() => toRational(spec.c as Exponent, 'classify: c'));
  if (spec.d !== undefined && !hasEps)
    throw new RangeError(`classify: d is of epsilon, and ${spec.optimizer ?? 'sgd'} has none. Leave it out.`);
  const A = a.map((al, l) => add(al, b[l]!));
  const C = c.map((cl, l) =>
    family === 'relative' ? add(A[l]!, cl) : add(times(a[l]!, family === 'sgd' ? 2n : 1n), cl),
  );
  return { family, hasEps, A, C, a, d: spec.d === undefined ? null : list('d', spec.d, a.length) };
}

/**
 * C_l as if the step had coherent entries n^-C_l: U V^T of a matrix with one wide side has entries n^-1/2, with two wide
 * sides it moves its outputs as entries n^-1 do.
 */
function coherent({ family, C }: Invariants): Rational[] {
  const last = C.length - 1;
  return C.map((cl, l) => (family === 'spectral' ? add(cl, l === 0 || l === last ? HALF : ONE) : cl));
}

/** @internal The deep half of `classify`. */
export function classifyDeep(spec: DeepAbc | DeepInvariants): DeepClassification {
  const given = invariantsOf(spec);
  const { family, A, C } = given;
  const step = coherent(given);
  const last = A.length - 1;
  const readout = A[last]!;
  const gradient = min(readout, step[last]!);
  const rOf = (G: Rational): Rational[] =>
    step.slice(0, last).map((cl, l) => sum(cl, l === 0 ? ZERO : negate(ONE), family === 'sgd' ? G : ZERO));
  const rLayers = rOf(gradient);
  const r = min(...rLayers);
  const rFirst = rOf(readout);
  const upTo = (values: readonly Rational[]): Rational[] =>
    values.map((_, l) => min(...values.slice(0, l + 1)));
  const own = subtract(ONE, step[last]!);
  const through = sum(ONE, negate(readout), negate(r));
  const firstThrough = sum(ONE, negate(readout), negate(min(...rFirst)));
  const violations = violationsOf(given, { r: rLayers, own, through });
  const initStable = !violations.some(({ at }) => at === 'start');
  const stable = violations.length === 0;
  const nontrivial = stable && (own.num === 0n || through.num === 0n);
  const moves = upTo(rLayers);
  const featureLearning = nontrivial && r.num === 0n;
  const zero = (values: readonly Rational[]): boolean => values.every(({ num }) => num === 0n);
  const eps = epsOf(given, gradient);
  const result = {
    class: !stable ? 'unstable' : !nontrivial ? 'trivial' : featureLearning ? 'feature' : 'kernel',
    name: commonName(family, A.map(format), C.map(format)),
    family,
    hiddenLayers: last,
    A: A.map(format),
    C: C.map(format),
    r: format(r),
    rLayers: rLayers.map(format),
    gradient: format(gradient),
    changes: moves.map((power) => format(negate(power))),
    firstChanges: upTo(rFirst).map((power) => format(negate(power))),
    logits: {
      init: format(subtract(HALF, readout)),
      readout: format(own),
      features: format(through),
      change: format(max(own, through)),
      firstChange: format(max(own, firstThrough)),
    },
    initStable,
    stable,
    nontrivial,
    featureLearning,
    kernel: nontrivial && !featureLearning,
    learns: moves.map((power) => nontrivial && power.num === 0n),
    uniform: rLayers.every((power) => equal(power, rLayers[0]!)),
    maximal: stable && zero(rLayers) && own.num === 0n && equal(readout, ONE),
    ...eps,
    violations,
  } satisfies Omit<DeepClassification, 'words'>;
  return { ...result, words: deepWords(result) };
}

/** Sizes of gradients, epsilon that stays beside the gradient, and whether gradients keep their order in training (the readout grows no faster than it starts). */
function epsOf(
  { family, hasEps, A, a, d, ...rest }: Invariants,
  gradient: Rational,
): Pick<DeepClassification, 'gradients' | 'epsExponents' | 'faithful'> {
  if (!a) return { gradients: null, epsExponents: null, faithful: null };
  const last = a.length - 1;
  const entriesOf = a.map((al, l) => (l === last ? al : add(al, gradient)));
  const gradients = entriesOf.map((power) => format(negate(power)));
  if (!hasEps) return { gradients, epsExponents: null, faithful: null };
  const need = entriesOf.map((entries, l) => {
    // Muon's epsilon stands beside the Frobenius norm, which counts the wide sides.
    const wide = family === 'spectral' ? (l === 0 || l === last ? HALF : ONE) : ZERO;
    return subtract(entries, wide);
  });
  const step = coherent({ family, hasEps, A, a, d, ...rest });
  return {
    gradients,
    epsExponents: need.map(format),
    faithful: !below(step[last]!, A[last]!) && (!d || d.every((dl, l) => equal(dl, need[l]!))),
  };
}

function violationsOf(
  { A, C, family }: Invariants,
  { r, own, through }: { r: readonly Rational[]; own: Rational; through: Rational },
): Violation[] {
  const last = A.length - 1;
  const spectral = family === 'spectral';
  const found: Violation[] = [];
  const check = (
    holds: boolean,
    violation: Omit<Violation, 'got' | 'power'> & { got: Rational; power: Rational },
  ): void => {
    if (!holds) found.push({ ...violation, got: format(violation.got), power: format(violation.power) });
  };
  for (let l = 0; l < last; l++) {
    const want = l === 0 ? ZERO : HALF;
    const rule = l === 0 ? 'A_1 = 0' : `A_${l + 1} = 1/2`;
    check(equal(A[l]!, want), {
      ...{ at: 'start', layer: l + 1, rule, got: A[l]! },
      power: subtract(want, A[l]!),
    });
  }
  const power = subtract(HALF, A[last]!);
  check(!below(A[last]!, HALF), {
    ...{ at: 'start', layer: last + 1, rule: `A_${last + 1} >= 1/2`, got: A[last]!, power },
  });
  r.forEach((value, l) =>
    check(value.num >= 0n, {
      ...{ at: 'features', layer: l + 1, rule: `r_${l + 1} >= 0`, got: value, power: negate(value) },
    }),
  );
  const step = spectral ? '1/2' : '1';
  check(own.num <= 0n, {
    ...{ at: 'logits', layer: last + 1, rule: `C_${last + 1} >= ${step}`, got: C[last]!, power: own },
  });
  const together = subtract(ONE, through);
  check(through.num <= 0n, {
    ...{ at: 'logits', layer: last + 1, rule: `A_${last + 1} + r >= 1`, got: together, power: through },
  });
  return found;
}
