import {
  createEngine,
  createModel,
  inferShapes,
  tensor,
  type Engine,
  type Model,
  type NetDocument,
} from 'infinite-width';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const random = (n: number, seed: number): Float64Array<ArrayBuffer> => {
  let state = seed * 7919 + 1;
  return Float64Array.from({ length: n }, () => (state = (state * 16807) % 2147483647) / 2147483647 - 0.5);
};
/** The parameters moved by `step` along a fixed direction. */
const moved = (model: Model, step: number) =>
  model.parameters.map(({ path, w, b }, i) => {
    const shift = (t: { data: ArrayLike<number>; shape: readonly number[] }, seed: number) => {
      const direction = random(t.data.length, seed);
      return tensor(
        Float64Array.from(t.data, (value, j) => value + step * direction[j]!),
        t.shape,
      );
    };
    return { path, w: shift(w, i + 2), ...(b ? { b: shift(b, i + 77) } : {}) };
  });
const directionOf = (model: Model) =>
  model.parameters.map(({ path, w, b }, i) => ({
    path,
    w: tensor(random(w.data.length, i + 2), w.shape),
    ...(b ? { b: tensor(random(b.data.length, i + 77), b.shape) } : {}),
  }));

/** |analytic - central difference| of the loss along a direction, and of the tangents of the outputs. */
function check(engine: Engine, net: NetDocument, inputShape: readonly number[], extra: object = {}): number {
  using model = createModel(engine, net, { inputShape, seed: 4 });
  const n = 3;
  const x = tensor(random(n * inputShape.reduce((a, b) => a * b, 1), 11), [n, ...inputShape]);
  const y = tensor(random(n * model.outputSize, 12), [n, model.outputSize]);
  const { gradients } = model.gradients(x, y, 'mse', extra);
  const direction = directionOf(model);
  const tangent = model.jacobianVector(x, direction, extra);
  let analytic = 0;
  gradients.forEach(({ w, b }, i) => {
    w.data.forEach((value, j) => (analytic += value * direction[i]!.w.data[j]!));
    b?.data.forEach((value, j) => (analytic += value * direction[i]!.b!.data[j]!));
  });
  const h = 1e-5;
  const start = model.parameters;
  const plus = moved(model, h);
  const minus = moved(model, -h);
  model.setParameters(plus);
  const up = model.gradients(x, y, 'mse', extra);
  model.setParameters(minus);
  const down = model.gradients(x, y, 'mse', extra);
  model.setParameters(start);
  const scale = Math.max(1e-3, ...Array.from(tangent.data, Math.abs));
  let worst = Math.abs((up.loss - down.loss) / (2 * h) - analytic) / Math.max(1e-2, Math.abs(analytic));
  tangent.data.forEach((value, i) => {
    const difference = (up.outputs.data[i]! - down.outputs.data[i]!) / (2 * h);
    worst = Math.max(worst, Math.abs(difference - value) / scale);
  });
  return worst;
}

const padding = fc.constantFrom('VALID', 'SAME', 'CIRCULAR');
const bias = fc.constantFrom(null, 0.4);
const parametrization = fc.constantFrom('ntk', 'standard');
const smooth = fc.constantFrom<NetDocument>(
  ...[
    'tanh',
    'sigmoid',
    'gelu',
    'swish',
    'softplus',
    'mish',
    'gabor',
    'gaussian',
    'sin',
    'cos',
    'rbf',
    'exp',
    'erf',
  ].map((layer) => ({ layer })),
  { layer: 'gelu', approximate: true },
  { layer: 'polynomial', coefficients: [0.1, 0.5, -0.3, 0.1] },
  { layer: 'hermite', degree: 3 },
);
const filterLayer = (name: string, rank: number): fc.Arbitrary<NetDocument> =>
  fc
    .record({
      filter: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: rank, maxLength: rank }),
      strides: fc.array(fc.integer({ min: 1, max: 2 }), { minLength: rank, maxLength: rank }),
      padding,
      bStd: bias,
      parametrization,
      channels: fc.integer({ min: 1, max: 3 }),
    })
    .map((fields) => ({ layer: name, ...fields }));
