// Random small nets: the mean of their empirical kernels over weights (and dropout masks) is the analytic kernel. Means at
// widths w and 2w are extrapolated, 2 m(2w) - m(w), so that the bias of order 1/w is gone and standard errors decide.
import {
  createEngine,
  createModel,
  empiricalNngp,
  empiricalNtk,
  kernel,
  tensor,
  UnsupportedError,
  type Engine,
  type NetDocument,
  type Tensor,
} from 'infinite-width';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const random = (n: number, seed: number): Float64Array<ArrayBuffer> => {
  let state = seed * 7919 + 1;
  return Float64Array.from(
    { length: n },
    () => 2 * ((state = (state * 16807) % 2147483647) / 2147483647 - 0.5),
  );
};
/** A piece of a net, by width. */
type Make = (w: number) => NetDocument;
type Kind = { readonly name: string; readonly make: Make };

const dense: Make = (units) => ({ layer: 'dense', units, wStd: 1.3, bStd: 0.2 });
const activation = fc.constantFrom<NetDocument>(
  ...['relu', 'erf', 'gelu', 'abs', 'sin', 'tanh'].map((layer) => ({ layer })),
  { layer: 'leakyRelu', alpha: 0.3 },
);
const affine = (rank: number): fc.Arbitrary<Kind> =>
  fc
    .record({
      layer: fc.constantFrom('conv', 'convTranspose', 'convLocal'),
      filter: fc.array(fc.integer({ min: 1, max: 2 }), { minLength: rank, maxLength: rank }),
      strides: fc.array(fc.integer({ min: 1, max: 2 }), { minLength: rank, maxLength: rank }),
      padding: fc.constantFrom('VALID', 'SAME', 'CIRCULAR'),
      bStd: fc.constantFrom(null, 0.4),
      parametrization: fc.constantFrom('ntk', 'standard'),
    })
    .filter(({ layer, strides }) => layer !== 'convLocal' || strides.every((t) => t === 1))
    .map((fields) => ({
      name: fields.layer,
      make: (channels) => ({
        ...fields,
        ...(fields.parametrization === 'standard' ? { baseWidth: 8 } : {}),
        wStd: 1.2,
        channels,
      }),
    }));
const hidden = (rank: number): fc.Arbitrary<Kind> =>
  fc
    .tuple(fc.oneof(fc.constant({ name: 'dense', make: dense }), affine(rank)), activation)
    .map(([{ name, make }, phi]): Kind => ({ name, make: (w) => [make(w), phi] }));
const still = (name: string, ...layers: NetDocument[]): Kind => ({ name, make: () => layers });
const attention = fc
  .record({
    heads: fc.constantFrom(1, 2),
    mechanism: fc.constantFrom('softmax', 'identity'),
    queryStd: fc.constantFrom(0.8, 1.2),
    bStd: fc.constantFrom(null, 0.1),
  })
  .map((fields): Kind => ({
    name: 'attention',
    make: (w) => ({ layer: 'attention', channels: w, keyChannels: w, valueChannels: w, ...fields }),
  }));
/** As often as all the other kinds together. */
const constants = (...kinds: Kind[]): { arbitrary: fc.Arbitrary<Kind>; weight: number } => ({
  arbitrary: fc.constantFrom(...kinds),
  weight: 3,
});
const others = (rank: number): fc.Arbitrary<Kind> => {
  const none = new Array<null>(rank - 1).fill(null);
  const resized = (size: number): number[] => [-1, ...new Array<number>(rank).fill(size), -1];
  return fc.oneof(
    attention,
    fc
      .record({
        layer: fc.constantFrom('avgPool', 'sumPool'),
        window: fc.constant(new Array<number>(rank).fill(2)),
        padding: fc.constantFrom('VALID', 'SAME', 'CIRCULAR'),
      })
      .map((fields) => still('pool', fields)),
    fc
      .record({
        shape: fc.constantFrom(resized(3), resized(5)),
        method: fc.constantFrom('linear', 'nearest'),
        antialias: fc.boolean(),
      })
      .map((fields) => still('imageResize', { layer: 'imageResize', ...fields })),
    constants(
      still('index', { layer: 'index', slices: [[0, 3, 2], ...none] }),
      still('dropout', { layer: 'dropout', keep: 0.6 }),
      still('dropout', { layer: 'dropout', keep: 0.6, mode: 'test' }),
      { name: 'layerNorm', make: (w) => [dense(w), { layer: 'layerNorm' }, { layer: 'relu' }] },
      still('dropout', { layer: 'dropout', keep: 0.8 }),
      { name: 'sum', make: (w) => [dense(w), { layer: 'sum', branches: [{ layer: 'identity' }, [{ layer: 'relu' }, dense(w)]] }, { layer: 'relu' }] }, // prettier-ignore
      { name: 'product', make: (w) => ({ layer: 'product', branches: [[dense(w), { layer: 'relu' }], [dense(w), { layer: 'erf' }]] }) }, // prettier-ignore
      { name: 'concat', make: (w) => [{ layer: 'concat', branches: [dense(w), [dense(w), { layer: 'erf' }]] }, dense(w)] }, // prettier-ignore
      { name: 'repeat', make: (w) => ({ layer: 'repeat', times: 2, net: [dense(w), { layer: 'erf' }] }) },
    ),
  );
};
const netOf = (rank: number) =>
  fc.record({
    first: activation,
    aggregate: fc.boolean(),
    middle: fc.array(fc.oneof(hidden(rank), others(rank), others(rank)), { minLength: 1, maxLength: 3 }),
    end: fc.constantFrom('flatten', 'globalAvgPool', 'globalSumPool'),
    two: fc.boolean(),
  });

