// A recurrent layer with shared weights.
import { weights } from '../affine/layer.js';
import { ALL_PAIRS, USUAL, type LeafDescriptor } from '../descriptor.js';
import { count, field, flag, std } from '../fields.js';
import { differencedDerivatives } from '../states/differenced.js';
import { compileRnn } from './finite.js';
import { rnnRule } from './kernel.js';
import type { RnnLayer } from './types.js';

export const rnn: LeafDescriptor<RnnLayer> = {
  ...USUAL,
  kind: 'leaf',
  fields: {
    units: count,
    uStd: std(1),
    activation: field('an activation layer', (v) => typeof v === 'object' && v !== null),
    returnSequences: flag(false),
    ...weights,
  },
  shape({ units, s, returnSequences }, input) {
    const spatial = input.slice(0, -1);
    if (spatial.length !== 1)
      throw new RangeError(`it needs one spatial axis, time, got an input of shape [${input.join(', ')}]`);
    return [...(returnSequences ? spatial : []), units * s[1]];
  },
  finite: compileRnn,
  kernel: rnnRule,
  derivative: differencedDerivatives,
  offsets: ALL_PAIRS,
  weights: 'scaled',
};
