// What the weights and activation of a layer are on planes.
import { dualOf } from '../../layers/activation/dual.js';
import { baseWidthOf } from '../../layers/affine/kernel.js';
import type { ActivationLayer, ConvLayer, DenseLayer } from '../../layers/vocabulary.js';
import { NotPlanes, type Activation } from './nodes.js';

/**
 * w is W^2 here; T' = W^2 A(T + gamma K) + bT in both parametrisations (kernels of Dense and Conv, arXiv 2001.07301). Weights
 * that are not trained have no terms of their own: T' = W^2 A(T).
 */
export function weights(
  layer: DenseLayer | ConvLayer,
  channels: number,
  filter: number,
  path: string,
  frozen: boolean,
): { w: number; b2: number; bT: number; gamma: number } {
  const w = layer.wStd ** 2;
  const b2 = (layer.bStd ?? 0) ** 2;
  const standard = layer.parametrization === 'standard';
  if (standard && w === 0) throw new NotPlanes(`${path} (${layer.layer}) has wStd = 0`);
  if (frozen) return { w, b2, bT: 0, gamma: 0 };
  return {
    w,
    b2,
    bT: layer.bStd === null ? 0 : standard ? 1 : b2,
    gamma: standard ? (filter * baseWidthOf(layer, channels)) / w : 1,
  };
}

const [RELU, ERF, GAUSSIAN] = [1, 3, 7];

export function activationOf(layer: ActivationLayer, path: string): Activation {
  const dual = dualOf(layer);
  const name = `${path} (${layer.layer})`;
  if (dual.form !== 'closed') throw new NotPlanes(`${name} has tables that grow with the accuracy`);
  const { kind, params } = dual;
  const [a = 0, b = 0, c = 0] = params;
  if (kind === RELU) return { kind: 'relu', a, b };
  if (kind === ERF) return { kind: 'erf', a, b, c };
  if (kind === GAUSSIAN && b > 0) throw new NotPlanes(`${name} has moments that may diverge`);
  return { kind: 'dual', dual: kind, params };
}
