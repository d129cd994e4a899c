// The nets the expansion covers: dense layers in NTK parametrisation with activations between them.
import { parseNet, type NetDocument } from '../net/document.js';
import type { DenseLayer, Layer } from '../layers/vocabulary.js';
import { isActivation } from '../layers/registry.js';
import { asTensor, assertFinite, type Tensor, type TensorLike } from '../math/tensor.js';
import type { HiddenActivation } from './family.js';
import type { Order1Layer } from './recursion.js';

/** Widths of the hidden layers, what stands between them, and variances of weights and biases. */
export interface DenseChain {
  readonly first: { readonly cw: number; readonly cb: number };
  readonly steps: readonly (Order1Layer & { readonly activation: HiddenActivation })[];
  readonly outputs: number;
}

/** RangeError naming the layer that is not covered. */
export function denseChain(where: string, net: NetDocument): DenseChain {
  const dense: DenseLayer[] = [];
  const activations: HiddenActivation[] = [];
  for (const { layer, path } of flat(parseNet(net), '')) {
    if (layer.layer === 'identity' || layer.layer === 'flatten') continue;
    if (layer.layer === 'dense') {
      checkDense(where, layer, path);
      dense.push(layer);
      if (dense.length > 1 && activations.length < dense.length - 1) activations.push({ layer: 'linear' });
    } else if (isActivation(layer) && activations.length === dense.length - 1) activations.push(layer);
    else {
      throw new RangeError(
        `${where}: expected dense layers with one activation between them, got '${layer.layer}' at ${path || 'the top'}. Convolutions, attention, dropout, branches and normalisation are not covered: measure them with empiricalNtk over seeds.`,
      );
    }
  }
  if (dense.length < 2 || activations.length !== dense.length - 1)
    throw new RangeError(
      `${where}: expected at least two dense layers, the last one without an activation, got ${dense.length} dense layers and ${activations.length} activations.`,
    );
  const variances = dense.map(({ wStd, bStd }) => ({ cw: wStd * wStd, cb: (bStd ?? 0) * (bStd ?? 0) }));
  return {
    first: variances[0]!,
    steps: activations.map((activation, l) => ({ activation, units: dense[l]!.units, ...variances[l + 1]! })),
    outputs: dense.at(-1)!.units,
  };
}

function checkDense(where: string, { parametrization, s }: DenseLayer, path: string): void {
  if (parametrization !== 'ntk' || s[0] !== 1 || s[1] !== 1)
    throw new RangeError(
      `${where}: ${path} has parametrization '${parametrization}' with s [${s.join(', ')}]; expected 'ntk' with s [1, 1]. Only that one is covered.`,
    );
}

/** Layers in order; copies of a repeat one by one. */
function* flat(layer: Layer, path: string): Generator<{ layer: Layer; path: string }> {
  const at = (part: string): string => (path ? `${path}.${part}` : part);
  if (layer.layer === 'serial')
    for (const [i, child] of layer.layers.entries()) yield* flat(child, at(`layers.${i}`));
  else if (layer.layer === 'repeat') for (let i = 0; i < layer.times; i++) yield* flat(layer.net, at('net'));
  else yield { layer, path };
}

/** Samples as rows (n, features), finite, at least one. */
export function samplesOf(where: string, x: TensorLike): Tensor & { readonly n: number } {
  const given = asTensor(x, `${where}: x`);
  assertFinite(given, `${where}: x`);
  const [n] = given.shape;
  if (given.shape.length < 2 || !n || given.data.length === 0)
    throw new RangeError(`${where}: x must have shape (samples, features), got [${given.shape.join(', ')}].`);
  return { data: given.data, shape: [n, given.data.length / n], n };
}

/** Covariance of the first layer: cb + cw x.x' / features. */
export function firstCovariance({ first }: DenseChain, x: Tensor): Float64Array<ArrayBuffer> {
  const [n, features] = x.shape as [number, number];
  const k = new Float64Array(n * n);
  for (let a = 0; a < n; a++) {
    for (let b = 0; b <= a; b++) {
      let dot = 0;
      for (let i = 0; i < features; i++) dot += x.data[a * features + i]! * x.data[b * features + i]!;
      k[a * n + b] = k[b * n + a] = first.cb + (first.cw * dot) / features;
    }
  }
  return k;
}
