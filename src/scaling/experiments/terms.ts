// The output of a deep net as a sum over which weight matrices are at their start and which are increments.
import { isWeightOperation } from '../../layers/affine/finite.js';
import { kernelOf } from '../../layers/rows.js';
import type { WeightOperation } from '../../layers/finite.js';
import { gemm } from '../../math/matmul.js';
import { asTensor, tensor, type Tensor, type TensorLike } from '../../math/tensor.js';
import { flatten } from '../../net/parameters.js';
import type { LayerParametersLike, Model } from '../../net/index.js';
import { slice, UnsupportedError, type FloatType, type Ticket } from '../../wasm/engine.js';
import { slopeOf, type HiddenActivation } from '../one-hidden/activation.js';

/** One of the 2^L terms. */
export interface OutputTerm {
  /** The matrices, from 0 (input) to L - 1 (output), that are increments since the start; the others are at their start. */
  readonly moved: readonly number[];
  /** (n, outputs). */
  readonly values: Tensor;
}

/** Most matrices of a net to expand: 1024 terms. */
const MOST = 10;

/**
 * Splits the outputs of a trained net of `L` dense layers without biases into 2^L terms (arXiv:2003.05884 has the four of
 * one hidden layer): each matrix is its start or its increment, all behind the on/off patterns of the trained net. The
 * terms add up to the outputs, up to rounding. `start` are the model's parameters before training. UnsupportedError for
 * nets that are not dense layers with leaky activations between them.
 */
export function expandTerms(
  model: Model,
  x: TensorLike,
  start: readonly LayerParametersLike[],
): OutputTerm[] {
  const slopes = chainOf(model);
  const input = asTensor(x, 'expandTerms: x');
  const rows = input.shape[0]!;
  const { core, dtype, slots, tensors } = model;
  const layers = model.program.operations.filter(isWeightOperation);
  const patterns = preActivations(model, input)
    .slice(0, -1)
    .map(({ data }, l) => data.map((z) => (z > 0 ? 1 : slopes[l]!)));
  const begun = flatten('expandTerms: start', slots, start, dtype);
  return core.heap.scope((scope) => {
    const put = (values: Float64Array | Float32Array): Ticket<FloatType> =>
      scope.put(values as Float64Array<ArrayBuffer>);
    const masks = patterns.map(put);
    // Of every matrix: its start, its increment.
    const parts = slots.map(({ offset, wSize }, l) => {
      const first = begun.slice(offset, offset + wSize);
      const moved = core.heap.read(tensors[l]!.w).map((value, i) => value - first[i]!);
      return [put(first), put(moved)] as const;
    });
    const buffers = layers.map(({ map }) => scope.alloc(dtype, rows * map.channels));
    const multiply = kernelOf(core, 'rowsMultiply', dtype);
    const terms: OutputTerm[] = [];
    const expand = (l: number, h: Ticket<FloatType>, moved: readonly number[]): void => {
      if (l === layers.length) {
        const values = core.heap.read(h);
        terms.push({ moved, values: tensor(values, [rows, model.outputSize]) });
        return;
      }
      const { map, scale } = layers[l]!;
      const z = buffers[l]!;
      parts[l]!.forEach((part, which) => {
        gemm(core, [h, part, z], [rows, map.channels, map.fanIn], { alpha: scale });
        if (l < masks.length) multiply(rows * map.channels, z.ptr, masks[l]!.ptr, 0, z.ptr);
        expand(l + 1, z, which ? [...moved, l] : moved);
      });
    };
    const data = dtype === 'f32' ? Float32Array.from(input.data) : Float64Array.from(input.data);
    expand(0, slice(put(data), 0, data.length), []);
    return terms;
  });
}

/** Slopes of the hidden activations for negative arguments. */
function chainOf(model: Model): number[] {
  const fail = (why: string): never => {
    throw new UnsupportedError(
      `expandTerms: expected dense layers without biases with relu, leakyRelu or identity between them, got ${why}.`,
    );
  };
  const { net, slots, program } = model;
  const layers: readonly { readonly layer: string }[] = net.layer === 'serial' ? net.layers : [net];
  if (program.inputShape.length !== 1) fail(`inputs of shape [${program.inputShape.join(', ')}]`);
  if (slots.length > MOST) fail(`${slots.length} matrices, above ${MOST}`);
  const slopes: number[] = [];
  layers.forEach((layer, i) => {
    if (i % 2 === 0) {
      if (layer.layer !== 'dense') fail(`'${layer.layer}' as layer ${i}`);
    } else {
      if (!['relu', 'leakyRelu', 'identity'].includes(layer.layer)) fail(`'${layer.layer}' as layer ${i}`);
      slopes.push(slopeOf(layer as HiddenActivation)!);
    }
  });
  if (layers.length % 2 === 0) fail(`'${layers.at(-1)!.layer}' as the last layer`);
  if (slots.some(({ bSize }) => bSize > 0)) fail('a net with biases');
  return slopes;
}

/**
 * What every layer with weights returns for inputs (n, ...): the pre-activations of a net, whose sizes a coordinate check
 * follows. One tensor (n, ...) per layer with weights, in order of evaluation; the last one of a plain net is its output.
 */
export function preActivations(model: Model, x: TensorLike): Tensor[] {
  const { data, n } = model.input('preActivations', x);
  const layers = model.program.operations.filter(isWeightOperation);
  const size = ({ output }: WeightOperation): number => model.program.sizes[output]!;
  const results = layers.map((layer) => model.array(n * size(layer)));
  model.chunks(n, data, {}, (machine, first) => {
    machine.forward(0);
    layers.forEach((layer, l) => {
      const part = model.core.heap.read(machine.value(layer.output, 0), 0, machine.n * size(layer));
      results[l]!.set(part, first * size(layer));
    });
  });
  return results.map((result, l) => tensor(result, [n, size(layers[l]!)]));
}
