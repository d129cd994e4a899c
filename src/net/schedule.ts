import { cos } from '../math/elementary.js';
import type { Schedule } from './optimizers.js';

/** The factor of the learning rate at `step` (from 0). */
export function scheduleFactor(schedule: Schedule, step: number): number {
  switch (schedule.kind) {
    case 'constant':
      return 1;
    case 'warmup':
      return Math.min(1, (step + 1) / schedule.steps);
    case 'cosine': {
      const { steps, final = 0 } = schedule;
      return final + ((1 - final) * (1 + cos((Math.PI * Math.min(step, steps)) / steps))) / 2;
    }
    case 'decay': {
      let factor = 1;
      for (let i = Math.floor(step / schedule.every); i > 0; i--) factor *= schedule.factor;
      return factor;
    }
    default:
      throw new RangeError(
        `train: schedule.kind must be constant, warmup, cosine or decay, got ${String((schedule as Schedule).kind)}.`,
      );
  }
}
