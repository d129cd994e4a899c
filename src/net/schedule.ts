import { cos } from '../math/elementary.js';
import type { Schedule } from './optimizers.js';

/** RangeError unless `schedule` gives finite factors at every step. */
export function checkSchedule(where: string, schedule: Schedule): Schedule {
  const wrong = (rule: string, value: unknown): never => {
    throw new RangeError(`${where}: schedule.${rule}, got ${String(value)}.`);
  };
  const whole = (name: string, value: number): void => {
    if (!Number.isSafeInteger(value) || value < 1) wrong(`${name} must be a whole number >= 1`, value);
  };
  const factor = (name: string, value: number): void => {
    if (!(value >= 0) || !Number.isFinite(value)) wrong(`${name} must be finite and >= 0`, value);
  };
  if (schedule.kind === 'warmup') whole('steps', schedule.steps);
  else if (schedule.kind === 'cosine') {
    whole('steps', schedule.steps);
    factor('final', schedule.final ?? 0);
  } else if (schedule.kind === 'decay') {
    whole('every', schedule.every);
    factor('factor', schedule.factor);
  } else if (schedule.kind !== 'constant')
    wrong('kind must be constant, warmup, cosine or decay', (schedule as Schedule).kind);
  return schedule;
}

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
  }
}
