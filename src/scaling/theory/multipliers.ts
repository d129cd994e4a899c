// What a training loop multiplies, relative to the framework's 1/sqrt(fan-in) initialisation and one plain rate.
import { widthPower } from './power.js';
import { add, HALF, ONE, times, ZERO, type Rational } from './rational.js';
import { exponentsOf, type ScalingSpec } from './scalings.js';
import { knownFields } from '../../wasm/engine.js';

export type OptimizerKind = 'sgd' | 'rmsprop' | 'adam';

interface ByRole<T> {
  readonly input: T;
  readonly hidden: T;
  readonly output: T;
}

/** Factors on initial weights and on rates, by the role of a layer. */
export interface LayerFactors {
  readonly weights: ByRole<number>;
  readonly rates: ByRole<number>;
}

/**
 * Factors per layer of a net that was built at its real width; all 1 at the reference width. `biases` are those of the
 * layers' biases, which a framework draws with 1/sqrt(fan-in) as it does weights.
 */
export interface Multipliers extends LayerFactors {
  /** Initial weights. The input layer is never rescaled. */
  readonly weights: ByRole<number> & { readonly biases: ByRole<number> };
  /** Raw learning rates. */
  readonly rates: ByRole<number> & { readonly biases: ByRole<number> };
}

type RolePowers = ByRole<Rational>;

/** The exponents of `Multipliers`, as powers of the width factor. */
export function multiplierPowers(
  spec: ScalingSpec,
  optimizer: OptimizerKind = 'sgd',
): { weights: RolePowers; rates: RolePowers } {
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
  options: { readonly optimizer?: OptimizerKind } = {},
): Multipliers {
  knownFields('multipliers', options, { optimizer: true });
  const { optimizer = 'sgd' } = options;
  const powers = multiplierPowers(spec, optimizer);
  const biases = spec.fixedRates ? powers : biasPowers(powers.rates);
  const at = (q: Rational): number => widthPower(widthFactor, q);
  const all = ({ input, hidden, output }: RolePowers): ByRole<number> => ({
    input: at(input),
    hidden: at(hidden),
    output: at(output),
  });
  return {
    weights: { ...all(powers.weights), biases: all(biases.weights) },
    rates: { ...all(powers.rates), biases: all(biases.rates) },
  };
}

/**
 * A bias is the weight of one unit that is always 1, where the weights of its layer sum over the fan-in. So its step moves
 * the layer as the weights' steps do when its rate is larger by the fan-in's factor, and its size at the start stays
 * (sqrt(wf) of what was drawn with 1/sqrt(fan-in)). The fan-in of the input layer does not grow.
 */
function biasPowers(rates: RolePowers): { weights: RolePowers; rates: RolePowers } {
  return {
    weights: { input: ZERO, hidden: HALF, output: HALF },
    rates: { input: rates.input, hidden: add(rates.hidden, ONE), output: add(rates.output, ONE) },
  };
}
