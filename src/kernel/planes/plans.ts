// Plans by what they are for: tiles of one call share them.
import type { Shaped } from '../../layers/shapes.js';
import { lower } from './graph.js';
import { NotPlanes } from './nodes.js';
import { planPlanes, type PlanesOptions, type PlanesPlan } from './plan.js';

const plans = new Map<string, PlanesPlan | { readonly reason: string }>();
const MOST_PLANS = 32;

/** `planPlanes`, remembered. */
export function rememberedPlan(
  net: Shaped,
  options: PlanesOptions,
): PlanesPlan | { readonly reason: string } {
  const key = JSON.stringify([net, options]);
  let plan = plans.get(key);
  if (!plan) {
    plan = planPlanes(net, options);
    if (plans.size >= MOST_PLANS) plans.delete(plans.keys().next().value!);
    plans.set(key, plan);
  }
  return plan;
}

/** Whether a layer runs by planes, wherever it stands. */
export function planeable(net: Shaped, frozen: readonly string[]): boolean {
  try {
    lower(net, new Set(), new Set(frozen), 'state');
    return true;
  } catch (error) {
    if (error instanceof NotPlanes) return false;
    throw error;
  }
}
