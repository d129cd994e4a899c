// Inputs that once ended the process by memory, or never came back: typed errors, at once.
import {
  createEngine,
  createModel,
  dense,
  gradientFlow,
  kernel,
  parseNet,
  planEmpiricalNtk,
  planKernel,
  relu,
  tensor,
  tiledCholesky,
  tiledSolve,
  type Engine,
  type NetDocument,
  type TiledMatrix,
} from 'infinite-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
});
afterAll(() => engine.dispose());
const net = [dense(8), relu(), dense(1)];

describe('nested arrays', () => {
  const itself: unknown[] = [];
  itself[0] = itself;
  let deep: unknown = 1;
  for (let i = 0; i < 1e5; i++) deep = [deep];
  const shared = Array.from({ length: 3000 }, () => 0);
  const wide = Array.from({ length: 3000 }, () => Array.from({ length: 3000 }, () => shared)); // 2.7e10 entries
  it.each([
    ['strings', [['a']], /x1: expected numbers, got the string 'a' at \[0, 0\]/],
    ['digits in strings', [[1, '2']], /got the string '2' at \[0, 1\]/],
    ['null', [null], /got null at \[0\]/],
    ['a missing row', [undefined], /got undefined at \[0\]/],
    ['a hole', [[1, , 3]], /got undefined at \[0, 1\]/], // eslint-disable-line no-sparse-arrays
    ['objects', [{}], /got a value of type object/],
    ['booleans', [[true]], /got true at \[0, 0\]/],
    ['bigints', [[1n]], /got a value of type bigint/],
    ['a list that holds itself', itself, /at most 32 axes, got more. Does an array hold itself/],
    ['a list 100,000 deep', deep, /at most 32 axes/],
    ['a shared row that stands for 200 GB', wide, /needs 216000000000 bytes/],
    ['rows of different lengths', [[1], [2, 3]], /expected 1 entries at depth 1, got 2/],
    ['a number among rows', [[1], 2], /expected 1 entries at depth 1, got 2/],
    ['a row among numbers', [1, [2]], /got a list at \[1\]/],
    ['a shape that is no list', { data: new Float64Array(2), shape: 7 }, /a shape must be a list/],
    ['null for a tensor', null, /expected a tensor \{ data, shape \} or nested arrays of numbers, got null/],
  ])('%s', async (_, value, message) => {
    await expect(kernel(engine, net, value as never)).rejects.toThrow(message);
  });

  it('rows may be typed arrays', async () => {
    const rows = [Float32Array.of(1, 2), Float32Array.of(3, 4)];
    const { ntk } = await kernel(engine, net, rows as never);
    expect(ntk).toEqual((await kernel(engine, net, [[1, 2], [3, 4]])).ntk); // prettier-ignore
  });
});

describe('net documents', () => {
  const itself: { layer: string; layers: unknown[] } = { layer: 'serial', layers: [] };
  itself.layers.push(itself);
  const repeat = (times: number, inner: NetDocument): NetDocument => ({ layer: 'repeat', times, net: inner });
  it.each([
    [
      'repeat in repeat',
      repeat(10_000, repeat(10_000, dense(3))),
      /100010001 layers, the copies of repeats counted, the limit is 100000/,
    ],
    ['a layer that holds itself', itself, /nested more than 200 deep/],
    [
      'a field that holds itself',
      { layer: 'dense', units: itself },
      /"units" must be .*, got a value of type object/,
    ],
    ['a name that holds itself', { layer: itself }, /must name its layer/],
    ['a bigint', { layer: 'dense', units: 3n }, /got a value of type bigint/],
  ])('%s', (_, document, message) => {
    expect(() => parseNet(document as never)).toThrow(message);
    expect(() => parseNet(document as never)).toThrow(RangeError);
  });
  it('10,000 copies are still a net', () => {
    expect(parseNet(repeat(10_000, relu()))).toMatchObject({ times: 10_000 });
  });
});

