// Windows, padding and strides, one spatial axis at a time; shared by finite layers and kernel rules.
import type { AvgPoolLayer, ConvLayer, Padding, Slice, SumPoolLayer } from './vocabulary.js';

/** Output position p reads inputs `p*stride - lo + r`, r < size; outside [0, n) zero, or modulo n where circular. */
export interface WindowAxis {
  readonly n: number;
  readonly out: number;
  readonly size: number;
  readonly stride: number;
  readonly lo: number;
  readonly circular: boolean;
}

/** Cross-correlation windows along one axis (SAME: out = ceil(n/stride), the odd zero of padding goes to the end). */
export function windowAxis(n: number, size: number, stride: number, padding: Padding): WindowAxis {
  if (padding === 'VALID') {
    const out = Math.max(0, Math.floor((n - size) / stride) + 1);
    return { n, out, size, stride, lo: 0, circular: false };
  }
  const out = Math.ceil(n / stride);
  const total = Math.max((out - 1) * stride + size - n, 0);
  return { n, out, size, stride, lo: Math.floor(total / 2), circular: padding === 'CIRCULAR' };
}

/** One axis of a transposed convolution: output p reads input i by tap r where `p = stride*i + lo - r` (modulo out). */
export interface TransposedAxis {
  readonly n: number;
  readonly out: number;
  readonly size: number;
  readonly stride: number;
  readonly lo: number;
  readonly circular: boolean;
}

/** As jax.lax.conv_transpose without a kernel flip; CIRCULAR folds the VALID result onto a torus of n*stride positions. */
export function transposedAxis(n: number, size: number, stride: number, padding: Padding): TransposedAxis {
  const total = size + stride - 2;
  if (padding === 'SAME') {
    const lo = stride > size - 1 ? size - 1 : Math.ceil(total / 2);
    return { n, out: n * stride, size, stride, lo, circular: false };
  }
  const valid = n * stride + Math.max(size - stride, 0);
  if (padding === 'VALID') return { n, out: valid, size, stride, lo: size - 1, circular: false };
  const fold = Math.floor((valid - n * stride) / 2);
  return { n, out: n * stride, size, stride, lo: size - 1 - fold, circular: true };
}

/** What one output position of an axis reads: input position and tap. */
export interface Tap {
  readonly input: number;
  readonly tap: number;
}

/** The taps of every output position, taps ascending. */
export function windowTaps(axis: WindowAxis): Tap[][] {
  return Array.from({ length: axis.out }, (_, p) => {
    const taps: Tap[] = [];
    for (let tap = 0; tap < axis.size; tap++) {
      const raw = p * axis.stride - axis.lo + tap;
      const input = axis.circular ? ((raw % axis.n) + axis.n) % axis.n : raw;
      if (input >= 0 && input < axis.n) taps.push({ input, tap });
    }
    return taps;
  });
}

/** The taps of every output position of a transposed convolution, taps ascending. */
export function transposedTaps(axis: TransposedAxis): Tap[][] {
  const taps: Tap[][] = Array.from({ length: axis.out }, () => []);
  for (let tap = 0; tap < axis.size; tap++) {
    for (let input = 0; input < axis.n; input++) {
      const raw = axis.stride * input + axis.lo - tap;
      const p = axis.circular ? ((raw % axis.out) + axis.out) % axis.out : raw;
      if (p >= 0 && p < axis.out) taps[p]!.push({ input, tap });
    }
  }
  return taps;
}

/** The axes of a convolution layer over `spatial`. */
export function convAxes(layer: ConvLayer, spatial: readonly number[]): WindowAxis[] {
  const make = layer.layer === 'convTranspose' ? transposedAxis : windowAxis;
  return spatial.map((n, i) => make(n, layer.filter[i]!, layer.strides[i]!, layer.padding));
}

/** The taps of a convolution layer per axis. */
export function convTaps(layer: ConvLayer, spatial: readonly number[]): Tap[][][] {
  const taps = layer.layer === 'convTranspose' ? transposedTaps : windowTaps;
  return convAxes(layer, spatial).map(taps);
}

/** The axes of a pooling layer over `spatial`. */
export function poolAxes(layer: AvgPoolLayer | SumPoolLayer, spatial: readonly number[]): WindowAxis[] {
  return spatial.map((n, i) => windowAxis(n, layer.window[i]!, layer.strides[i]!, layer.padding));
}

/**
 * The resize matrix (out x n, row-major, rows sum to 1) of one axis, as jax.image.resize.
 * linear: triangle weights of half width max(n/out, 1) with antialias, else 1; nearest: floor((i + 1/2) n/out).
 */
export function resizeMatrix(
  n: number,
  out: number,
  method: 'linear' | 'nearest',
  antialias: boolean,
): Float64Array {
  const matrix = new Float64Array(out * n);
  for (let i = 0; i < out; i++) {
    if (method === 'nearest') {
      matrix[i * n + Math.min(n - 1, Math.floor(((i + 0.5) * n) / out))] = 1;
      continue;
    }
    const at = ((i + 0.5) * n) / out - 0.5;
    const half = antialias ? Math.max(n / out, 1) : 1;
    let sum = 0;
    for (let j = 0; j < n; j++) {
      const weight = 1 - Math.abs(at - j) / half;
      // A weight of rounding alone would make a masked position visible.
      sum += matrix[i * n + j] = weight > 1e-12 ? weight : 0;
    }
    for (let j = 0; j < n; j++) matrix[i * n + j] = sum > 0 ? matrix[i * n + j]! / sum : 0;
  }
  return matrix;
}

/** The input positions that a slice of an axis of n positions keeps, in order (Python's rules). RangeError if outside. */
export function slicePositions(slice: Slice, n: number): number[] {
  if (slice === null) return Array.from({ length: n }, (_, i) => i);
  if (typeof slice === 'number') {
    if (slice < -n || slice >= n) throw new RangeError(`index ${slice} is outside an axis of ${n} positions`);
    return [slice < 0 ? slice + n : slice];
  }
  const [start, stop, step] = [slice[0], slice[1], slice[2] ?? 1];
  const clamp = (value: number, least: number, most: number): number =>
    Math.min(most, Math.max(least, value < 0 ? value + n : value));
  const first = step > 0 ? clamp(start ?? 0, 0, n) : start === null ? n - 1 : clamp(start, -1, n - 1);
  const last = step > 0 ? clamp(stop ?? n, 0, n) : stop === null ? -1 : clamp(stop, -1, n - 1);
  const kept: number[] = [];
  for (let i = first; step > 0 ? i < last : i > last; i += step) kept.push(i);
  return kept;
}
