// Random nets of the whole vocabulary against the recursion of test/support, with zero, equal and opposite samples among the
// inputs. FUZZ_NETS says how many (npm run fuzz); the suite takes few.
import fc from 'fast-check';
import { createEngine, kernel, tensor, type Engine, type NetDocument, type Tensor } from 'infinite-width';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { recursion, start } from '../support/recursion.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
});
afterAll(() => engine.dispose());

const wanted = Number(globalThis.process?.env['FUZZ_NETS'] ?? 40);
const scale = fc.constantFrom(0.7, 1, 1.5);
const bias = fc.constantFrom(null, 0, 0.3);
const dense = fc.record({
  layer: fc.constant('dense'),
  units: fc.constantFrom(1, 3),
  wStd: scale,
  bStd: bias,
});
const activation = fc.constantFrom<NetDocument>(
  ...[
    'relu',
    'abs',
    'sign',
    'hardTanh',
    'relu6',
    'hardSigmoid',
    'hardSwish',
    'selu',
    'softsign',
    'tanh',
    'sigmoid',
  ].map((layer) => ({ layer })),
  ...['softplus', 'swish', 'gelu', 'erf', 'sin', 'cos', 'gaussian', 'gabor', 'rbf'].map((layer) => ({
    layer,
  })),
  { layer: 'elu', alpha: 1.3 },
  { layer: 'leakyRelu', alpha: 0.2 },
  { layer: 'abRelu', a: -0.3, b: 1.2 },
  { layer: 'erf', a: 1.1, b: 0.8, c: 0.2 },
  { layer: 'cos', a: 1, b: 0.7, c: 0.3 },
  { layer: 'exp', a: 0.7, b: 0.4 },
  { layer: 'rectifiedMonomial', degree: 2 },
  { layer: 'monomial', degree: 3 },
  { layer: 'polynomial', coefficients: [0.2, 1, -0.3] },
);
type Made = fc.Arbitrary<NetDocument[]>;
const list = (...parts: fc.Arbitrary<unknown>[]): Made =>
  fc.tuple(...parts).map((layers) => layers.flat(2) as NetDocument[]);

const convOf = (rank: number, keeps: boolean) =>
  fc.record({
    layer: keeps ? fc.constant('conv') : fc.constantFrom('conv', 'conv', 'convLocal'),
    channels: fc.constantFrom(1, 2),
    filter: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: rank, maxLength: rank }),
    strides: keeps
      ? fc.constant(Array.from({ length: rank }, () => 1))
      : fc.array(fc.integer({ min: 1, max: 2 }), { minLength: rank, maxLength: rank }),
    padding: keeps ? fc.constantFrom('SAME', 'CIRCULAR') : fc.constantFrom('SAME', 'CIRCULAR', 'VALID'),
    wStd: scale,
    bStd: keeps ? bias : fc.constantFrom(null, 0),
  });
const norm = fc.constantFrom<NetDocument[]>([], [], [{ layer: 'layerNorm', eps: 1e-3 }]);
const idle = fc.constantFrom<NetDocument[]>(
  [],
  [],
  [{ layer: 'identity' }],
  [{ layer: 'dropout', keep: 0.5, mode: 'test' }],
);
const poolOf = (rank: number) =>
  fc.record({
    layer: fc.constantFrom('avgPool', 'sumPool'),
    window: fc.array(fc.integer({ min: 1, max: 2 }), { minLength: rank, maxLength: rank }),
    padding: fc.constantFrom('SAME', 'CIRCULAR', 'VALID'),
  });
const fork = (branch: Made): Made =>
  fc
    .tuple(fc.constantFrom('sum', 'sum', 'concat', 'product'), branch, branch)
    .map(([layer, one, two]) => [{ layer, branches: [one, two] } as NetDocument]);

const flatNet: Made = list(
  dense,
  fc.oneof(
    list(activation, dense),
    list(norm, activation, dense, idle, activation, dense),
    list(activation, fork(list(dense)), dense),
    list(fork(fc.oneof(list(dense), list(activation, dense))), dense),
    list(
      fc.record({
        layer: fc.constant('repeat'),
        times: fc.constantFrom(0, 2, 3),
        net: list(activation, dense),
      }),
    ),
  ),
);
const spatialNet = (rank: number): Made =>
  list(
    convOf(rank, false),
    fc.oneof(
      list(activation),
      list(norm, activation, poolOf(rank)),
      list(activation, convOf(rank, true), activation),
    ),
    fc.oneof(
      list(convOf(rank, true)),
      fork(list(convOf(rank, true))),
      list(poolOf(rank), convOf(rank, true)),
    ),
    fc.constantFrom<NetDocument[]>(
      [],
      [{ layer: 'globalAvgPool' }],
      [{ layer: 'globalSumPool' }],
      [{ layer: 'flatten' }],
      [{ layer: 'index', slices: Array.from({ length: rank }, () => [0, null, 2]) }],
    ),
    dense,
  );
