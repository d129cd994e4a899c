// What a layer of a finite net is made of: operations on values (activations of a batch), written once as power series.
// With parameters theta0 + eps*theta1, every value is a series in eps: order 0 is the forward pass, order 1 the tangent,
// higher orders are Taylor models. `backward` carries the series of cotangents the other way.
import type { Core, FloatType, Ticket } from '../wasm/engine.js';
import type { Shape } from './shapes.js';

export type Numbers = Ticket<FloatType>;

/** Weights, bias of one layer: parameters, a displacement or a gradient. */
export interface Tensors {
  readonly w: Numbers;
  readonly b: Numbers | null;
}
/** Where to put something: what is there counts `beta` times. */
export interface Target<T> {
  readonly to: T;
  readonly beta: number;
}

/** What an operation may use while it runs on `n` samples. */
export interface Pass {
  readonly core: Core;
  readonly dtype: FloatType;
  readonly n: number;
  /** The input of the net has no orders above 0. */
  isZero(value: number, order: number): boolean;
  value(value: number, order: number): Numbers;
  cotangent(value: number, order: number): Numbers;
  /** Null when nobody wants this cotangent. */
  addTo(value: number, order: number): Target<Numbers> | null;
  weights(parameter: number): Tensors;
  /** theta1; null when the parameters do not move. */
  displacement(parameter: number): Tensors | null;
  gradient(parameter: number): Target<Tensors> | null;
  /** Scratch memory until the next call with the same key. */
  scratch(key: string, length: number): Numbers;
  /** Integer tables live as long as the pass. */
  table(key: object, make: () => Int32Array<ArrayBuffer>): Ticket<'i32'>;
  constants(key: object, make: () => Float64Array<ArrayBuffer>): Numbers;
  /** Uniform numbers in [0, 1) that belong to this call and operation; null in test mode. */
  uniforms(operation: Operation, length: number): Numbers | null;
  /** The edge weights (samples, v, v) of the call. */
  pattern(): Float64Array | null;
}

export interface Operation {
  /** Path of the layer, for errors. */
  readonly path: string;
  readonly inputs: readonly number[];
  readonly output: number;
  /** Index into the parameter list. */
  readonly parameter: number | null;
  /** Writes the coefficient of order `order` of the output, given the lower ones. */
  forward(pass: Pass, order: number): void;
  /** From the output's cotangents up to `order` to those of the inputs of that order; adds to the gradient. */
  backward(pass: Pass, order: number): void;
}

/** An operation with weights: y = scale L(x; w) + biasScale b, L linear in x and in w. */
export interface WeightOperation extends Operation {
  readonly parameter: number;
  readonly map: WeightMap;
  readonly scale: number;
  readonly biasScale: number;
}

/** L, its transposes, and its sizes. All of them compute `to = beta to + alpha (...)`. */
export interface WeightMap {
  readonly kind: 'dense' | 'conv' | 'local';
  /** Output positions and channels, length of the vector a weight column multiplies. */
  readonly positions: number;
  readonly channels: number;
  readonly fanIn: number;
  apply(
    pass: Pass,
    w: Numbers,
    x: Numbers,
    y: Numbers,
    call: { readonly alpha: number; readonly beta: number },
  ): void;
  transpose(
    pass: Pass,
    w: Numbers,
    gy: Numbers,
    gx: Numbers,
    call: { readonly alpha: number; readonly beta: number },
  ): void;
  gradient(
    pass: Pass,
    x: Numbers,
    gy: Numbers,
    gw: Numbers,
    call: { readonly alpha: number; readonly beta: number },
  ): void;
  /** The rows (samples, positions, fanIn) the weights see, of samples `first .. first+count-1`. */
  patches(pass: Pass, x: Numbers, first: number, count: number): Numbers;
}

/** What is needed to draw the parameters of one layer. */
export interface ParameterSpec {
  readonly path: string;
  readonly w: Shape;
  /** Standard deviation of the stored weights at the start. */
  readonly wStd: number;
  readonly b: Shape | null;
  readonly bStd: number;
  readonly fanIn: number;
}

/** A value while a net is being compiled: the same numbers may be seen in several shapes. */
export interface ValueRef {
  readonly id: number;
  readonly shape: Shape;
}

/** What layers use to add themselves to a program. */
export interface Builder {
  value(shape: Shape): ValueRef;
  parameter(spec: ParameterSpec): number;
  push(operation: Operation): void;
}

export function sizeOfShape(shape: Shape): number {
  return shape.reduce((size, n) => size * n, 1);
}
