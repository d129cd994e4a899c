// What a training loop multiplies, relative to the framework's 1/sqrt(fan-in) initialisation and one plain rate.
import { widthPower } from './power.js';
import { add, HALF, times, ZERO, type Rational } from './rational.js';
import { exponentsOf, type ScalingSpec } from './scalings.js';

export type OptimizerKind = 'sgd' | 'rmsprop' | 'adam';

/** Factors per layer of a net that was built at its real width; all 1 at the reference width. */
export interface Multipliers {
  /** Initial weights. The input layer is never rescaled. */
  readonly weights: { readonly input: number; readonly hidden: number; readonly output: number };
  /** Raw learning rates. */
  readonly rates: { readonly input: number; readonly hidden: number; readonly output: number };
}

/** The exponents of `Multipliers`, as powers of the width factor. */
export function multiplierPowers(
  spec: ScalingSpec,
  optimizer: OptimizerKind = 'sgd',
): {
  weights: Record<'input' | 'hidden' | 'output', Rational>;
  rates: Record<'input' | 'hidden' | 'output', Rational>;
} {
  const { qSigma, qTildeA, qTildeV, qTildeW, hiddenInit } = exponentsOf(spec);
  const output = add(qSigma, HALF);
  const weights = { input: ZERO, hidden: hiddenInit, output };
  if (spec.fixedRates) return { weights, rates: { input: ZERO, hidden: ZERO, output: ZERO } };
  const sgd = {
    input: qTildeW,
    hidden: add(qTildeV, qSigma),
    output: add(qTildeA, times(qSigma, 2n)),
  };
  if (optimizer === 'sgd') return { weights, rates: sgd };
  if (optimizer !== 'rmsprop' && optimizer !== 'adam') {
    throw new RangeError(
      `multipliers: optimizer must be 'sgd', 'rmsprop' or 'adam', got '${String(optimizer)}'`,
    );
  }
  // A normalised step has the size of the rate itself, so the rate must scale as SGD's step does: rate times an
  // entry of the gradient, which is of order wf^qSigma for input and hidden matrices and of order 1 for the output.
  return {
    weights,
    rates: { input: add(sgd.input, qSigma), hidden: add(sgd.hidden, qSigma), output: sgd.output },
  };
}

/**
 * The factors of a scaling at a width factor `wf = width / baseWidth` (section 3 of arXiv:2006.06574; for RMSProp and
 * Adam derived so that each layer's relative step scales as under SGD). RangeError for factors that are not positive.
 */
export function multipliers(
  spec: ScalingSpec,
  widthFactor: number,
  { optimizer = 'sgd' }: { readonly optimizer?: OptimizerKind } = {},
): Multipliers {
  const powers = multiplierPowers(spec, optimizer);
  const at = (q: Rational): number => widthPower(widthFactor, q);
  const all = ({ input, hidden, output }: Record<'input' | 'hidden' | 'output', Rational>) => ({
    input: at(input),
    hidden: at(hidden),
    output: at(output),
  });
  return { weights: all(powers.weights), rates: all(powers.rates) };
}