describe('plans', () => {
  it.each([
    [[4, 3], [Infinity, 3], /shape2\[0\] must be a whole number >= 1, got Infinity/],
    [[-1, 3], null, /shape1\[0\] .* got -1/],
    [[1.5, 3], null, /shape1\[0\] .* got 1.5/],
    [[NaN, 3], null, /shape1\[0\] .* got NaN/],
    [[4, Infinity], null, /shape1\[1\] .* got Infinity/],
    [[4], null, /shape1 must be a list \(n, ...spatial, channels\), got \[4\]/],
    ['x', null, /shape1 must be a list/],
    [[4, 3], [4, 5], /samples of both sides must have one shape/],
  ])('kernels of %j and %j', (one, two, message) => {
    expect(() => planKernel(engine, net, one as never, two as never)).toThrow(message);
  });
  it('a billion samples are planned without listing their tiles', () => {
    const { tile, tiles } = planKernel(engine, net, [1e9, 3]);
    const rows = Math.ceil(1e9 / tile);
    expect(tiles).toBe((rows * (rows + 1)) / 2);
  });
  it('pairs of positions beyond any memory are refused before they are listed', () => {
    const images: NetDocument = [{ layer: 'conv', channels: 3, filter: [3, 3] }, relu(), dense(1)];
    for (const side of [128, 20_000])
      expect(() => planKernel(engine, images, [4, side, side, 3])).toThrow(
        /one pair of samples needs \d+ bytes/,
      );
  });
  it.each([
    [Infinity, 5],
    [5, -1],
    [2.5, 3],
    [NaN, NaN],
  ])('empirical kernels of %d and %d samples', (n1, n2) => {
    using model = createModel(engine, net, { inputShape: [3] });
    expect(() => planEmpiricalNtk(model, n1, n2)).toThrow(
      /planEmpiricalNtk: n[12] must be a whole number >= 0/,
    );
    expect(() => planEmpiricalNtk(model, 5, 5, { tile: 0 })).toThrow(
      /tile must be a whole number >= 1, got 0/,
    );
  });
});

describe('tiled matrices', () => {
  const tile = new Float64Array(4).fill(1);
  it.each([
    [{ n: 4, tile: 0, tiles: [] }, /tile must be a whole number from 1 to 4, got 0/],
    [{ n: NaN, tile: 2, tiles: [] }, /n must be a whole number >= 1, got NaN/],
    [{ n: 4, tile: 2, tiles: [tile] }, /has 3 tiles, got 1/],
    [
      { n: 4, tile: 2, tiles: [tile, tile, new Float64Array(3)] },
      /tile \(1, 1\) must be a Float64Array of 4 numbers, got 3/,
    ],
    [{ n: 4, tile: 2, tiles: [tile, tile, [1, 0, 0, 1]] }, /tile \(1, 1\) must be a Float64Array/],
    [null, /n must be a whole number/],
  ])('%j', async (matrix, message) => {
    await expect(tiledCholesky(engine, matrix as never)).rejects.toThrow(message);
    await expect(
      tiledSolve(engine, matrix as unknown as TiledMatrix, tensor(new Float64Array(4))),
    ).rejects.toThrow(message);
  });
});

describe('flows over long times', () => {
  const ntk = [
    [2, 1, 0.5],
    [1, 2, 0.3],
    [0.5, 0.3, 1],
  ];
  const hard = [
    [1, 0],
    [0, 1],
    [1, 0],
  ];

  it('cross-entropy arrives at 1e12 steps: one more e-fold of time, half a unit more margin', async () => {
    // The outputs of classes are f and -f; far out d(2f)/dt ~ e^(-2f), so that f grows by (1/2) log of the ratio of times.
    const at = async (time: number): Promise<number> => {
      const { train, report } = await gradientFlow(engine, { ntk, y: hard, loss: 'crossEntropy' })([time]);
      expect(report).toMatchObject({ steps: expect.any(Number) });
      return train.data[0]!;
    };
    const [early, late] = [await at(1e9), await at(1e12)];
    expect(Math.abs(late - early - Math.log(1e3) / 2)).toBeLessThan(1e-4);
  });

  it('stiff problems that cannot arrive say how far they came', async () => {
    const n = 12;
    const smooth = Array.from({ length: n }, (_, i) =>
      Array.from({ length: n }, (_, j) => Math.exp(-((i - j) ** 2) / 20)),
    );
    const y = smooth.map((_, i) => (i % 3 ? [0.9, 0.1] : [0.2, 0.8]));
    const flow = gradientFlow(engine, { ntk: smooth, y, loss: 'crossEntropy', maxSteps: 500 });
    await expect(flow([1e13])).rejects.toThrow(
      /\d+ steps with \d+ evaluations reached only t = .* of 10000000000000/,
    );
  });

  it('can be stopped without workers', async () => {
    const n = 40;
    const smooth = Array.from({ length: n }, (_, i) =>
      Array.from({ length: n }, (_, j) => Math.exp(-((i - j) ** 2) / 200)),
    );
    const y = smooth.map((_, i) => (i % 3 ? [0.9, 0.1] : [0.2, 0.8]));
    const flow = gradientFlow(engine, { ntk: smooth, y, loss: 'crossEntropy', maxSteps: 1e9 });
    const stop = new AbortController();
    setTimeout(() => stop.abort(new Error('enough')), 60);
    await expect(flow([1e15], { signal: stop.signal })).rejects.toThrow('enough');
  });
});
