// Width multipliers of the improved standard parametrisation must chain: sIn of a layer is sOut of the one before.
import type { Layer } from '../layers/vocabulary.js';
import { layerLabel } from '../layers/fields.js';

/**
 * RangeError at the first layer whose `s` does not follow from the layers before it (which end with `start`), or a net
 * that ends with sOut > 1.
 */
export function checkChain(net: Layer, start = 1): void {
  const end = chainEnd(net, start);
  if (end !== 1) {
    throw new RangeError(
      `net: the last layer with weights has sOut = ${end}; the outputs of a net need sOut = 1.`,
    );
  }
}

/** sOut after the layers of `net`, which need not be the whole. */
export const chainEnd = (net: Layer, start = 1): number => follow(net, '', start);

function follow(layer: Layer, path: string, s: number): number {
  const at = (part: string): string => (path ? `${path}.${part}` : part);
  switch (layer.layer) {
    case 'serial':
      return layer.layers.reduce((now, child, i) => follow(child, at(`layers.${i}`), now), s);
    case 'repeat': {
      if (layer.times === 0) return s;
      const once = follow(layer.net, at('net'), s);
      return layer.times === 1 ? once : follow(layer.net, at('net'), once);
    }
    case 'sum':
    case 'product':
    case 'concat': {
      const ends = layer.branches.map((child, i) => follow(child, at(`branches.${i}`), s));
      if (new Set(ends).size > 1) {
        throw new RangeError(
          `net: ${layerLabel(path, layer.layer)}: branches end with sOut = ${ends.join(', ')}; they must all be equal.`,
        );
      }
      return ends[0]!;
    }
    case 'dense':
    case 'rnn':
    case 'conv':
    case 'convTranspose':
    case 'convLocal': {
      const [sIn, sOut] = layer.s;
      if (sIn !== s) {
        throw new RangeError(
          `net: ${layerLabel(path, layer.layer)}: sIn = ${sIn}, but the layer before has sOut = ${s}. They must be equal (1 at the input).`,
        );
      }
      return sOut;
    }
    case 'attention':
      if (s !== 1) {
        throw new RangeError(
          `net: ${layerLabel(path, 'attention')} needs sOut = 1 of the layer before, got ${s}.`,
        );
      }
      return 1;
    default:
      return s;
  }
}
