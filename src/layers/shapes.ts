// The shape of what a layer returns for one sample: spatial axes first, channels last, samples left out.
import type { Layer } from './vocabulary.js';

export type Shape = readonly number[];

/** A layer in its place: its path in the document, and the shapes that enter and leave it, without the samples axis. */
export interface Shaped<L extends Layer = Layer> {
  readonly layer: L;
  readonly path: string;
  readonly input: Shape;
  readonly output: Shape;
  /** Layers of a serial, branches, or the copies of a repeat (paths `<path>.net.<copy>`), in document order. */
  readonly children: readonly Shaped[];
}

/** An axis that counts samples, from 0 to rank-1. `rank` counts the samples axis. */
export function normaliseAxis(axis: number, rank: number): number {
  const result = axis < 0 ? axis + rank : axis;
  if (result < 0 || result >= rank) {
    throw new RangeError(`axis ${axis} is outside the ${rank} axes (samples included)`);
  }
  return result;
}

/** RangeError unless a field has one entry per spatial axis. */
export function checkRank(sizes: readonly unknown[], spatial: Shape, what: string): void {
  if (sizes.length !== spatial.length) {
    throw new RangeError(
      `"${what}" has ${sizes.length} entries, but the input has ${spatial.length} spatial axes`,
    );
  }
}

/** Sizes after windows; RangeError where none fits. */
export function windowSizes(axes: readonly { readonly out: number }[], input: Shape): number[] {
  const out = axes.map((axis) => axis.out);
  if (out.some((n) => n < 1)) {
    throw new RangeError(`no output position fits into an input of shape [${input.join(', ')}]`);
  }
  return out;
}

/** Where the layer of a path is written: the copies of a repeat are one layer of the document. */
export const placeOf = (path: string): string => path.replace(/(^|\.)net\.\d+/g, '$1net');
