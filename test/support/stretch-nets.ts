// Nets with layers that planes of constant offset cannot do, for the tests of stretches, and their inputs.
import { tensor, type NetDocument } from 'infinite-width';

export function numbers(shape: readonly number[], seed: number) {
  let state = seed;
  const data = Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
  return tensor(data, shape);
}

/** Some positions of some samples masked, in all channels. */
export function withMasks(x: ReturnType<typeof numbers>, seed: number) {
  const holes = numbers([x.data.length / 2], seed).data;
  holes.forEach((value, p) => {
    if (value < -0.4) x.data.fill(99, 2 * p, 2 * p + 2);
  });
  return x;
}

export const conv = (filter: number[], more = {}): NetDocument => ({
  layer: 'conv',
  channels: 8,
  filter,
  padding: 'SAME',
  wStd: 1.3,
  bStd: 0.2,
  ...more,
});
export const relu: NetDocument = { layer: 'relu' };
export const erf: NetDocument = { layer: 'erf' };
export const dense: NetDocument = { layer: 'dense', units: 1, wStd: 1.2 };
export const attention = (more = {}): NetDocument => ({
  layer: 'attention',
  channels: 8,
  keyChannels: 4,
  valueChannels: 4,
  heads: 2,
  bStd: 0.1,
  ...more,
});
export const gap: NetDocument = { layer: 'globalAvgPool' };
export const flatten: NetDocument = { layer: 'flatten' };
export const pool = (more = {}): NetDocument => ({
  layer: 'avgPool',
  window: [2, 2],
  strides: [2, 2],
  padding: 'SAME',
  ...more,
});
export const stack = (...filter: number[]): NetDocument[] => [conv(filter), relu, conv(filter), erf];
const standard = { parametrization: 'standard' };

/** Nets, the shape of a sample, and how many stretches there are. */
export const nets: Record<string, [net: NetDocument[], sample: number[], stretches: number]> = {
  'between attention and a global pool': [
    [...stack(3, 3), attention(), ...stack(3, 3), gap, dense],
    [4, 3, 2],
    2,
  ],
  'on sequences, nested, one sequence without attention': [
    [[conv([3]), erf], [attention(), [...stack(3), conv([2])], attention(), flatten], dense],
    [5, 2],
    2,
  ],
  'identity attention with positions, standard weights': [
    [
      conv([3], standard),
      relu,
      attention({ linearScaling: false, mechanism: 'identity', positional: 'sum' }),
      conv([3], standard),
      relu,
      conv([2], { ...standard, bStd: null }),
      { layer: 'layerNorm' },
      relu,
      gap,
      dense,
    ],
    [4, 2],
    2,
  ],
  'blocks with residuals, repeated': [
    [
      conv([3, 3]),
      {
        layer: 'repeat',
        times: 2,
        net: [
          { layer: 'sum', branches: [[{ layer: 'layerNorm' }, attention()], conv([1, 1])] },
          { layer: 'sum', branches: [stack(3, 3).slice(0, 3), { layer: 'identity' }] },
          erf,
          conv([1, 1]),
        ],
      },
      gap,
      dense,
    ],
    [3, 4, 2],
    3,
  ],
  'pools, strides, transposed and circular convolutions': [
    [
      pool({ strides: [1, 1] }),
      ...stack(2, 3),
      attention({ mechanism: 'relu' }),
      conv([3, 3], { padding: 'CIRCULAR' }),
      relu,
      pool(),
      { ...(conv([2, 2], { strides: [2, 1] }) as object), layer: 'convTranspose' } as NetDocument,
      relu,
      conv([3, 3], { padding: 'CIRCULAR', strides: [2, 1] }),
      attention(),
      gap,
    ],
    [4, 4, 2],
    2,
  ],
  'ends with positions; dropout': [
    [attention(), conv([3]), relu, { layer: 'dropout', keep: 0.7, mode: 'train' }, conv([3]), erf, conv([1])],
    [5, 2],
    1,
  ],
  'aggregate between, products and concatenations': [
    [
      conv([3]),
      relu,
      { layer: 'aggregate' },
      {
        layer: 'concat',
        axis: 1,
        branches: [stack(3).slice(0, 3), [conv([2]), relu, conv([1])]],
      },
      relu,
      { layer: 'product', branches: [conv([3]), conv([1])] },
      dense,
      gap,
    ],
    [4, 2],
    2,
  ],
};
