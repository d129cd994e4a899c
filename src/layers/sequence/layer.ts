// Layers one after the other: serial, and repeat, whose copies have weights of their own.
import type { SequenceDescriptor } from '../descriptor.js';
import { field, isWhole, layers } from '../fields.js';
import type { RepeatLayer, SerialLayer } from './types.js';

export const serial: SequenceDescriptor<SerialLayer> = {
  kind: 'sequence',
  fields: { layers },
  inside: ({ layers }) => layers,
  steps: ({ layers }) => layers.map((layer, i) => [`layers.${i}`, layer] as const),
};

export const repeat: SequenceDescriptor<RepeatLayer> = {
  kind: 'sequence',
  fields: {
    times: field('a whole number from 0 to 10000', (v) => isWhole(v, 0) && (v as number) <= 10_000),
    net: field('a layer', (v) => typeof v === 'object' && v !== null),
  },
  inside: ({ net }) => [net],
  steps: ({ times, net }) => Array.from({ length: times }, (_, i) => [`net.${i}`, net] as const),
};
