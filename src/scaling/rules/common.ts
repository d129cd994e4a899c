// Choices of exponents that people use, by the names they use for them. A and C of the first, the hidden and the last matrix.
import type { UpdateFamily } from './optimizers.js';

type Three = readonly [first: string, hidden: string, last: string];

interface Common {
  readonly family: UpdateFamily;
  readonly name: string;
  readonly A: Three;
  readonly C: Three;
}

const STANDARD: Three = ['0', '1/2', '1/2'];
const MAXIMAL: Three = ['0', '1/2', '1'];

const COMMON: readonly Common[] = [
  { family: 'sgd', name: 'standard parametrisation, one rate', A: STANDARD, C: ['0', '0', '0'] },
  { family: 'sgd', name: 'standard parametrisation, rate n^-1/2', A: STANDARD, C: ['1/2', '1/2', '1/2'] },
  { family: 'sgd', name: 'standard parametrisation, rate 1/n', A: STANDARD, C: ['1', '1', '1'] },
  { family: 'sgd', name: 'NTK parametrisation', A: STANDARD, C: ['0', '1', '1'] },
  { family: 'sgd', name: 'maximal update (muP)', A: MAXIMAL, C: ['-1', '0', '1'] },
  { family: 'sgd', name: 'mean field of every layer', A: ['0', '1', '1'], C: ['-1', '1', '1'] },
  { family: 'entrywise', name: 'standard parametrisation, one rate', A: STANDARD, C: ['0', '0', '0'] },
  {
    family: 'entrywise',
    name: 'standard initialisation with the rate at 1/n everywhere',
    A: STANDARD,
    C: ['1', '1', '1'],
  },
  { family: 'entrywise', name: 'maximal update (muP)', A: MAXIMAL, C: ['0', '1', '1'] },
  { family: 'entrywise', name: 'NTK parametrisation', A: STANDARD, C: ['1/2', '3/2', '1'] },
  { family: 'entrywise', name: 'unit-scaled maximal update (u-muP)', A: MAXIMAL, C: ['1/2', '1', '1'] },
  { family: 'spectral', name: 'one rate for U V^T everywhere', A: STANDARD, C: ['0', '0', '0'] },
  { family: 'spectral', name: 'maximal update (spectral condition)', A: MAXIMAL, C: ['-1/2', '0', '1/2'] },
  { family: 'relative', name: 'maximal update (muP)', A: MAXIMAL, C: ['0', '1', '1'] },
];

/** The name of a choice, or null. */
export function commonName(family: UpdateFamily, A: readonly string[], C: readonly string[]): string | null {
  const last = A.length - 1;
  const matches = (values: readonly string[], three: Three): boolean =>
    values.every((value, l) => value === three[l === 0 ? 0 : l === last ? 2 : 1]);
  return COMMON.find((one) => one.family === family && matches(A, one.A) && matches(C, one.C))?.name ?? null;
}
