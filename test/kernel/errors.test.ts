// Every net and input without a kernel is refused by an error that names the layer in its place, or the input.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createEngine,
  dualSeries,
  kernel,
  kernelState,
  planKernel,
  tensor,
  type Engine,
  type KernelGet,
  type KernelOptions,
  type NetDocument,
} from 'infinite-width';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
});
afterAll(() => engine.dispose());

const layer = (name: string, fields: object = {}): NetDocument =>
  ({ layer: name, ...fields }) as unknown as NetDocument;
const dense = (fields: object = {}): NetDocument => layer('dense', { units: 4, ...fields });
const conv = (fields: object = {}): NetDocument => layer('conv', { channels: 4, filter: [2], ...fields });
const relu = layer('relu');
const sum = (...branches: NetDocument[]): NetDocument => layer('sum', { branches });
const product = (...branches: NetDocument[]): NetDocument => layer('product', { branches });
const attention = (fields: object): NetDocument =>
  layer('attention', { channels: 4, keyChannels: 4, valueChannels: 4, heads: 2, ...fields });
const values = (...shape: number[]) => {
  const size = shape.reduce((product, n) => product * n, 1);
  return tensor(
    Float64Array.from({ length: size }, (_, i) => ((i * 37) % 19) / 9 - 1),
    shape,
  );
};
const [flat, line] = [values(2, 3), values(2, 4, 3)];
const graph = tensor(new Float64Array(32).fill(0.25), [2, 4, 4]);

type Case = [string, NetDocument, typeof flat, RegExp, KernelOptions<KernelGet>?];
const CASES: readonly Case[] = [
  [
    'an activation after an activation',
    [dense(), relu, layer('erf')] as NetDocument,
    flat,
    /layers\.2 \(erf\) needs Gaussian/,
  ],
  [
    'layerNorm after an activation',
    [dense(), relu, layer('layerNorm')] as NetDocument,
    flat,
    /layers\.2 \(layerNorm\) needs Gaussian/,
  ],
  [
    'layerNorm without channels',
    [conv(), layer('layerNorm', { axis: [1] })] as NetDocument,
    line,
    /layers\.1 \(layerNorm\) must normalise the channels/,
  ],
  [
    'layerNorm outside',
    [dense(), layer('layerNorm', { axis: [5] })] as NetDocument,
    flat,
    /layers\.1 \(layerNorm\): axis 5 is outside/,
  ],
  [
    'a sum of activations',
    [dense(), sum(relu, dense())] as NetDocument,
    flat,
    /layers\.1 \(sum\) needs Gaussian branches/,
  ],
  [
    'branches of unequal shape',
    [conv(), sum(dense(), conv())] as NetDocument,
    line,
    /layers\.1 \(sum\): branches of shapes \[3, 4\], \[2, 4\]/,
  ],
  [
    'branches without weights',
    [dense(), product(relu, layer('erf'))] as NetDocument,
    flat,
    /layers\.1 \(product\) has several branches without weights/,
  ],
  [
    'a concatenation of samples',
    [dense(), layer('concat', { branches: [dense(), dense()], axis: 0 })] as NetDocument,
    flat,
    /layers\.1 \(concat\): the samples axis/,
  ],
  [
    'a filter of other axes',
    [relu, conv({ filter: [2, 2] })] as NetDocument,
    line,
    /layers\.1 \(conv\): "filter" has 2 entries/,
  ],
  [
    'a window of other axes',
    [conv(), layer('avgPool', { window: [2, 2] })] as NetDocument,
    line,
    /layers\.1 \(avgPool\): "window" has 2 entries/,
  ],
  [
    'an unknown parametrisation',
    [dense({ parametrization: 'mup' })] as NetDocument,
    flat,
    /layers\.0 \(dense\): "parametrization" must be .*got "mup"/,
  ],
  [
    'an unknown padding',
    [relu, conv({ padding: 'REFLECT' })] as NetDocument,
    line,
    /layers\.1 \(conv\): "padding" must be .*got "REFLECT"/,
  ],
  [
    'an unknown layer',
    [dense(), layer('batchNorm')] as NetDocument,
    flat,
    /layers\.1 has unknown layer "batchNorm"/,
  ],
  [
    'max pooling',
    [conv(), layer('maxPool', { window: [2] })] as NetDocument,
    line,
    /layers\.1 \(maxPool\) has no infinite-width kernel/,
  ],
  [
    'an unknown mechanism',
    [attention({ mechanism: 'linear' })] as NetDocument,
    line,
    /layers\.0 \(attention\): "mechanism" must be .*got "linear"/,
  ],
  [
    'softmax by the square root',
    [conv(), attention({ linearScaling: false })] as NetDocument,
    line,
    /layers\.1 \(attention\) has no infinite limit/,
  ],
  [
    'attention without tokens',
    [dense(), attention({})] as NetDocument,
    flat,
    /layers\.1 \(attention\) needs spatial axes/,
  ],
  ['dropout of everything', [dropout(0)] as NetDocument, flat, /layers\.0 \(dropout\): "keep" must be/],
  ['dropout above one', [dropout(1.5)] as NetDocument, flat, /layers\.0 \(dropout\): "keep" must be/],
  [
    'an unknown dropout mode',
    [layer('dropout', { keep: 0.5, mode: 'eval' })] as NetDocument,
    flat,
    /layers\.0 \(dropout\): "mode" must be .*got "eval"/,
  ],
  [
    'a pattern of other size',
    [conv(), layer('aggregate')] as NetDocument,
    line,
    /layers\.1 \(aggregate\) needs a pattern with 2 x 3 x 3/,
    { pattern1: graph },
  ],
  [
    'aggregated channels',
    [layer('aggregate', { axis: [2] })] as NetDocument,
    line,
    /layers\.0 \(aggregate\).*only spatial axes|layers\.0 \(aggregate\): "axis"/,
  ],
  [
    'resized channels',
    [conv(), layer('imageResize', { shape: [-1, 4, 9] })] as NetDocument,
    line,
    /layers\.1 \(imageResize\): samples and channels cannot/,
  ],
  [
    'too many slices',
    [conv(), layer('index', { slices: [0, 0] })] as NetDocument,
    line,
    /layers\.1 \(index\): "slices" has 2 entries/,
  ],
  [
    'an empty slice',
    [conv(), layer('index', { slices: [[2, 2, 1]] })] as NetDocument,
    line,
    /layers\.1 \(index\): a slice keeps no position/,
  ],
  [
    'a broken chain of s',
    [dense({ s: [1, 2] }), relu, dense()] as NetDocument,
    flat,
    /layers\.2 \(dense\): sIn = 1, but the layer before has sOut = 2/,
  ],
  ['no kernel', dense(), flat, /get must name/, { get: [] }],
  ['one axis', dense(), values(3), /x1 must have samples and channels/],
  ['no channels', dense(), { data: new Float64Array(0), shape: [2, 0] }, /x1 is empty/],
  [
    'infinity',
    dense(),
    tensor(Float64Array.of(1, -Infinity), [1, 2]),
    /x1 has the entry -Infinity at flat index 1/,
  ],
  [
    'NaN, by offsets',
    [conv(), relu, layer('flatten'), dense()] as NetDocument,
    tensor(Float64Array.of(1, 2, NaN), [1, 3, 1]),
    /x1 has the entry NaN at flat index 2/,
  ],
];
function dropout(keep: number): NetDocument {
  return layer('dropout', { keep });
}