const recurrent: Made = list(
  fc.record({
    layer: fc.constant('rnn'),
    units: fc.constant(2),
    activation: fc.constantFrom({ layer: 'erf' }, { layer: 'relu' }, { layer: 'tanh' }),
    wStd: scale,
    uStd: fc.constantFrom(0.5, 0.9),
    bStd: bias,
    returnSequences: fc.constant(false),
  }),
  dense,
);

/** Activations whose slope jumps, without a closed form: of their series 400 terms are taken, which leaves
 * up to 4e-4 a layer where two variables are equal or opposite, more over several layers. */
const STEPPED = /hard|relu6/;

const kinds: readonly (readonly [fc.Arbitrary<NetDocument[]>, readonly number[]])[] = [
  [flatNet, [3]],
  [flatNet, [1]],
  [spatialNet(1), [4, 2]],
  [spatialNet(2), [2, 3, 1]],
  [recurrent, [3, 2]],
];

/** Random samples, one twice, its opposite, and zeros; black pixels within another. */
function inputs(shape: readonly number[], seed: number): Tensor<Float64Array> {
  const size = shape.reduce((a, b) => a * b, 1);
  let state = seed;
  const draw = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 31 - 1;
  const one = Array.from({ length: size }, draw);
  const other = Array.from({ length: size }, (_, i) => (i < size / 2 ? 0 : draw()));
  return tensor(Float64Array.from([...one, ...one, ...one.map((x) => -x), ...one.map(() => 0), ...other]), [
    5,
    ...shape,
  ]);
}

for (const [which, [arbitrary, shape]] of kinds.entries()) {
  it(
    `agree with the recursion on inputs [${shape.join(', ')}] (${which})`,
    { timeout: 1_800_000 },
    async () => {
      let compared = 0;
      await fc.assert(
        fc.asyncProperty(arbitrary, fc.integer({ min: 1, max: 1e6 }), async (net, seed) => {
          const x = inputs(shape, seed);
          let found;
          try {
            found = await kernel(engine, net, x);
          } catch (error) {
            // Windows that do not fit, merges that have no limit: said before anything runs, and nothing of the engine.
            expect(error).toBeInstanceOf(RangeError);
            expect((error as Error).message).toMatch(/^(net|kernel): /);
            return;
          }
          const want = recursion(net, start(x));
          const text = JSON.stringify(net);
          const tolerance = STEPPED.test(text) ? 1e-2 : text.includes('softsign') ? 1e-4 : 1e-5;
          const positions = want.spatial.reduce((a, b) => a * b, 1);
          const all = want.n * positions;
          const rank = want.spatial.length;
          for (const [name, got, exact] of [
            ['nngp', found.nngp, want.k],
            ['ntk', found.ntk, want.t],
          ] as const) {
            const most = exact.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
            for (let a = 0; a < all; a++)
              for (let b = 0; b < all; b++) {
                const place = zipped(want.n, want.spatial, rank, a, b);
                const error = Math.abs(got.data[place]! - exact[a * all + b]!);
                if (!(error <= tolerance * most)) {
                  throw new Error(
                    `${name} [${a}, ${b}] is ${got.data[place]}, the recursion says ${exact[a * all + b]} (largest ${most})`,
                  );
                }
              }
          }
          compared++;
        }),
        { numRuns: Math.ceil(wanted / kinds.length), seed: 14 + which, endOnFailure: true },
      );
      expect(compared).toBeGreaterThan(wanted / kinds.length / 3);
    },
  );
}

/** Where (n1, n2, X, X', Y, Y') has the entry of variables a and b. */
function zipped(n: number, spatial: readonly number[], rank: number, a: number, b: number): number {
  const size = spatial.reduce((x, y) => x * y, 1);
  let at = Math.floor(a / size) * n + Math.floor(b / size);
  let [p, q] = [a % size, b % size];
  let rest = size;
  for (let axis = 0; axis < rank; axis++) {
    rest /= spatial[axis]!;
    at = (at * spatial[axis]! + Math.floor(p / rest)) * spatial[axis]! + Math.floor(q / rest);
    [p, q] = [p % rest, q % rest];
  }
  return at;
}
