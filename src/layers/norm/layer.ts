// Normalisation over channels and other axes: layerNorm takes the mean off first, rmsNorm does not.
import { USUAL, type LeafDescriptor } from '../descriptor.js';
import { axes, std } from '../fields.js';
import { normaliseAxis } from '../shapes.js';
import { normDerivatives } from './derivative.js';
import { compileLayerNorm, compileRmsNorm } from './finite.js';
import { normAxes, normRule } from './kernel.js';
import { normOffsets } from './offsets.js';
import type { LayerNormLayer, NormLayer, RmsNormLayer } from './types.js';

const norm: Omit<LeafDescriptor<NormLayer>, 'finite'> = {
  ...USUAL,
  kind: 'leaf',
  fields: { axis: axes(false, [-1]), eps: std(1e-12) },
  shape({ axis }, input) {
    for (const one of axis) normaliseAxis(one, input.length + 1);
    return input;
  },
  kernel: normRule,
  derivative: () => normDerivatives,
  offsets: normOffsets,
  couplesSamples: (node) => normAxes(node).has(0),
  gain: 1,
};

export const layerNorm: LeafDescriptor<LayerNormLayer> = { ...norm, finite: compileLayerNorm };
export const rmsNorm: LeafDescriptor<RmsNormLayer> = { ...norm, finite: compileRmsNorm };
