// What a kernel call is given, checked before anything runs.
import { asTensor, type Tensor, type TensorLike } from '../../math/tensor.js';
import type { Pattern } from '../../layers/states/state.js';
import { someLeaf } from '../../layers/registry.js';
import type { Layer } from '../../layers/vocabulary.js';
import { NumericalError, type FloatType } from '../../wasm/engine.js';
import { isMasked } from '../propagation/input.js';
import type { KernelOptions } from '../kernel.js';

export type KernelName = 'nngp' | 'ntk';

/** Both inputs; x2 = null: x1 with itself. */
export function checkInputs(first: TensorLike, second: TensorLike | null): [Tensor, Tensor | null] {
  const x1 = checkInput(first, 'x1');
  const x2 = second === null ? null : checkInput(second, 'x2');
  if (x2 && x1.shape.slice(1).join() !== x2.shape.slice(1).join()) {
    throw new RangeError(
      `kernel: samples of x1 and x2 must have one shape, got [${x1.shape.join(', ')}] and [${x2.shape.join(', ')}].`,
    );
  }
  return [x1, x2];
}

function checkInput(value: TensorLike, name: string): Tensor {
  const x = asTensor(value, `kernel: ${name}`);
  if (x.shape.length < 2) {
    throw new RangeError(
      `kernel: ${name} must have samples and channels at least, (n, ...spatial, channels), got shape [${x.shape.join(', ')}]. Give one sample as (1, d).`,
    );
  }
  if (x.shape.includes(0))
    throw new RangeError(`kernel: ${name} is empty, got shape [${x.shape.join(', ')}].`);
  return x;
}

export function checkNames(get: readonly KernelName[] | KernelName = ['nngp', 'ntk']): readonly KernelName[] {
  const names = typeof get === 'string' ? [get] : get;
  if (
    !Array.isArray(names) ||
    names.length === 0 ||
    new Set(names).size !== names.length ||
    names.some((name) => !['nngp', 'ntk'].includes(name))
  ) {
    throw new RangeError(
      `kernel: get must name 'nngp', 'ntk' or both, once each, got ${JSON.stringify(get)}.`,
    );
  }
  return names;
}

/** The dtype asked for; default that of the input. */
export function checkDtype(dtype: 'f32' | 'f64' | undefined, { data }: Tensor): 'f32' | 'f64' {
  const result = dtype ?? (data instanceof Float32Array ? 'f32' : 'f64');
  if (result !== 'f32' && result !== 'f64')
    throw new RangeError(`kernel: dtype must be 'f32' or 'f64', got ${String(result)}.`);
  return result;
}

/** The relative error asked of series; default that of the dtype. */
export function checkTolerance(
  tolerance: number | undefined,
  dtype: 'f32' | 'f64',
  caller = 'kernel',
): number {
  const result = tolerance ?? defaultTolerance(dtype);
  if (!(typeof result === 'number' && result > 0 && result < 1))
    throw new RangeError(`${caller}: tolerance must be a number between 0 and 1, got ${String(result)}.`);
  return result;
}

export const defaultTolerance = (dtype: 'f32' | 'f64'): number => (dtype === 'f32' ? 1e-8 : 1e-13);

/** What is thrown where results are not finite; `where` is the layer after which they first are not, when it is known. */
export class Overflow extends NumericalError {
  readonly isNamed: boolean;

  constructor(dtype: FloatType, where = '') {
    super(
      `kernel: ${where ? `after ${where} ` : ''}entries overflow ${dtype === 'f32' ? 'float32' : 'float64'}. Use smaller inputs or wStd${dtype === 'f32' ? ", or dtype 'f64'" : ''}.`,
    );
    this.isNamed = where !== '';
  }
}

export const overflow = (dtype: FloatType, where?: string): Overflow => new Overflow(dtype, where);

/** The patterns of both sides of a call, one graph per sample; `n2` null: x1 with itself, whose graphs are pattern1. */
export function checkPatterns(
  net: Layer,
  { pattern1 = null, pattern2 = null }: Pick<KernelOptions, 'pattern1' | 'pattern2'>,
  n1: number,
  n2: number | null,
): [Pattern | null, Pattern | null] {
  if (pattern2 !== null && n2 === null)
    throw new RangeError(
      'kernel: pattern2 belongs to x2, which is null. The graphs of x1 with itself are pattern1.',
    );
  if ((pattern1 ?? pattern2) !== null && !someLeaf(net, ({ usesPattern }) => usesPattern))
    throw new RangeError(
      'kernel: a pattern is given, but the net has no layer that takes one (aggregate). Leave it out.',
    );
  return [checkPattern(pattern1, 'pattern1', n1), checkPattern(pattern2, 'pattern2', n2 ?? n1)];
}

function checkPattern(value: TensorLike | null, name: string, samples: number): Pattern | null {
  if (value === null) return null;
  const { data, shape } = asTensor(value, `kernel: ${name}`);
  if (shape[0] !== samples)
    throw new RangeError(
      `kernel: ${name} must have one graph for each of the ${samples} samples, (${samples}, v, v), got shape [${shape.join(', ')}].`,
    );
  return { data: Float64Array.from(data), shape };
}

/** RangeError naming the first entry that is not finite; called when a result is not, which is cheaper than before. */
export function blameInput(x1: Tensor, x2: Tensor | null, maskConstant: number | null): void {
  for (const [name, x] of [
    ['x1', x1],
    ['x2', x2],
  ] as const) {
    for (let i = 0; x && i < x.data.length; i++) {
      const v = x.data[i]!;
      if (v - v !== 0 && !isMasked(v, maskConstant)) {
        throw new RangeError(
          `kernel: ${name} has the entry ${v} at flat index ${i}. Remove it, or mask it with maskConstant.`,
        );
      }
    }
  }
}