const WIDTH = 32;
const DRAWS = 40;

describe('means of empirical kernels of random nets', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createEngine({ variant: 'simd' });
  });
  afterAll(() => engine.dispose());

  it.each([
    [1, [4, 2]],
    [2, [2, 3, 2]],
  ])('with %i spatial axes are the analytic ones', { timeout: 240_000 }, async (rank, shape) => {
    const v = shape.slice(0, -1).reduce((a, b) => a * b, 1);
    const batch = (n: number, seed: number): Tensor => tensor(random(n * v * 2, seed), [n, ...shape]);
    const edges = (n: number, seed: number): Tensor =>
      tensor(random(n * v * v, seed), [n, ...shape.slice(0, -1), ...shape.slice(0, -1)]);
    const seen = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(netOf(rank), async ({ first, aggregate, middle, end, two }) => {
        const net: Make = (w) => [
          ...[dense(w), first, ...(aggregate ? [{ layer: 'aggregate' }] : [])],
          ...middle.map(({ make }) => make(w)),
          ...[{ layer: end }, { layer: 'dense', units: 1, wStd: 1.1, bStd: 0.2 }],
        ];
        const [x1, x2] = [batch(3, 21), two ? batch(2, 5) : null];
        const patterns = { pattern1: edges(3, 8), pattern2: two ? edges(2, 9) : null };
        const call = aggregate ? patterns : {};
        let want;
        try {
          want = await kernel(engine, net(WIDTH), x1, x2, { get: ['nngp', 'ntk'], ...call });
        } catch (error) {
          // no limit, or a window larger than what is left of the image
          if (error instanceof UnsupportedError || error instanceof RangeError) return;
          throw error;
        }
        const names = [...middle.map(({ name }) => name), ...(aggregate ? ['aggregate'] : [])];
        for (const name of new Set(names)) seen.set(name, (seen.get(name) ?? 0) + 1);
        for (const [name, compute] of [
          ['nngp', empiricalNngp],
          ['ntk', empiricalNtk],
        ] as const) {
          const { data } = want[name]!;
          const moments = [WIDTH, 2 * WIDTH].map((w) => {
            const sum = new Float64Array(data.length);
            const squares = new Float64Array(data.length);
            for (let seed = 0; seed < DRAWS; seed++) {
              using model = createModel(engine, net(w), { inputShape: shape, seed: seed * 1000 + w });
              const { data: draw } = compute(model, x1, x2, { ...call, dropoutKey: [seed, w] });
              draw.forEach((value, i) => {
                sum[i]! += value / DRAWS;
                squares[i]! += value ** 2 / DRAWS;
              });
            }
            const variance = squares.map((square, i) => Math.max(0, square - sum[i]! ** 2) / (DRAWS - 1));
            return { mean: sum, variance };
          });
          const [narrow, wide] = moments as [(typeof moments)[0], (typeof moments)[0]];
          const scale = Math.max(...Array.from(data, Math.abs));
          data.forEach((value, i) => {
            const mean = 2 * wide.mean[i]! - narrow.mean[i]!;
            const error = Math.sqrt(4 * wide.variance[i]! + narrow.variance[i]!);
            // 5 standard errors, and what is left of order 1/w^2.
            const bound = 5 * error + (10 / WIDTH ** 2) * scale;
            expect(Math.abs(mean - value), `${name} entry ${i}: ${mean} against ${value}`).toBeLessThan(
              bound,
            );
          });
        }
      }),
      { seed: 11, numRuns: 40, endOnFailure: true },
    );
    // every family was there
    const families = [
      'dense',
      'conv',
      'convTranspose',
      'convLocal',
      'pool',
      'imageResize',
      'index',
      'dropout',
    ];
    for (const name of [
      ...families,
      'layerNorm',
      'aggregate',
      'attention',
      'sum',
      'product',
      'concat',
      'repeat',
    ])
      expect(seen.get(name) ?? 0, `${name} in ${JSON.stringify([...seen])}`).toBeGreaterThan(0);
  });
});
