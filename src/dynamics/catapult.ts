import { knownFields, type Fields } from '../wasm/engine.js';
// The catapult of Lewkowycz et al. (2020): gradient descent on f = n^-1/2 (u.v) x, one datapoint (x, y) = (1, 0), loss
// f^2/2. Function and curvature then obey a closed two-variable map, exactly and at every width n.

export interface CatapultOptions {
  /** Gradient descent step size. */
  readonly learningRate: number;
  /** n, the number of hidden units; > 0. */
  readonly width: number;
  /** Output at initialisation; default 1. */
  readonly f0?: number;
  /** Curvature (tangent kernel) at initialisation, (|u|^2 + |v|^2)/n; default 1. */
  readonly lambda0?: number;
  /** Most steps to take; default 10,000. */
  readonly steps?: number;
  /** Stop once the loss is below this; default 1e-30. */
  readonly tolerance?: number;
}

/** Which of the three regimes the first step is in: learningRate*lambda0 below 2, between 2 and 4, above 4. */
export type CatapultPhase = 'lazy' | 'catapult' | 'divergent';

export interface CatapultTrace {
  readonly phase: CatapultPhase;
  /** Output, curvature and loss f^2/2 before step 0, 1, 2, ... */
  readonly f: Float64Array;
  readonly lambda: Float64Array;
  readonly loss: Float64Array;
  readonly maxLoss: number;
  readonly maxLossStep: number;
  readonly finalLambda: number;
  /** The loss fell below `tolerance`. */
  readonly converged: boolean;
  /** First step at which the loss exceeded 1e50, or null. */
  readonly divergedAt: number | null;
}

const DIVERGED = 1e50;

const CATAPULT_OPTIONS: Fields<CatapultOptions> = {
  learningRate: true,
  width: true,
  f0: true,
  lambda0: true,
  steps: true,
  tolerance: true,
};

/**
 * Iterates f' = (1 - h l + h^2 f^2/n) f, l' = l + (h f^2/n)(h l - 4), with h the learning rate and l the curvature.
 * For h l0 in (2, 4) the loss first grows to order n, the curvature falls below 2/h, then the loss goes to zero.
 * RangeError for arguments that are not finite or not positive.
 */
export function catapult(options: CatapultOptions): CatapultTrace {
  knownFields('catapult', options, CATAPULT_OPTIONS);
  const { learningRate, width, f0 = 1, lambda0 = 1, steps = 10_000, tolerance = 1e-30 } = options;
  for (const [name, value] of Object.entries({ learningRate, width, lambda0, steps })) {
    if (!(value > 0) || !Number.isFinite(value))
      throw new RangeError(`catapult: ${name} must be positive, got ${value}`);
  }
  if (!Number.isFinite(f0)) throw new RangeError(`catapult: f0 must be finite, got ${f0}`);
  const f: number[] = [f0];
  const lambda: number[] = [lambda0];
  let divergedAt: number | null = null;
  for (let step = 0; step < steps; step++) {
    const now = f[step]!;
    const curvature = lambda[step]!;
    if ((now * now) / 2 <= tolerance) break;
    const drift = (learningRate * now * now) / width;
    f.push((1 - learningRate * curvature + learningRate * drift) * now);
    lambda.push(curvature + drift * (learningRate * curvature - 4));
    if (!(f[step + 1]! ** 2 / 2 < DIVERGED)) {
      divergedAt = step + 1;
      break;
    }
  }
  const loss = Float64Array.from(f, (value) => (value * value) / 2);
  const maxLossStep = loss.reduce((best, value, step) => (value > loss[best]! ? step : best), 0);
  return {
    phase: catapultPhase(learningRate * lambda0),
    f: Float64Array.from(f),
    lambda: Float64Array.from(lambda),
    loss,
    maxLoss: loss[maxLossStep]!,
    maxLossStep,
    finalLambda: lambda.at(-1)!,
    converged: loss.at(-1)! <= tolerance,
    divergedAt,
  };
}

/** The phase of a learning rate times curvature, exact for infinite width. */
export function catapultPhase(learningRateTimesLambda: number): CatapultPhase {
  if (learningRateTimesLambda < 2) return 'lazy';
  return learningRateTimesLambda < 4 ? 'catapult' : 'divergent';
}
