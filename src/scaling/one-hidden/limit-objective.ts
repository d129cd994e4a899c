import { logisticLoss, logisticSlope, type Objective } from './loss.js';
import type { LimitPlan } from '../theory/limit-plan.js';
import { pow } from '../../math/elementary.js';

/** Initial logits of order one. */
export interface Start {
  readonly train: Float64Array;
  readonly test: Float64Array;
}

/**
 * What a limit descends. Outputs are the moving part F; the start f0 is a draw of the Gaussian process of initial
 * logits. With a closure the gradient is that of wf^L F + wf^A f0; without, it is that of wf going to infinity.
 */
export function limitObjective(plan: LimitPlan, start: Start | null, closure: number | null): Objective {
  return closure === null ? hard(plan, start) : closed(plan, start!, closure);
}

function closed({ power, startPower }: LimitPlan, start: Start, widthFactor: number): Objective {
  const [later, first] = [pow(widthFactor, power), pow(widthFactor, startPower)];
  const shown: Objective['shown'] = (f, part, rows) =>
    f.map((value, i) => later * value + first * start[part][rows ? rows[i]! : i]!);
  return {
    diverges: false,
    shown,
    score: logisticLoss,
    gradient: (f, y, rows) =>
      shown(f, 'train', rows).map((value, i) => logisticSlope(value, y[i]!) / f.length),
  };
}

/** The slope of an infinitely large logit: all or nothing; at exactly zero that of a zero logit. */
const indicator = (f: number, y: number): number => (f === 0 ? -y / 2 : y * f < 0 ? -y : 0);

function hard({ sign, startSign, keepsStart }: LimitPlan, start: Start | null): Objective {
  let begun = false;
  const shown: Objective['shown'] = (f, part, rows) =>
    keepsStart && start ? f.map((value, i) => value + start[part][rows ? rows[i]! : i]!) : f;
  const slope = (size: -1 | 0 | 1, f: number, y: number): number =>
    size < 0 ? -y / 2 : size > 0 ? indicator(f, y) : logisticSlope(f, y);
  return {
    diverges: sign > 0,
    shown,
    score: (f, y) => {
      const { loss, accuracy } = logisticLoss(f, y);
      if (sign === 0) return { loss, accuracy };
      return { loss: sign < 0 ? Math.LN2 : accuracy === 1 ? 0 : Infinity, accuracy };
    },
    gradient: (f, y, rows) => {
      const values = shown(f, 'train', rows);
      const first = !begun;
      begun = true;
      return values.map((value, i) => {
        // In the first step logits are those of the initialisation, whose order may differ from the later one.
        const g = first
          ? slope(startSign, startSign < 0 ? 0 : start!.train[rows[i]!]!, y[i]!)
          : slope(sign, value, y[i]!);
        return g / values.length;
      });
    },
    resumed: () => void (begun = true),
  };
}
