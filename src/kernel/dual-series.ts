// How well the Hermite series of an activation represents it: what a kernel call relies on, for the user to look at.
import { dualOf } from '../layers/activation/dual/dual.js';
import { hermiteSeries } from '../layers/activation/dual/hermite-tables.js';
import { isActivation } from '../layers/registry.js';
import { parseNet, type NetDocument } from '../net/document.js';
import { checkTolerance } from './tiles/checks.js';

export interface DualSeries {
  /** Number of terms. */
  readonly terms: number;
  /**
   * Share of E[phi(u)^2] in the terms left out: a bound of the relative error of kappa at |c| = 1, less inside. For elu and
   * selu the tolerance: beyond |c| = 0.9 they have a closed form of arcs.
   */
  readonly error: number;
  /** The same of E[phi'(u)^2] and kappa': larger where phi has a kink. */
  readonly slopeError: number;
  /** E[phi(u)^2] and E[phi'(u)^2]. */
  readonly kappa: number;
  readonly slope: number;
}

/**
 * The series of an activation layer at a variance (pre-activation mean square); null where kernels use a closed form or a
 * function of the user. `tolerance` as in `kernel`. NumericalError when it does not converge.
 */
export function dualSeries(
  layer: NetDocument,
  variance: number,
  tolerance: number = 1e-13,
): DualSeries | null {
  const parsed = parseNet(layer);
  if (!isActivation(parsed))
    throw new RangeError(`dualSeries: expected an activation layer, got '${parsed.layer}'.`);
  if (!(variance >= 0 && variance < Infinity))
    throw new RangeError(`dualSeries: variance must be a finite number >= 0, got ${variance}.`);
  checkTolerance(tolerance, 'f64', 'dualSeries');
  const dual = dualOf(parsed);
  if (dual.form !== 'series') return null;
  const { terms, error, slopeError, kappa, slope } = hermiteSeries(
    dual.fn,
    Float64Array.of(variance),
    tolerance,
  );
  const left = (share: number): number => (dual.elu ? tolerance : Math.max(0, share));
  return { terms, error: left(error), slopeError: left(slopeError), kappa: kappa[0]!, slope: slope[0]! };
}
