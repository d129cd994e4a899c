// Random nets of linear layers against brute force: the covariance K between all (sample, position) pairs is written as the mean
// over explicit channels of a finite input, K = Z Z'; a finite layer of that input is then run once for every single weight,
// and E h h' = sum over weights of the squares. Only the layers of finite nets are used, no rule of kernels.
import { createEngine, createModel, kernel, tensor, type Engine, type NetDocument } from 'infinite-width';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const N = 2;
type Matrix = readonly Float64Array[];
const zeros = (size: number): Float64Array[] => Array.from({ length: size }, () => new Float64Array(size));

/** Rows z with (1 / size) z_i z_j = K_ij, by Cholesky with skipped zero pivots. */
function features(k: Matrix): Matrix {
  const size = k.length;
  const l = zeros(size);
  const least = 1e-12 * Math.max(1e-300, ...k.map((row, i) => row[i]!));
  for (let j = 0; j < size; j++) {
    let pivot = k[j]![j]!;
    for (let c = 0; c < j; c++) pivot -= l[j]![c]! ** 2;
    if (pivot <= least) continue;
    for (let i = j; i < size; i++) {
      let sum = k[i]![j]!;
      for (let c = 0; c < j; c++) sum -= l[i]![c]! * l[j]![c]!;
      l[i]![j] = sum / Math.sqrt(pivot);
    }
  }
  return l.map((row) => row.map((value) => value * Math.sqrt(size)));
}

/** The mean over channels of y y', between all samples and positions of y (n, ...positions, channels). */
function addOuter(to: Float64Array[], y: ArrayLike<number>, channels: number, factor: number): void {
  for (let i = 0; i < to.length; i++)
    for (let j = 0; j < to.length; j++) {
      let sum = 0;
      for (let c = 0; c < channels; c++) sum += y[i * channels + c]! * y[j * channels + c]!;
      to[i]![j]! += (factor * sum) / channels;
    }
}

interface State {
  readonly spatial: readonly number[];
  readonly k: Matrix;
  readonly t: Matrix;
}

/** One layer, by its finite form. */
function step(engine: Engine, layer: NetDocument, { spatial, k, t }: State): State {
  const channels = k.length;
  const [zk, zt] = [k, t].map((matrix) =>
    tensor(Float64Array.from(features(matrix).flatMap((row) => [...row])), [N, ...spatial, channels]),
  ) as [ReturnType<typeof tensor>, ReturnType<typeof tensor>];
  using model = createModel(engine, layer, { inputShape: [...spatial, channels], seed: 1 });
  const parameters = model.parameters;
  const first = model.forward(zk);
  const flat = (layer as { layer: string }).layer === 'flatten';
  const positions = flat ? [] : first.shape.slice(1, -1);
  const size = N * positions.reduce((a, b) => a * b, 1);
  const [nextK, nextT] = [zeros(size), zeros(size)];
  const width = first.data.length / size;
  if (parameters.length === 0) {
    addOuter(nextK, first.data, width, 1);
    addOuter(nextT, model.forward(zt).data, width, 1);
    return { spatial: positions, k: nextK, t: nextT };
  }
  const empty = parameters.map(({ w, b, ...rest }) => ({
    ...rest,
    w: { ...w, data: new Float64Array(w.data.length) },
    ...(b ? { b: { ...b, data: new Float64Array(b.data.length) } } : {}),
  }));
  const { w, b } = empty[0]!;
  for (const list of [w.data, ...(b ? [b.data] : [])]) {
    for (let e = 0; e < list.length; e++) {
      list[e] = 1;
      model.setParameters(empty as typeof parameters);
      const y = model.forward(zk).data;
      addOuter(nextK, y, width, width);
      addOuter(nextT, y, width, width);
      if (list === w.data) addOuter(nextT, model.forward(zt).data, width, width);
      list[e] = 0;
    }
  }
  return { spatial: positions, k: nextK, t: nextT };
}

const axes = (rank: number, least: number, most: number): fc.Arbitrary<number[]> =>
  fc.array(fc.integer({ min: least, max: most }), { minLength: rank, maxLength: rank });
