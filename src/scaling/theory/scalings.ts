// Named ways to scale hyperparameters with width (arXiv:2006.06574, arXiv:2003.05884; muP: arXiv:2011.14522).
import {
  format,
  HALF,
  ONE,
  rational,
  subtract,
  sum,
  times,
  toRational,
  type Exponent,
  type Rational,
} from './rational.js';

/** How to get back the reference's initial logits: `simple` adds f_un(0) - f_mf(0), `mask` uses current on/off patterns. */
export type InitCorrection = 'none' | 'simple' | 'mask';

/** A scaling as users write it: `qTilde` for all rates at once, or one exponent per layer. */
export interface ScalingSpec {
  readonly name?: string;
  /** sigma(d) = sigma* wf^qSigma, sigma = product of the initial standard deviations. */
  readonly qSigma: Exponent;
  /** Hatted learning rates: eta(d) = eta* wf^qTilde. */
  readonly qTilde?: Exponent;
  readonly qTildeA?: Exponent;
  readonly qTildeW?: Exponent;
  /** Rate of hidden matrices of deep nets: raw rate wf^(qTildeV + qSigma) under SGD. Default: `qTildeA`'s and `qTildeW`'s mean. */
  readonly qTildeV?: Exponent;
  /** Exponent of hidden matrices relative to their 1/sqrt(fan-in) initialisation. Default qSigma + 1/2. */
  readonly hiddenInit?: Exponent;
  readonly initCorrection?: InitCorrection;
  /** The raw rates are what is prescribed: they stay as they are under every optimiser. */
  readonly fixedRates?: boolean;
}

/** A scaling with every exponent present, as exact text: plain JSON. */
export interface Scaling {
  readonly name: string;
  readonly qSigma: string;
  readonly qTildeA: string;
  readonly qTildeV: string;
  readonly qTildeW: string;
  readonly hiddenInit: string;
  readonly initCorrection: InitCorrection;
  readonly fixedRates: boolean;
}

/** The exponents of a scaling as fractions. */
export interface ScalingExponents {
  readonly qSigma: Rational;
  readonly qTildeA: Rational;
  readonly qTildeV: Rational;
  readonly qTildeW: Rational;
  readonly hiddenInit: Rational;
}

const FIELDS = [
  'name',
  'qSigma',
  'qTilde',
  'qTildeA',
  'qTildeW',
  'qTildeV',
  'hiddenInit',
  'initCorrection',
  'fixedRates',
];

/** Reads the exponents; RangeError when one is missing or not a finite rational. */
export function exponentsOf(spec: ScalingSpec): ScalingExponents {
  const unknown = Object.keys(spec).find((key) => !FIELDS.includes(key));
  if (unknown) throw new RangeError(`scaling: unknown field '${unknown}'. Allowed: ${FIELDS.join(', ')}.`);
  const read = (key: 'qTildeA' | 'qTildeW'): Rational => {
    const value = spec[key] ?? spec.qTilde;
    if (value === undefined)
      throw new RangeError(`scaling: ${key} is missing. Give qTilde, or both qTildeA and qTildeW.`);
    return toRational(value, `scaling: ${key}`);
  };
  const correction = spec.initCorrection ?? 'none';
  if (!['none', 'simple', 'mask'].includes(correction)) {
    throw new RangeError(`scaling: initCorrection must be 'none', 'simple' or 'mask', got '${correction}'`);
  }
  if (spec.qSigma === undefined) throw new RangeError('scaling: qSigma is missing');
  const qSigma = toRational(spec.qSigma, 'scaling: qSigma');
  const qTildeA = read('qTildeA');
  const qTildeW = read('qTildeW');
  const given = spec.qTildeV ?? spec.qTilde;
  const qTildeV =
    given === undefined ? times(sum(qTildeA, qTildeW), 1n, 2n) : toRational(given, 'scaling: qTildeV');
  const hiddenInit =
    spec.hiddenInit === undefined ? sum(qSigma, HALF) : toRational(spec.hiddenInit, 'scaling: hiddenInit');
  return { qSigma, qTildeA, qTildeV, qTildeW, hiddenInit };
}

/** Completes and freezes a scaling. RangeError for exponents that are no finite numbers or fractions. */
export function scaling(spec: ScalingSpec): Scaling {
  const { qSigma, qTildeA, qTildeV, qTildeW, hiddenInit } = exponentsOf(spec);
  const text =
    format(qTildeA) === format(qTildeW) ? format(qTildeA) : `${format(qTildeA)}, ${format(qTildeW)}`;
  return Object.freeze({
    name: spec.name ?? `(${format(qSigma)}, ${text})`,
    qSigma: format(qSigma),
    qTildeA: format(qTildeA),
    qTildeV: format(qTildeV),
    qTildeW: format(qTildeW),
    hiddenInit: format(hiddenInit),
    initCorrection: spec.initCorrection ?? 'none',
    fixedRates: spec.fixedRates ?? false,
  });
}

