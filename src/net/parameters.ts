// The parameters of a model in one stretch of wasm memory, and their plain form outside it.
import type { ParameterSpec, Tensors } from '../layers/finite.js';
import { sizeOfShape } from '../layers/finite.js';
import { foldIn, normal, randomKey, uniform, type RandomKey } from '../math/random.js';
import { asTensor, tensor, type Tensor, type TensorLike } from '../math/tensor.js';
import { kindOf, slice, type Core, type FloatType, type Ticket } from '../wasm/engine.js';

/** Weights and bias of one layer; `path` is its place in the document. */
export interface LayerParameters {
  readonly path: string;
  readonly w: Tensor;
  /** Absent without a bias. */
  readonly b?: Tensor;
}
/** As given: nested arrays or tensors, in document order. */
export interface LayerParametersLike {
  readonly path?: string;
  readonly w: TensorLike;
  readonly b?: TensorLike | undefined;
}

export type InitKind = 'gaussian' | 'uniform';

/** Where each layer's numbers lie in the flat vector of all parameters. */
export interface Slot {
  readonly spec: ParameterSpec;
  readonly offset: number;
  readonly wSize: number;
  readonly bSize: number;
}

export function slotsOf(specs: readonly ParameterSpec[]): Slot[] {
  let offset = 0;
  return specs.map((spec) => {
    const wSize = sizeOfShape(spec.w);
    const bSize = spec.b ? sizeOfShape(spec.b) : 0;
    const slot = { spec, offset, wSize, bSize };
    offset += wSize + bSize;
    return slot;
  });
}

export function countOf(slots: readonly Slot[]): number {
  const last = slots.at(-1);
  return last ? last.offset + last.wSize + last.bSize : 0;
}

/** The tickets of every layer inside a flat vector. */
export function tensorsOf(slots: readonly Slot[], flat: Ticket<FloatType>): Tensors[] {
  return slots.map(({ offset, wSize, bSize, spec }) => ({
    w: slice(flat, offset, wSize),
    b: spec.b ? slice(flat, offset + wSize, bSize) : null,
  }));
}

/**
 * Fresh parameters from counter-based streams: layer l of seed s always gets the same numbers. `uniform` has the standard
 * deviation of `gaussian` on +-sqrt(3) std.
 */
export function drawParameters(
  core: Core,
  slots: readonly Slot[],
  options: { readonly seed: number | RandomKey; readonly init: InitKind; readonly dtype: FloatType },
): Float64Array | Float32Array {
  const { init, dtype } = options;
  const key = typeof options.seed === 'number' ? randomKey(options.seed) : options.seed;
  const flat = dtype === 'f32' ? new Float32Array(countOf(slots)) : new Float64Array(countOf(slots));
  const draw = (purpose: string, layer: number, size: number, std: number): Float64Array | Float32Array => {
    const stream = foldIn(key, 'parameters', purpose, layer);
    if (init === 'gaussian') return normal(core, stream, size, dtype, [0, std]);
    const half = std * Math.sqrt(3);
    return uniform(core, stream, size, dtype, [-half, half]);
  };
  slots.forEach(({ spec, offset, wSize, bSize }, layer) => {
    flat.set(draw('w', layer, wSize, spec.wStd), offset);
    if (bSize) flat.set(draw('b', layer, bSize, spec.bStd), offset + wSize);
  });
  return flat;
}

/** The flat vector as a list of layers. */
export function unflatten(slots: readonly Slot[], flat: Float64Array | Float32Array): LayerParameters[] {
  return slots.map(({ spec, offset, wSize, bSize }) => ({
    path: spec.path,
    w: tensor(flat.slice(offset, offset + wSize), spec.w),
    ...(spec.b ? { b: tensor(flat.slice(offset + wSize, offset + wSize + bSize), spec.b) } : {}),
  }));
}

/** A list of layers as the flat vector; RangeError names the layer whose shape or path does not fit. */
export function flatten(
  where: string,
  slots: readonly Slot[],
  list: readonly LayerParametersLike[],
  dtype: FloatType,
): Float64Array | Float32Array {
  if (!Array.isArray(list)) {
    throw new TypeError(
      `${where}: expected a list with { w, b } of each layer with weights, got ${kindOf(list)}.`,
    );
  }
  if (list.length !== slots.length) {
    throw new RangeError(
      `${where}: the net has ${slots.length} layers with weights, got ${list.length} entries. Layers: ${slots.map((slot) => slot.spec.path || 'the net').join(', ')}.`,
    );
  }
  const flat = dtype === 'f32' ? new Float32Array(countOf(slots)) : new Float64Array(countOf(slots));
  const named = new Map(list.map((entry) => [entry.path, entry]));
  const isNamed = slots.every(({ spec }) => named.has(spec.path)); // then their order does not matter
  slots.forEach(({ spec, offset, wSize }, i) => {
    const { path, w, b } = isNamed ? named.get(spec.path)! : list[i]!;
    if (path !== undefined && path !== spec.path) {
      throw new RangeError(`${where}: entry ${i} must be for ${spec.path || 'the net'}, got ${path}.`);
    }
    flat.set(fitted(`${where}: ${spec.path}.w`, w, spec.w), offset);
    if (spec.b) {
      if (b === undefined) throw new RangeError(`${where}: ${spec.path}.b is missing.`);
      flat.set(fitted(`${where}: ${spec.path}.b`, b, spec.b), offset + wSize);
    } else if (b !== undefined && b !== null) {
      throw new RangeError(`${where}: ${spec.path} has no bias (bStd is null), but "b" was given.`);
    }
  });
  return flat;
}

function fitted(name: string, value: TensorLike, shape: readonly number[]): Float64Array | Float32Array {
  const { data, shape: got } = asTensor(value, name);
  if (got.length !== shape.length || got.some((n, i) => n !== shape[i])) {
    throw new RangeError(`${name} must have shape [${shape.join(', ')}], got [${got.join(', ')}].`);
  }
  const bad = data.findIndex((entry) => !Number.isFinite(entry));
  if (bad >= 0) throw new RangeError(`${name}: entry ${bad} is ${data[bad]}; parameters must be finite.`);
  return data;
}
