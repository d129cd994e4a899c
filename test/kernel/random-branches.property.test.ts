// Random nets with branches within branches, pools of every kind inside them and masks: by offsets, by the general propagation, in tiles.
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createEngine, kernel, tensor, type Engine, type NetDocument, type Tensor } from 'infinite-width';
import { prepareTile } from '#build/kernel/kernel.js';
import { computeTile } from '#build/kernel/tiles/tile.js';
import { offsetTile } from '#build/kernel/offsets/tile.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
});
afterAll(() => engine.dispose());

const MASK = -3;
/** Samples (n, 4, 3, 2) without masks, with masked entries and positions, or with masked samples too. */
function images(n: number, seed: number, masks: number): Tensor<Float64Array> {
  let state = seed;
  const next = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  const data = Float64Array.from({ length: n * 24 }, () => 2 * next() - 1);
  for (let p = 0; masks > 0 && p < n * 12; p++) {
    const draw = next();
    if (draw < 0.3) data[2 * p] = MASK;
    if (draw < 0.2) data[2 * p + 1] = MASK;
  }
  if (masks > 1) data.fill(MASK, 0, 24);
  return tensor(data, [n, 4, 3, 2]);
}

const size = fc.integer({ min: 1, max: 3 });
const padding = fc.constantFrom('SAME', 'CIRCULAR', 'VALID');
const affine = fc.record({
  layer: fc.constantFrom('conv', 'conv', 'convTranspose', 'convLocal'),
  channels: fc.constant(2),
  filter: fc.tuple(size, size),
  strides: fc.constantFrom([1, 1], [1, 1], [2, 1]),
  padding,
  bStd: fc.constantFrom(null, 0.4),
  parametrization: fc.constantFrom('ntk', 'standard'),
});
/** Keeps the positions, but may move the centres of windows. */
const keeping = fc.record({
  layer: fc.constantFrom('conv', 'conv', 'convTranspose'),
  channels: fc.constant(2),
  filter: fc.tuple(fc.integer({ min: 1, max: 4 }), size),
  padding: fc.constantFrom('SAME', 'CIRCULAR'),
  bStd: fc.constantFrom(null, 0.4),
});
const activation = fc.constantFrom<NetDocument>(
  { layer: 'relu' },
  { layer: 'erf' },
  { layer: 'cos', b: 0.7, c: 0.3 },
);
const pool = fc.record({
  layer: fc.constantFrom('avgPool', 'sumPool'),
  window: fc.tuple(size, size),
  strides: fc.constantFrom([1, 1], [2, 2]),
  padding,
});
const collapse = fc.constantFrom<NetDocument>(
  { layer: 'globalAvgPool' },
  { layer: 'globalSumPool' },
  { layer: 'flatten' },
);
const dense: NetDocument = { layer: 'dense', units: 2, bStd: 0.3 };
const merge = fc.constantFrom('sum', 'product', 'concat');

/** Branches that keep the positions, one of them perhaps with branches of its own. */
const fork = fc.letrec<{ fork: NetDocument; branch: NetDocument[] }>((tie) => ({
  branch: fc.oneof(
    { maxDepth: 1 },
    fc.tuple(keeping).map((layers) => layers as unknown as NetDocument[]),
    fc.tuple(keeping, activation, keeping).map((layers) => layers as unknown as NetDocument[]),
    fc.tuple(tie('fork'), keeping).map((layers) => layers as unknown as NetDocument[]),
  ),
  fork: fc
    .tuple(merge, fc.array(tie('branch'), { minLength: 1, maxLength: 3 }))
    .map(([layer, branches]) => ({ layer, branches }) as unknown as NetDocument),
})).fork;
/** Branches that end without positions, each in its own way, behind one map. */
const ends = fc
  .tuple(
    merge,
    fc.array(
      fc.oneof(
        collapse.map((end) => [end, dense]),
        fc.tuple(keeping, activation, collapse).map(([first, phi, end]) => [first, phi, end, dense]),
        fc.tuple(pool, collapse).map(([first, end]) => [first, end, dense]),
        fc.tuple(pool, keeping, collapse).map(([first, map, end]) => [first, map, end, dense]),
      ),
      { minLength: 1, maxLength: 3 },
    ),
  )
  .map(([layer, branches]) => [{ layer, branches }, dense] as unknown as NetDocument[]);
const net = fc
  .tuple(
    fc.array(fc.oneof(affine, fork, pool), { minLength: 1, maxLength: 2 }),
    affine,
    activation,
    fc.oneof(fc.tuple(fork), fc.tuple(pool), fc.constant([])),
    fc.oneof(ends, ends, fc.constant<NetDocument[]>([])),
  )
  .map((parts) => parts.flat() as unknown as NetDocument[]);

it('agree', async () => {
  let compared = 0;
  await fc.assert(
    fc.asyncProperty(
      net,
      fc.boolean(),
      fc.constantFrom(0, 1, 2),
      fc.integer({ min: 1, max: 3 }),
      async (layers, same, masks, tile) => {
        const [x1, x2] = [images(4, 5, masks), same ? null : images(3, 9, masks)];
        const options = { tile, maskConstant: MASK };
        let params;
        try {
          params = prepareTile(engine, layers as unknown as NetDocument, x1, x2, options);
        } catch {
          return; // shapes that do not fit, states that no path takes
        }
        const slow = computeTile(engine, params, () => {});
        const fast = offsetTile(engine, params)!;
        const tiled = await kernel(engine, layers as unknown as NetDocument, x1, x2, options);
        compared++;
        for (const name of ['nngp', 'ntk'] as const) {
          const most = Math.max(...Array.from(slow[name]!, Math.abs));
          // Branches and resampling make equal variables at different places: their angle is known to sqrt(eps).
          slow[name]!.forEach((value, i) =>
            expect(Math.abs(fast[name]![i]! - value)).toBeLessThanOrEqual(1e-6 * most),
          );
          expect(tiled[name].data).toEqual(fast[name]);
        }
      },
    ),
    { numRuns: 150, seed: 11 },
  );
  expect(compared).toBeGreaterThan(60);
});
