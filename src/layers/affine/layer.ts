// Layers with weights: dense, and convolutions with shared weights, transposed, or with weights of every position.
import { USUAL, type LeafDescriptor } from '../descriptor.js';
import {
  bStd,
  count,
  field,
  isList,
  isNumber,
  isWhole,
  oneOf,
  onesLike,
  padding,
  sizes,
  std,
} from '../fields.js';
import type { Fields } from '../fields.js';
import { convAxes } from '../geometry.js';
import { checkRank, windowSizes } from '../shapes.js';
import { convRule } from './conv-kernel.js';
import { weightDerivatives } from './derivative.js';
import { compileAffine } from './finite.js';
import { denseRule } from './kernel.js';
import { convOffsets, denseOffsets } from './offsets.js';
import type { ConvLayer, DenseLayer } from './types.js';

/** The fields of all layers with weights. */
export const weights: Fields = {
  wStd: std(1),
  bStd,
  parametrization: oneOf(['ntk', 'standard'], 'ntk'),
  s: field(
    'two whole numbers [sIn, sOut] >= 1',
    (v) => isList(v, (e) => isWhole(e, 1)) && (v as unknown[]).length === 2,
    [1, 1],
  ),
  baseWidth: field('null or a finite number > 0', (v) => v === null || (isNumber(v) && v > 0), null),
};

export const dense: LeafDescriptor<DenseLayer> = {
  ...USUAL,
  kind: 'leaf',
  fields: { units: count, ...weights },
  shape: ({ units, s }, input) => [...input.slice(0, -1), units * s[1]],
  finite: compileAffine,
  kernel: denseRule,
  derivative: weightDerivatives,
  offsets: denseOffsets,
  entries: () => 'affine',
  weights: 'scaled',
};

export const conv: LeafDescriptor<ConvLayer> = {
  ...USUAL,
  kind: 'leaf',
  fields: { channels: count, filter: sizes, strides: onesLike('filter'), padding, ...weights },
  shape(layer, input) {
    const spatial = input.slice(0, -1);
    checkRank(layer.filter, spatial, 'filter');
    return [...windowSizes(convAxes(layer, spatial), input), layer.channels * layer.s[1]];
  },
  finite: compileAffine,
  kernel: convRule,
  derivative: weightDerivatives,
  offsets: convOffsets,
  weights: 'scaled',
  gain: 2,
};
export const convTranspose: LeafDescriptor<ConvLayer> = conv;
export const convLocal: LeafDescriptor<ConvLayer> = conv;