const pools = (rank: number): fc.Arbitrary<NetDocument> =>
  fc
    .record({
      layer: fc.constantFrom('avgPool', 'sumPool'),
      window: fc.array(fc.integer({ min: 1, max: 2 }), { minLength: rank, maxLength: rank }),
      padding,
    })
    .map((fields) => fields);
const attention: fc.Arbitrary<NetDocument> = fc
  .record({
    heads: fc.integer({ min: 1, max: 2 }),
    linearScaling: fc.boolean(),
    mechanism: fc.constantFrom('softmax', 'identity'),
    positional: fc.constantFrom('none', 'sum', 'concat'),
    valuePositional: fc.boolean(),
    bStd: bias,
  })
  .map((fields) => ({ layer: 'attention', channels: 3, keyChannels: 2, valueChannels: 3, ...fields }));
const resize = (rank: number): fc.Arbitrary<NetDocument> =>
  fc
    .record({
      sizes: fc.array(fc.integer({ min: 2, max: 6 }), { minLength: rank, maxLength: rank }),
      method: fc.constantFrom('linear', 'nearest'),
      antialias: fc.boolean(),
    })
    .map(({ sizes, ...fields }) => ({ layer: 'imageResize', shape: [-1, ...sizes, -1], ...fields }));
const spatialLayer = (rank: number): fc.Arbitrary<NetDocument> =>
  fc.oneof(
    smooth,
    filterLayer('conv', rank),
    filterLayer('convTranspose', rank),
    filterLayer('convLocal', rank),
    pools(rank),
    attention,
    resize(rank),
    fc.constantFrom<NetDocument>(
      { layer: 'maxPool', window: new Array<number>(rank).fill(2), padding: 'SAME' },
      { layer: 'layerNorm', eps: 0.1 },
      { layer: 'layerNorm', axis: [1, rank + 1], eps: 0.1 },
      { layer: 'rmsNorm', eps: 0.1 },
      { layer: 'rmsNorm', axis: [1, rank + 1], eps: 0.1 },
      { layer: 'index', slices: [[null, null, -1], ...new Array<null>(rank - 1).fill(null)] },
      { layer: 'aggregate' },
      { layer: 'dropout', keep: 0.7 },
      { layer: 'sum', branches: [{ layer: 'identity' }, [{ layer: 'tanh' }, { layer: 'identity' }]] },
      { layer: 'product', branches: [{ layer: 'tanh' }, { layer: 'sin' }, { layer: 'identity' }] },
      { layer: 'concat', branches: [{ layer: 'tanh' }, { layer: 'dense', units: 2 }] },
      { layer: 'concat', branches: [{ layer: 'tanh' }, { layer: 'identity' }], axis: 1 },
      { layer: 'repeat', times: 2, net: [{ layer: 'dense', units: 3, bStd: 0.1 }, { layer: 'erf' }] },
    ),
  );
const netOf = (rank: number): fc.Arbitrary<NetDocument> =>
  fc
    .tuple(
      fc.array(spatialLayer(rank), { minLength: 1, maxLength: 4 }),
      fc.constantFrom('flatten', 'globalAvgPool', 'globalSumPool'),
    )
    .map(([layers, end]) => [...layers, { layer: end }, { layer: 'dense', units: 2, bStd: 0.3 }]);

