// The numbers of a net that its kernels are differentiated in, by their place in the document: `layers.0.wStd`.
import { baseWidthOf } from '../../layers/affine/kernel.js';
import type { OwnDirections } from '../../layers/affine/derivative.js';
import { shapeLayer } from '../../layers/registry.js';
import { placeOf, type Shape, type Shaped } from '../../layers/shapes.js';
import type { ConvLayer, DenseLayer } from '../../layers/vocabulary.js';
import { parseNet, type NetDocument } from '../../net/document.js';

export type ParameterField = 'wStd' | 'bStd' | 'baseWidth';

/** A number of the net that has a name; copies of a repeat share theirs. */
export interface KernelParameter {
  readonly name: string;
  readonly field: ParameterField;
  readonly value: number;
}

function eachWeights(node: Shaped, visit: (node: Shaped<DenseLayer | ConvLayer>) => void): void {
  if ('wStd' in node.layer) visit(node as Shaped<DenseLayer | ConvLayer>);
  for (const child of node.children) eachWeights(child, visit);
}

/**
 * Every wStd, every bStd that exists and, in `standard` parametrization, every base width N of dense and convolutional
 * layers, in document order. A base width that differs between the copies of a repeat has no name.
 */
export function kernelParameters(net: NetDocument, sample: Shape): KernelParameter[] {
  const found = new Map<string, KernelParameter>();
  const mixed = new Set<string>();
  eachWeights(shapeLayer(parseNet(net), sample), ({ layer, path, input }) => {
    const put = (field: ParameterField, value: number): void => {
      const name = [placeOf(path), field].filter((part) => part !== '').join('.');
      if ((found.get(name)?.value ?? value) !== value) mixed.add(name);
      found.set(name, { name, field, value });
    };
    put('wStd', layer.wStd);
    if (layer.bStd !== null) put('bStd', layer.bStd);
    if (layer.parametrization === 'standard') put('baseWidth', baseWidthOf(layer, input.at(-1)!));
  });
  return [...found.values()].filter(({ name }) => !mixed.has(name));
}

/** Which directions are numbers of which layer, by the path of the shaped node. */
export function ownDirections(root: Shaped, names: readonly string[]): Map<string, OwnDirections> {
  const result = new Map<string, OwnDirections>();
  eachWeights(root, ({ path }) => {
    const own: Record<string, number> = {};
    for (const field of ['wStd', 'bStd', 'baseWidth'] as const) {
      const index = names.indexOf([placeOf(path), field].filter((part) => part !== '').join('.'));
      if (index >= 0) own[field] = index;
    }
    result.set(path, own);
  });
  return result;
}

/** The net with other numbers, as a document. */
export function withParameters(document: NetDocument, values: ReadonlyMap<string, number>): NetDocument {
  const copy = JSON.parse(JSON.stringify(parseNet(document))) as Record<string, unknown>;
  for (const [name, value] of values) {
    const path = name.split('.');
    const field = path.pop()!;
    let at = copy;
    for (const key of path) at = at[key] as Record<string, unknown>;
    at[field] = value;
  }
  return copy as unknown as NetDocument;
}