describe('kernel', () => {
  it.each<Case>(CASES)('refuses %s', async (_name, net, x, message, options = {}) => {
    const failed = kernel(engine, net, x, null, options);
    await expect(failed).rejects.toThrow(message);
    await expect(failed).rejects.toThrow(RangeError);
    expect(engine.heap.usage.used).toBe(0);
  });

  it('refuses a pattern for one batch only, and what is not an array', async () => {
    const net = layer('serial', { layers: [layer('aggregate'), dense()] });
    await expect(kernel(engine, net, line, values(2, 4, 3), { pattern1: graph })).rejects.toThrow(
      /layers\.0 \(aggregate\) needs a pattern for both batches or for none/,
    );
    await expect(kernel(engine, net, 'x' as never)).rejects.toThrow(/x1/);
    expect(engine.heap.usage.used).toBe(0);
  });

  it.each([0, -1, 1, NaN, '0.1'])('refuses the tolerance %s', async (tolerance) => {
    const net = [dense(), layer('tanh')] as NetDocument;
    const options = { tolerance: tolerance as number };
    await expect(kernel(engine, net, flat, null, options)).rejects.toThrow(
      /kernel: tolerance must be a number between 0 and 1, got/,
    );
    await expect(kernelState(engine, net, flat, null, options)).rejects.toThrow(/tolerance must be/);
    expect(() => planKernel(engine, net, [2, 3], null, options)).toThrow(/tolerance must be/);
    expect(() => dualSeries(layer('tanh'), 1, options.tolerance)).toThrow(/dualSeries: tolerance must be/);
  });

  it('refuses paths that are no list and a mask constant that is no number', async () => {
    const frozen = 'layers.0' as unknown as string[];
    await expect(kernel(engine, dense(), flat, null, { frozen })).rejects.toThrow(
      /kernel: frozen must be a list of paths, got /,
    );
    const maskConstant = 'x' as unknown as number;
    await expect(kernel(engine, dense(), flat, null, { maskConstant })).rejects.toThrow(
      /kernel: maskConstant must be a number, got /,
    );
  });

  it('does not blame masked NaN for an overflow', async () => {
    const x = tensor(Float64Array.of(NaN, 1e200, 1, 2), [2, 2]);
    await expect(kernel(engine, dense(), x, null, { maskConstant: NaN })).rejects.toThrow(/overflow/);
  });

  it.each([1e-150, 1, 1e150])(
    'scales with inputs of size %d, with rows of zeros and one sample',
    async (scale) => {
      const net = [dense({ bStd: null }), relu, dense({ bStd: null }), relu, dense({ bStd: null })];
      const data = [1, 2, 0.5, 0, 0, 0, -1, 0.3, 2];
      const run = (factor: number) =>
        kernel(
          engine,
          net as NetDocument,
          tensor(
            Float64Array.from(data, (v) => v * factor),
            [3, 3],
          ),
        );
      const [want, got] = [await run(1), await run(scale)];
      for (const name of ['nngp', 'ntk'] as const) {
        for (const [i, v] of got[name].data.entries()) {
          const expected = want[name].data[i]!;
          if (i % 3 === 1 || (i >= 3 && i < 6)) expect(v).toBe(0);
          else expect(Math.abs(v / scale / scale / expected - 1)).toBeLessThan(1e-13);
        }
      }
      const one = await kernel(engine, net as NetDocument, tensor([[scale, 2 * scale, 0.5 * scale]]));
      expect(one.ntk.shape).toEqual([1, 1]);
      expect(Math.abs(one.ntk.data[0]! / scale / scale / want.ntk.data[0]! - 1)).toBeLessThan(1e-13);
    },
  );
});