describe('gradients and tangents against central differences', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createEngine({ variant: 'simd' });
  });
  afterAll(() => engine.dispose());

  it.each([
    [1, [5, 2]],
    [2, [4, 3, 2]],
  ])('random nets with %i spatial axes', (rank, shape) => {
    let tried = 0;
    fc.assert(
      fc.property(netOf(rank), (net) => {
        try {
          inferShapes(net, shape);
        } catch {
          return; // a window larger than what is left of the image
        }
        tried++;
        expect(check(engine, net, shape, { dropoutKey: [3, 4] })).toBeLessThan(2e-6);
      }),
      { seed: 7, numRuns: 120 },
    );
    expect(tried).toBeGreaterThan(50);
  });

  it('kinked activations away from their kinks, and those with closed forms only', () => {
    const names = [
      'relu',
      'abs',
      'elu',
      'selu',
      'softsign',
      'sigmoidLike',
      'hardTanh',
      'hardSigmoid',
      'hardSwish',
      'relu6',
    ];
    const layers: NetDocument[] = [
      ...names.map((layer) => ({ layer })),
      { layer: 'leakyRelu', alpha: 0.2 },
      { layer: 'abRelu', a: -0.5, b: 1.5 },
      { layer: 'rectifiedMonomial', degree: 2 },
      { layer: 'monomial', degree: 2 },
    ];
    for (const activation of layers) {
      const net = [
        { layer: 'dense', units: 6, bStd: 0.5 },
        activation,
        { layer: 'dense', units: 2 },
      ] as NetDocument;
      expect(check(engine, net, [3]), JSON.stringify(activation)).toBeLessThan(1e-6);
    }
  });

  it('attention: mechanisms, scalings, embeddings', () => {
    const base = { layer: 'attention', channels: 3, keyChannels: 2, valueChannels: 3, heads: 2, bStd: 0.3 };
    for (const fields of [
      {},
      { linearScaling: false, mechanism: 'identity' },
      { linearScaling: false, mechanism: 'relu', queryStd: 1.3 },
      { mechanism: 'abs', keyStd: 0.7 },
      { positional: 'sum', positionalStd: 0.6 },
      { positional: 'concat', positionalChannels: 3, valuePositional: true, linearScaling: false },
    ]) {
      const net = [
        { ...base, ...fields },
        { layer: 'tanh' },
        { layer: 'flatten' },
        { layer: 'dense', units: 2 },
      ];
      expect(check(engine, net as NetDocument, [2, 2, 3]), JSON.stringify(fields)).toBeLessThan(1e-6);
    }
  });

  it('recurrent nets', () => {
    const net = (fields: object): NetDocument => [
      { layer: 'rnn', units: 4, activation: { layer: 'tanh' }, wStd: 1.2, bStd: 0.3, ...fields },
      { layer: 'flatten' },
      { layer: 'dense', units: 2 },
    ];
    for (const fields of [{}, { activation: { layer: 'erf' }, uStd: 0.7 }, { parametrization: 'standard' }])
      expect(check(engine, net(fields), [5, 3]), JSON.stringify(fields)).toBeLessThan(1e-6);
  });

  it('aggregation with a pattern, on any axes; dropout with masks', () => {
    const pattern = tensor(random(3 * 16, 5), [3, 4, 4]);
    for (const axis of [1, 2]) {
      const shape = axis === 1 ? [4, 2, 2] : [2, 4, 2];
      const net: NetDocument = [
        { layer: 'dense', units: 3 },
        { layer: 'tanh' },
        { layer: 'aggregate', axis },
        { layer: 'flatten' },
        { layer: 'dense', units: 1 },
      ];
      expect(check(engine, net, shape, { pattern })).toBeLessThan(1e-6);
    }
    const dropped: NetDocument = [
      { layer: 'dense', units: 9 },
      { layer: 'tanh' },
      { layer: 'dropout', keep: 0.5 },
      { layer: 'dense', units: 1 },
    ];
    expect(check(engine, dropped, [4], { dropoutKey: [1, 2] })).toBeLessThan(1e-6);
    using model = createModel(engine, dropped, { inputShape: [4] });
    const x = tensor(random(12, 3), [3, 4]);
    const once = model.forward(x, { dropoutKey: [1, 2] });
    expect(model.forward(x, { dropoutKey: [1, 2] })).toEqual(once);
    expect(model.forward(x, { dropoutKey: [1, 3] })).not.toEqual(once);
    expect(model.forward(x)).not.toEqual(once);
  });
});
