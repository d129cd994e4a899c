// Width multipliers of the improved standard parametrisation must chain: sIn of a layer is sOut of the one before.
import { layerLabel } from '../layers/fields.js';
import { descriptorOf } from '../layers/registry.js';
import { placeOf } from '../layers/shapes.js';
import type { DenseLayer, Layer } from '../layers/vocabulary.js';

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
  const fail = (message: string): RangeError =>
    new RangeError(`net: ${layerLabel(path, layer.layer)}${message}`);
  const descriptor = descriptorOf(layer);
  if (descriptor.kind === 'sequence')
    return descriptor
      .steps(layer)
      .filter(([, child], i, all) => child !== all[i - 2]?.[1]) // a third copy is as the second
      .reduce((now, [part, child]) => follow(child, at(placeOf(part)), now), s);
  if (descriptor.kind === 'branches') {
    const ends = descriptor.inside(layer).map((child, i) => follow(child, at(`branches.${i}`), s));
    if (new Set(ends).size > 1) {
      throw fail(`: branches end with sOut = ${ends.join(', ')}; they must all be equal.`);
    }
    return ends[0]!;
  }
  if (descriptor.weights === 'unit' && s !== 1) throw fail(` needs sOut = 1 of the layer before, got ${s}.`);
  if (descriptor.weights !== 'scaled') return s;
  const [sIn, sOut] = (layer as DenseLayer).s;
  if (sIn !== s) {
    throw fail(`: sIn = ${sIn}, but the layer before has sOut = ${s}. They must be equal (1 at the input).`);
  }
  return sOut;
}
