// Activations of the one-hidden-layer trainer: leaky ones run inside its kernels, the rest as arrays.
import type { Core, FloatType, Ticket } from '../../wasm/engine.js';
import { exp, expm1, sigmoid, softplus, tanh } from '../../math/elementary.js';

/** A hidden activation, named as in a Net document. */
export type HiddenActivation =
  | { readonly layer: 'leakyRelu'; readonly alpha: number }
  | { readonly layer: 'relu' | 'identity' | 'softplus' | 'tanh' }
  | { readonly layer: 'elu'; readonly alpha?: number };

/** Slope for z <= 0 of a leaky activation (ReLU: 0, identity: 1); null for the others. RangeError when unknown. */
export function slopeOf(activation: HiddenActivation): number | null {
  switch (activation.layer) {
    case 'leakyRelu':
      if (!Number.isFinite(activation.alpha))
        throw new RangeError(`activation: leakyRelu needs a finite alpha, got ${activation.alpha}`);
      return activation.alpha;
    case 'relu':
      return 0;
    case 'identity':
      return 1;
    case 'softplus':
    case 'tanh':
    case 'elu':
      return null;
    default:
      throw new RangeError(
        `activation: expected leakyRelu, relu, identity, softplus, tanh or elu, got ${JSON.stringify(activation)}`,
      );
  }
}

/** phi and phi' of one number. */
export function activate(activation: HiddenActivation, z: number): readonly [number, number] {
  switch (activation.layer) {
    case 'softplus':
      return [softplus(z), sigmoid(z)];
    case 'tanh': {
      const value = tanh(z);
      return [value, 1 - value * value];
    }
    case 'elu': {
      const alpha = activation.alpha ?? 1;
      return z > 0 ? [z, 1] : [alpha * expm1(z), alpha * exp(z)];
    }
    default: {
      const slope = slopeOf(activation)!;
      return z > 0 ? [z, 1] : [slope * z, slope];
    }
  }
}

/** z <- phi(z), d <- phi'(z) in wasm memory. */
export function activateInto(
  core: Core,
  activation: HiddenActivation,
  z: Ticket<FloatType>,
  d: Ticket<FloatType>,
  count: number,
): void {
  const phi = core.heap.read(z, 0, count);
  const slope = phi.slice();
  for (let i = 0; i < count; i++) [phi[i], slope[i]] = activate(activation, phi[i]!) as [number, number];
  core.heap.write(z, phi);
  core.heap.write(d, slope);
}
