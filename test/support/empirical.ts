import type { LayerParameters, NetDocument } from 'infinite-width';
import { mismatch, toArray, type Tolerance } from './reference.js';

export type Plain = { shape: number[]; data: (number | string)[] };
export type PlainParameters = { path: string; w: Plain; b?: Plain }[];

/** A case of neural-tangents/empirical. */
export interface EmpiricalCase {
  name: string;
  net: NetDocument;
  x1: Plain;
  x2: Plain;
  params: PlainParameters;
  displacement: PlainParameters;
  inputs: Record<string, Plain>;
  options: { steps: number; learningRate: Record<string, number>; momentum: number };
  expected: Record<string, Plain>;
  expectedParams: Record<string, PlainParameters>;
  tolerance: Tolerance;
}

/** Parameters of the reference as the library takes them. */
export const list = (parameters: PlainParameters): LayerParameters[] =>
  parameters.map(({ path, w, b }) => ({ path, w: toArray(w), ...(b ? { b: toArray(b) } : {}) }));

/** The first layer that misses the tolerance, as text. */
export function worst(
  got: readonly LayerParameters[],
  want: PlainParameters,
  tolerance: Tolerance,
): string | null {
  for (const [i, { path, w, b }] of want.entries()) {
    const bad =
      mismatch(got[i]!.w.data, toArray(w), tolerance) ??
      (b ? mismatch(got[i]!.b!.data, toArray(b), tolerance) : null);
    if (bad) return `${path}: ${bad}`;
  }
  return null;
}