const padding = fc.constantFrom('VALID', 'SAME', 'CIRCULAR');
const linearLayer = (rank: number): fc.Arbitrary<NetDocument> => {
  const keep = [-1, ...new Array<number>(rank).fill(3), -1];
  const rest = new Array<null>(rank - 1).fill(null);
  return fc.oneof(
    fc.record({
      layer: fc.constant('dense'),
      units: fc.constant(1),
      wStd: fc.constant(1.3),
      bStd: fc.constantFrom(null, 0.4),
    }),
    ...['conv', 'convTranspose', 'convLocal'].map((layer) =>
      fc.record({
        layer: fc.constant(layer),
        channels: fc.constant(1),
        filter: axes(rank, 1, 2),
        strides: axes(rank, 1, 2),
        padding,
        wStd: fc.constant(0.9),
        bStd: fc.constantFrom(null, 0.3),
      }),
    ),
    fc.record({
      layer: fc.constantFrom('avgPool', 'sumPool'),
      window: axes(rank, 1, 2),
      strides: axes(rank, 1, 2),
      padding,
    }),
    fc.constant({
      layer: 'avgPool',
      window: new Array<number>(rank).fill(2),
      padding: 'SAME',
      normalizeEdges: true,
    }),
    fc.record({
      layer: fc.constant('imageResize'),
      shape: fc.constant(keep),
      method: fc.constantFrom('linear', 'nearest'),
    }),
    fc.constant({ layer: 'index', slices: [[0, 4, 2], ...rest] }),
    fc.constant({ layer: 'index', slices: [1, ...rest] }),
    fc.constantFrom(
      { layer: 'globalAvgPool' },
      { layer: 'globalSumPool' },
      { layer: 'flatten' },
      { layer: 'identity' },
    ),
  );
};

describe('linear nets against brute-force covariance propagation', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createEngine({ variant: 'simd', workers: 0 });
  });
  afterAll(() => engine.dispose());

  it.each([
    [1, [4, 2]],
    [2, [2, 3, 1]],
  ])('with %i spatial axes', { timeout: 240_000 }, async (rank, shape) => {
    const size = shape.reduce((a, b) => a * b, 1);
    const x = tensor(
      Float64Array.from({ length: N * size }, (_, i) => Math.sin(12.9898 * (i + 1))),
      [N, ...shape],
    );
    const spatial = shape.slice(0, -1);
    const seen = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(fc.array(linearLayer(rank), { minLength: 1, maxLength: 4 }), async (layers) => {
        let got;
        try {
          got = await kernel(engine, layers, x);
        } catch (error) {
          if (error instanceof RangeError) return; // a window larger than what is left, or axes that are gone
          throw error;
        }
        const k = zeros(x.data.length / shape.at(-1)!);
        addOuter(k, x.data, shape.at(-1)!, 1);
        let state: State = { spatial, k, t: zeros(k.length) };
        for (const layer of layers) {
          state = step(engine, layer, state);
          const { layer: name } = layer as { layer: string };
          seen.set(name, (seen.get(name) ?? 0) + 1);
        }
        const left = state.spatial;
        const positions = left.reduce((a, b) => a * b, 1);
        // zipped: X, X', Y, Y'
        const place = (p: number, q: number): number => {
          let [at, rest, other, scale] = [0, p, q, 1];
          for (let axis = left.length - 1; axis >= 0; axis--) {
            const n = left[axis]!;
            at += scale * ((other % n) + n * (rest % n));
            scale *= n * n;
            [rest, other] = [Math.floor(rest / n), Math.floor(other / n)];
          }
          return at;
        };
        for (const [name, want] of [
          ['nngp', state.k],
          ['ntk', state.t],
        ] as const) {
          const { data } = got[name];
          const scale = Math.max(1e-3, ...want.map((row) => Math.max(...row.map(Math.abs))));
          expect(data.length).toBe((N * positions) ** 2);
          for (let i = 0; i < want.length; i++)
            for (let j = 0; j < want.length; j++) {
              const [a, p, b, q] = [
                Math.floor(i / positions),
                i % positions,
                Math.floor(j / positions),
                j % positions,
              ];
              const value = data[(a * N + b) * positions ** 2 + place(p, q)]!;
              expect(Math.abs(value - want[i]![j]!), `${name} ${i} ${j}`).toBeLessThan(1e-10 * scale);
            }
        }
      }),
      { seed: 4, numRuns: 150 },
    );
    const names = [
      'dense',
      'conv',
      'convTranspose',
      'convLocal',
      'avgPool',
      'sumPool',
      'imageResize',
      'index',
    ];
    for (const name of [...names, 'globalAvgPool', 'flatten'])
      expect(seen.get(name) ?? 0, name).toBeGreaterThan(0);
  });
});
