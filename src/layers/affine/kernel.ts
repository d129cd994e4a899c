// Weights: K <- wStd^2 K + bStd^2; in `ntk` parametrisation T <- wStd^2 T + the new K, in `standard`
// T <- wStd^2 T + N K + [bias], N the base width of the inputs (Sohl-Dickstein et al. 2020, arXiv:2001.07301).
import type { Core } from '../../wasm/engine.js';
import { affineJoint, affineSide } from '../states/affine-map.js';
import { NO_NOTE, type Rule } from '../states/rule.js';
import type { Shaped } from '../shapes.js';
import type { Joint } from '../states/state.js';
import type { ConvLayer, DenseLayer, RnnLayer } from '../vocabulary.js';
import type { Affine } from '../activation/dual/tables.js';

/** N of `standard`, for inputs of `channels` channels. */
export function baseWidthOf({ s, baseWidth }: DenseLayer | ConvLayer | RnnLayer, channels: number): number {
  return baseWidth ?? channels / s[0];
}

/** Entries of the filter; 1 for dense layers. */
export function filterSize(layer: DenseLayer | ConvLayer | RnnLayer): number {
  return 'filter' in layer ? layer.filter.reduce((size, n) => size * n, 1) : 1;
}

/** The affine map of weights on `channels` input channels; without its own NTK term where `frozen`. */
export function weightsAffine(
  layer: DenseLayer | ConvLayer | RnnLayer,
  channels: number,
  frozen: boolean,
): Affine {
  const { wStd, bStd, parametrization } = layer;
  const alpha = wStd * wStd;
  const beta = bStd === null ? 0 : bStd * bStd;
  if (frozen) return { alpha, beta, gamma: 0, delta: 0 };
  if (parametrization === 'ntk') return { alpha, beta, gamma: alpha, delta: beta };
  return {
    alpha,
    beta,
    gamma: filterSize(layer) * baseWidthOf(layer, channels),
    delta: bStd === null ? 0 : 1,
  };
}

export function denseAffine(node: Shaped<DenseLayer>, frozen: ReadonlySet<string>): Affine {
  return weightsAffine(node.layer, node.input.at(-1)!, frozen.has(node.path));
}

export const denseRule: Rule<DenseLayer> = {
  facts: (node, input) => ({
    ...input,
    shape: node.output,
    gaussian: true,
    // A bias is one variable of all positions.
    offDiagonalZero: input.offDiagonalZero && weightsAffine(node.layer, 1, true).beta === 0,
  }),
  demand: (_node, wanted) => wanted,
  side(core, node, side) {
    const { alpha, beta } = weightsAffine(node.layer, 1, true);
    return { side: affineSide(core, side, alpha, beta), note: NO_NOTE };
  },
  joint: (core: Core, node, joint: Joint, { block }) =>
    affineJoint(core, joint, denseAffine(node, block.frozen)),
};
