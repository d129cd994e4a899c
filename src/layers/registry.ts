// Every layer of the vocabulary and what there is to know of it. docs/adding-a-layer.md says how to add one.
import { activations } from './activation/layer.js';
import { conv, convLocal, convTranspose, dense } from './affine/layer.js';
import { attention } from './attention/layer.js';
import type { Descriptor, LeafDescriptor } from './descriptor.js';
import { dropout } from './dropout/layer.js';
import { layerLabel } from './fields.js';
import { concat, product, sum } from './merge/layer.js';
import { layerNorm, rmsNorm } from './norm/layer.js';
import {
  aggregate,
  avgPool,
  flatten,
  globalPool,
  identity,
  imageResize,
  index,
  maxPool,
  sumPool,
} from './position/layer.js';
import { rnn } from './recurrent/layer.js';
import { repeat, serial } from './sequence/layer.js';
import type { Shape, Shaped } from './shapes.js';
import type { ActivationLayer, Layer, LayerName, LayerOf, RepeatLayer, SerialLayer } from './vocabulary.js';

export const LAYERS: { readonly [N in LayerName]: Descriptor<LayerOf<N>> } = {
  serial,
  repeat,
  sum,
  product,
  concat,
  identity,
  dense,
  rnn,
  conv,
  convTranspose,
  convLocal,
  avgPool,
  sumPool,
  maxPool,
  globalAvgPool: globalPool,
  globalSumPool: globalPool,
  flatten,
  layerNorm,
  rmsNorm,
  dropout,
  attention,
  aggregate,
  imageResize,
  index,
  ...activations,
};

export const descriptorOf = <L extends Layer>(layer: L): Descriptor<L> =>
  LAYERS[layer.layer] as unknown as Descriptor<L>;

/** The descriptor of a layer without children; null for sequences and branches. */
export function leafOf<L extends Layer>(layer: L): LeafDescriptor<L> | null {
  const descriptor = descriptorOf(layer);
  return descriptor.kind === 'leaf' ? descriptor : null;
}

/** Layers whose children run one after the other; those of other containers see the same input. */
export const isSequence = (layer: Layer): layer is SerialLayer | RepeatLayer =>
  descriptorOf(layer).kind === 'sequence';

export const isActivation = (layer: Layer): layer is ActivationLayer =>
  Object.hasOwn(activations, layer.layer);

/** The layers of the document directly inside a layer. */
export function inside(layer: Layer): readonly Layer[] {
  const descriptor = descriptorOf(layer);
  return descriptor.kind === 'leaf' ? [] : descriptor.inside(layer);
}

/** Whether a layer without children, anywhere in the net, is such a one. */
export function someLeaf(layer: Layer, is: (leaf: LeafDescriptor<Layer>, layer: Layer) => boolean): boolean {
  const leaf = leafOf(layer);
  return leaf ? is(leaf, layer) : inside(layer).some((child) => someLeaf(child, is));
}

/** Whether a layer brings random weights of its own, after which its output is independent of other branches. */
export function hasWeights(layer: Layer): boolean {
  const descriptor = descriptorOf(layer);
  if (descriptor.kind === 'leaf') return descriptor.weights !== null;
  if (descriptor.kind === 'branches') return descriptor.inside(layer).every(hasWeights);
  return descriptor.steps(layer).length > 0 && descriptor.inside(layer).some(hasWeights);
}

/** Whether a net holds functions of this program, which workers do not have. */
export const usesFunctions = (net: Layer): boolean =>
  someLeaf(net, ({ inCode }, layer) => inCode || ('activation' in layer && usesFunctions(layer.activation)));

/** Shapes and true channel counts of a parsed layer and all layers in it. RangeError names the layer that does not fit. */
export function shapeLayer(layer: Layer, input: Shape, path = ''): Shaped {
  const at = (part: string): string => (path ? `${path}.${part}` : part);
  const descriptor = descriptorOf(layer);
  const label = layerLabel(path, layer.layer);
  if (descriptor.kind === 'leaf')
    return { layer, path, input, output: leafShape(descriptor, layer, input, label), children: [] };
  if (descriptor.kind === 'branches') {
    const children = descriptor
      .inside(layer)
      .map((child, i) => shapeLayer(child, input, at(`branches.${i}`)));
    const output = descriptor.shape(
      layer,
      children.map((child) => child.output),
      label,
    );
    return { layer, path, input, output, children };
  }
  const children: Shaped[] = [];
  let output = input;
  for (const [part, child] of descriptor.steps(layer)) {
    children.push(shapeLayer(child, output, at(part)));
    output = children.at(-1)!.output;
  }
  return { layer, path, input, output, children };
}

function leafShape(leaf: LeafDescriptor<Layer>, layer: Layer, input: Shape, label: string): Shape {
  try {
    return leaf.shape(layer, input);
  } catch (error) {
    throw new RangeError(`net: ${label}: ${(error as Error).message}.`);
  }
}
