import { createEngine, kernel, type Engine } from 'infinite-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadReference, mismatch, toArray, type Tolerance } from '../support/reference.js';

interface Raw {
  readonly shape: number[];
  readonly data: (number | string)[];
}
interface Case {
  readonly name: string;
  readonly net: never;
  readonly x1: Raw;
  readonly x2: Raw | null;
  readonly options: {
    maskConstant?: number;
    diagonalSpatial?: boolean;
    pattern1?: Raw | null;
    pattern2?: Raw | null;
  };
  readonly expected: Readonly<Record<'nngp' | 'ntk', Raw>>;
  readonly tolerance: Tolerance;
}

const FAMILIES = ['fc', 'conv1d', 'conv2d', 'masked', 'spatial', 'aggregate', 'stress'];
const files = await Promise.all(
  FAMILIES.map((family) => loadReference<{ cases: Case[] }>(`neural-tangents/${family}`)),
);

describe.each(files.map((file, i) => ({ family: FAMILIES[i]!, cases: file.cases })))(
  '$family',
  ({ cases }) => {
    let engine: Engine;
    beforeAll(async () => {
      engine = await createEngine({ variant: 'simd' });
    });
    afterAll(() => engine.dispose());

    it.each(cases)('$name', async ({ net, x1, x2, options, expected, tolerance }) => {
      const { pattern1, pattern2, ...rest } = options;
      const result = await kernel(engine, net, toArray(x1), x2 && toArray(x2), {
        ...rest,
        ...(pattern1 ? { pattern1: toArray(pattern1) } : {}),
        ...(pattern2 ? { pattern2: toArray(pattern2) } : {}),
      });
      for (const name of ['nngp', 'ntk'] as const) {
        const want = toArray(expected[name]);
        expect(result[name].shape).toEqual(want.shape);
        expect(mismatch(result[name].data, want, tolerance)).toBeNull();
      }
    });
  },
);
