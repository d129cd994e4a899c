// Plans by what they are for: tiles of one call share them.
import { releaseAll } from '../../layers/states/state.js';
import type { Shaped } from '../../layers/shapes.js';
import type { Core } from '../../wasm/engine.js';
import type { LowerOptions } from '../../layers/lowering/lowering.js';
import { lower } from './lower.js';
import { NotByOffsets } from '../../layers/lowering/nodes.js';
import { planOffsets } from './plan.js';
import type { OffsetOptions, OffsetPlan } from './plan-types.js';
import { LONGEST, NoRoom } from './watched.js';

const plans = new Map<string, OffsetPlan | { readonly reason: string }>();
const MOST_PLANS = 32;

/** What plans are for, and the room for series where the usual one was too small. */
const keys = new WeakMap<object, string>();
const rooms = new Map<string, number>();

/** `planOffsets`, remembered. */
export function rememberedPlan(
  net: Shaped,
  options: Omit<OffsetOptions, 'room'>,
): OffsetPlan | { readonly reason: string } {
  const key = JSON.stringify([net, options]);
  let plan = plans.get(key);
  if (!plan) {
    plan = planOffsets(net, { ...options, room: rooms.get(key) ?? 0 });
    if (plans.size >= MOST_PLANS) plans.delete(plans.keys().next().value!);
    plans.set(key, plan);
    keys.set(plan, key);
  }
  return plan;
}

/** After `error` while `plan` ran: plans for the same have more room from now on. */
export function giveRoom(plan: OffsetPlan, { width }: NoRoom): void {
  const key = keys.get(plan);
  if (key === undefined) return;
  rooms.set(key, Math.max(width, Math.min(2 * width, LONGEST)));
  plans.delete(key);
}

/**
 * Runs what finds its plans by `rememberedPlan`; states are released if it throws. Again where a series was longer than the records of
 * a plan, which have more room then.
 */
export function withRoom<R>(core: Core, run: () => R): R {
  for (;;) {
    try {
      return run();
    } catch (error) {
      releaseAll(core);
      if (!(error instanceof NoRoom)) throw error;
    }
  }
}

/** Whether a layer goes by offsets, wherever it stands. */
export function goesByOffsets(net: Shaped, options: Pick<LowerOptions, 'frozen' | 'tolerance'>): boolean {
  try {
    lower(net, new Set(), { ...options, room: 0, source: 'state' });
    return true;
  } catch (error) {
    if (error instanceof NotByOffsets) return false;
    throw error;
  }
}
