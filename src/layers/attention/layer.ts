// Self-attention over all positions.
import { ALL_PAIRS, USUAL, type LeafDescriptor } from '../descriptor.js';
import { bStd, count, field, flag, isWhole, oneOf, std } from '../fields.js';
import { differencedDerivatives } from '../states/differenced.js';
import { compileAttention } from './finite.js';
import { attentionRule } from './kernel.js';
import type { AttentionLayer } from './types.js';

export const attention: LeafDescriptor<AttentionLayer> = {
  ...USUAL,
  kind: 'leaf',
  fields: {
    channels: count,
    keyChannels: count,
    valueChannels: count,
    heads: count,
    linearScaling: flag(true),
    keyStd: std(1),
    valueStd: std(1),
    queryStd: std(1),
    outStd: std(1),
    bStd,
    mechanism: oneOf(['softmax', 'identity', 'abs', 'relu'], 'softmax'),
    positional: oneOf(['none', 'sum', 'concat'], 'none'),
    positionalStd: std(1),
    positionalChannels: field('null or a whole number >= 1', (v) => v === null || isWhole(v, 1), null),
    valuePositional: flag(false),
  },
  shape: ({ channels }, input) => [...input.slice(0, -1), channels],
  finite: compileAttention,
  kernel: attentionRule,
  derivative: differencedDerivatives,
  offsets: ALL_PAIRS,
  weights: 'unit',
  mixesPositions: true,
  featureSafe: false,
};