/** On the segment from NTK (q = 1/2) to mean field (q = 1): qSigma = -q, qTilde = 2q - 1. */
function intermediateExponents(q: Exponent): { qSigma: string; qTilde: string; flat: string; q: Rational } {
  const value = toRational(q, 'scalings.intermediate: q');
  if (subtract(value, HALF).num < 0n || subtract(ONE, value).num < 0n) {
    throw new RangeError(
      `scalings.intermediate: q must be from 1/2 (NTK) to 1 (mean field), got ${String(q)}`,
    );
  }
  return {
    q: value,
    qSigma: format(times(value, -1n)),
    qTilde: format(subtract(times(value, 2n), ONE)),
    flat: format(subtract(times(value, 3n), rational(2n, 1n))),
  };
}

const meanField = { qSigma: '-1', qTilde: '1' } as const;
const fixed = { qSigma: '-1/2', qTildeA: '1', qTildeV: '1/2', qTildeW: '0', fixedRates: true } as const;
const symmetric = { qSigma: '-1/2', qTilde: '1/2', qTildeV: '0' } as const;

/** The named scalings. */
export interface NamedScalings {
  /** Raw learning rates untouched: the framework's standard parametrisation. */
  readonly default: Scaling;
  /** `default` with its two learning-rate exponents made equal. */
  readonly symDefault: Scaling;
  readonly meanField: Scaling;
  readonly ntk: Scaling;
  /** Mean field with the initial logits of the unscaled net put back (section 6 of arXiv:2006.06574). */
  readonly icMeanField: Scaling;
  /** The same, the frozen net evaluated with the on/off pattern of the current one; ReLU-like activations only. */
  readonly icMeanFieldMask: Scaling;
  /** Maximal update: mean field for one hidden layer; hidden matrices keep their 1/sqrt(fan-in) start. */
  readonly muP: Scaling;
  /** Standard parametrisation with every rate divided by the width: only the output layer trains in the limit. */
  readonly standardStable: Scaling;
  /** Improved standard parametrisation (arXiv:2001.07301) of layer width N: NTK with reference width N. */
  readonly improvedStandard: Scaling;
  /** From NTK (q = 1/2) to mean field (q = 1). */
  intermediate(q: Exponent): Scaling;
}

/**
 * The named scalings. Each is anchored at the reference width: with a width factor of 1 it is the reference net.
 * Hidden matrices of deep nets get the rate that keeps their tangent kernel independent of width (NTK: wf^-1);
 * `golikov2020` has the rates of the paper's own experiments instead.
 */
export const scalings: NamedScalings = Object.freeze({
  default: scaling({ name: 'default', ...fixed }),
  symDefault: scaling({ name: 'sym-default', ...symmetric }),
  meanField: scaling({ name: 'mean-field', ...meanField }),
  ntk: scaling({ name: 'NTK', qSigma: '-1/2', qTilde: 0, qTildeV: '-1/2' }),
  icMeanField: scaling({ name: 'IC-MF', ...meanField, initCorrection: 'simple' }),
  icMeanFieldMask: scaling({ name: 'IC-MF (mask)', ...meanField, initCorrection: 'mask' }),
  muP: scaling({ name: 'muP', ...meanField, hiddenInit: 0 }),
  standardStable: scaling({
    name: 'standard, rate 1/d',
    qSigma: '-1/2',
    qTildeA: 0,
    qTildeV: '-1/2',
    qTildeW: -1,
  }),
  improvedStandard: scaling({ name: 'improved standard', qSigma: '-1/2', qTilde: 0, qTildeV: '-1/2' }),
  intermediate(q: Exponent): Scaling {
    const { q: value, qSigma, qTilde, flat } = intermediateExponents(q);
    return scaling({ name: `intermediate(${format(value)})`, qSigma, qTilde, qTildeV: flat });
  },
});

/** The rates of the experiments of arXiv:2003.05884 and arXiv:2006.06574, which differ for hidden matrices. */
export const golikov2020: NamedScalings = Object.freeze({
  ...scalings,
  ntk: scaling({ name: 'NTK', qSigma: '-1/2', qTilde: 0 }),
  intermediate(q: Exponent): Scaling {
    const { q: value, qSigma, qTilde } = intermediateExponents(q);
    return scaling({ name: `intermediate(${format(value)})`, qSigma, qTilde });
  },
});
