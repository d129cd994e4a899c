// The binary classification loss log(1 + exp(-y f)), y = -1 or 1, and what training takes its gradient from.
import { sigmoid, softplus } from '../../math/elementary.js';

/** `linear` has the gradient -y/2 whatever f is: exponents show without the saturation of the logistic loss. */
export type TrainingLoss = 'logistic' | 'linear';

/** How outputs of a model become logits, scores and gradients. `rows` are places in stored order; default all. */
export interface Objective {
  /** Whether an infinite loss is a legitimate value. */
  readonly diverges: boolean;
  shown(f: Float64Array, part: 'train' | 'test', rows?: Int32Array): Float64Array;
  score(shown: ArrayLike<number>, y: ArrayLike<number>): { loss: number; accuracy: number };
  /** Derivatives of the mean loss of a training batch by its outputs; called once per step, in order. */
  gradient(f: Float64Array, y: Float64Array, rows: Int32Array): Float64Array;
  /** Said once where a run goes on from a checkpoint: the first step is past. */
  resumed?(): void;
}

/** The objective of finite nets: logits are the outputs. */
export const plainObjective = (loss: TrainingLoss): Objective => ({
  diverges: false,
  shown: (f) => f,
  score: logisticLoss,
  gradient: (f, y) =>
    f.map((value, i) => (loss === 'linear' ? -y[i]! / 2 : logisticSlope(value, y[i]!)) / f.length),
});

/** Mean loss and accuracy. */
export function logisticLoss(f: ArrayLike<number>, y: ArrayLike<number>): { loss: number; accuracy: number } {
  let loss = 0;
  let right = 0;
  for (let i = 0; i < f.length; i++) {
    const margin = y[i]! * f[i]!;
    loss += softplus(-margin);
    if (margin > 0) right++;
  }
  return { loss: loss / f.length, accuracy: right / f.length };
}

/** d loss / d f of one point: -y / (1 + exp(y f)). */
export const logisticSlope = (f: number, y: number): number => -y * sigmoid(-y * f);
