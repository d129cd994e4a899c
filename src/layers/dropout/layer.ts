// Dropout.
import { USUAL, type LeafDescriptor } from '../descriptor.js';
import { field, isNumber, oneOf } from '../fields.js';
import { linearDerivatives } from '../states/derivatives.js';
import { compileDropout } from './finite.js';
import { dropoutRule } from './kernel.js';
import type { DropoutLayer } from './types.js';

export const dropout: LeafDescriptor<DropoutLayer> = {
  ...USUAL,
  kind: 'leaf',
  fields: {
    keep: field('a number > 0 and <= 1, the probability of keeping', (v) => isNumber(v) && v > 0 && v <= 1),
    mode: oneOf(['train', 'test'], 'train'),
  },
  shape: (_, input) => input,
  finite: compileDropout,
  kernel: dropoutRule,
  derivative: linearDerivatives,
  offsets: (lowering, node, x) =>
    node.layer.mode === 'test'
      ? x
      : lowering.push({ ...lowering.base(x, node), op: 'dropout', keep: node.layer.keep }),
  entries: ({ mode }) => (mode === 'test' ? 'same' : null),
  featureSafe: false,
};
