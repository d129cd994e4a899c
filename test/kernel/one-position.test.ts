// Nets on samples of a single position, and layers that couple samples: the paths that work on blocks and tiles must see it.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createEngine,
  kernel,
  kernelInputGradient,
  planKernel,
  tensor,
  type Engine,
  type NetDocument,
  type Tensor,
} from 'infinite-width';
import { prepareTile } from '#build/kernel/kernel.js';
import { computeTile } from '#build/kernel/tiles/tile.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
});
afterAll(() => engine.dispose());

function data(shape: readonly number[], seed: number): Tensor<Float64Array> {
  const size = shape.reduce((product, n) => product * n, 1);
  return tensor(
    Float64Array.from({ length: size }, (_, i) => Math.sin(12.9898 * (i + 1) + 78.233 * seed)),
    shape,
  );
}

function expectClose(a: ArrayLike<number>, b: ArrayLike<number>): void {
  expect(a.length).toBe(b.length);
  const most = Math.max(...Array.from(b, Math.abs));
  expect(most).toBeGreaterThan(0);
  for (let i = 0; i < b.length; i++) expect(Math.abs(a[i]! - b[i]!)).toBeLessThanOrEqual(1e-12 * most);
}

const attention = { layer: 'attention', channels: 2, keyChannels: 2, valueChannels: 2, heads: 1 };
const rnn = { layer: 'rnn', units: 2, activation: { layer: 'erf' }, uStd: 0.5, wStd: 1.2, bStd: 0.3 };

describe('samples of a single position', () => {
  it.each<[string, number[], object[]]>([
    [
      'a sequence of one step',
      [5, 1, 3],
      [
        { ...rnn, returnSequences: true },
        { layer: 'dense', units: 2 },
      ],
    ],
    ['the last state of one step', [5, 1, 3], [rnn, { layer: 'dense', units: 2 }]],
    [
      'positions added by a transposed convolution',
      [5, 1, 1, 2],
      [attention, { layer: 'convTranspose', channels: 3, filter: [3, 2], bStd: 0.2 }, { layer: 'relu' }],
    ],
    [
      'positions added by resizing, and pooled again',
      [5, 1, 2],
      [
        attention,
        { layer: 'imageResize', shape: [-1, 3, -1], method: 'linear' },
        { layer: 'conv', channels: 2, filter: [2] },
        { layer: 'erf' },
        attention,
        { layer: 'globalAvgPool' },
        { layer: 'dense', units: 1 },
      ],
    ],
  ])('%s: as the general propagation', async (_, shape, layers) => {
    const net = layers as unknown as NetDocument;
    for (const x2 of [data([3, ...shape.slice(1)], 2), null]) {
      const x1 = data(shape, 1);
      const want = computeTile(engine, prepareTile(engine, net, x1, x2, {}), () => {});
      for (const tile of [5, 2]) {
        const got = await kernel(engine, net, x1, x2, { tile });
        expectClose(got.nngp.data, want.nngp);
        expectClose(got.ntk.data, want.ntk!);
      }
    }
  });

  it('has the kernel of a dense layer and its activation at the first step', async () => {
    const x = data([4, 1, 3], 3);
    const sequence = [{ ...rnn, returnSequences: true }] as unknown as NetDocument;
    const dense = [{ layer: 'dense', units: 2, wStd: 1.2, bStd: 0.3 }, { layer: 'erf' }] as NetDocument;
    const [a, b] = [await kernel(engine, sequence, x), await kernel(engine, dense, x)];
    expectClose(a.nngp.data, b.nngp.data);
    expectClose(a.ntk.data, b.ntk.data);
  });
});

describe('layerNorm over samples', () => {
  const norm = (axis: number[]): NetDocument =>
    [{ layer: 'dense', units: 3 }, { layer: 'layerNorm', axis, eps: 0.1 }, { layer: 'relu' }] as NetDocument;

  it('takes the statistics of all samples whatever the tile', async () => {
    const x = data([7, 3], 4);
    const { nngp } = await kernel(engine, norm([0, -1]), x, null, { tile: 2 });
    // K / (eps + mean of the variances), then relu.
    const k = (i: number, j: number): number =>
      [0, 1, 2].reduce((sum, c) => sum + x.data[3 * i + c]! * x.data[3 * j + c]!, 0) / 3;
    const v = 0.1 + [0, 1, 2, 3, 4, 5, 6].reduce((sum, i) => sum + k(i, i), 0) / 7;
    for (let i = 0; i < 7; i++) {
      for (let j = 0; j < 7; j++) {
        const a = Math.sqrt(k(i, i) * k(j, j));
        const c = Math.max(-1, Math.min(1, k(i, j) / a));
        const theta = Math.acos(c);
        const want = (a / v / (2 * Math.PI)) * (Math.sin(theta) + (Math.PI - theta) * c);
        expect(Math.abs(nngp.data[7 * i + j]! - want)).toBeLessThan(1e-8 * (k(0, 0) + 1));
      }
    }
    expect(planKernel(engine, norm([0, -1]), [2000, 3]).tiles).toBe(1);
    expect(planKernel(engine, norm([-1]), [2000, 3]).tiles).toBeGreaterThan(1);
  });

  it('is refused where all samples do not fit, and where derivatives would cross samples', async () => {
    expect(() => planKernel({ memoryBytes: 2 ** 24 }, norm([0, 1]), [5000, 3])).toThrow(
      /^kernel: layerNorm over samples needs all of them in one tile, \d+ bytes/,
    );
    await expect(kernelInputGradient(engine, norm([0, 1]), data([3, 3], 1), data([2, 3], 2))).rejects.toThrow(
      /layerNorm over samples/,
    );
  });
});

it('weights of rounding in a resize do not make masked positions visible', async () => {
  // Of 5 columns the middle one of 3 reads 1, 2, 3 and exactly nothing of 0 and 4.
  const net = [
    { layer: 'imageResize', shape: [-1, 3, -1], method: 'linear' },
    { layer: 'conv', channels: 1, filter: [1], bStd: 1 },
  ] as NetDocument;
  const masked = (visible: number[]): Tensor<Float64Array> =>
    tensor(
      Float64Array.from({ length: 5 }, (_, i) => (visible.includes(i) ? 0.5 : 9)),
      [1, 5, 1],
    );
  for (const visible of [[0], [2], [4], [3, 4]]) {
    const { nngp } = await kernel(engine, net, masked(visible), null, {
      maskConstant: 9,
      diagonalSpatial: true,
    });
    // Output 0 reads columns 0, 1; output 1 columns 1, 2, 3; output 2 columns 3, 4.
    const reads = [
      [0, 1],
      [1, 2, 3],
      [3, 4],
    ];
    reads.forEach((columns, i) =>
      expect(nngp.data[i]! > 0).toBe(columns.some((column) => visible.includes(column))),
    );
  }
});
