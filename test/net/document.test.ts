import * as api from 'infinite-width';
import { describe, expect, it } from 'vitest';
import { LAYERS } from '#build/layers/registry.js';
import {
  resizeMatrix,
  slicePositions,
  transposedAxis,
  transposedTaps,
  windowAxis,
  windowTaps,
} from '#build/layers/geometry.js';
import type { Shaped } from '#build/layers/shapes.js';
import { loadReference } from '../support/reference.js';

const { parseNet, toJson, inferShapes, serial, dense, relu, conv } = api;

interface Case {
  name: string;
  net: api.NetDocument | null;
  x1: { shape: number[] };
  params?: { path: string; w: { shape: number[] } }[];
}
const families = ['fc', 'conv1d', 'conv2d', 'spatial', 'masked', 'aggregate', 'stress', 'empirical'];

describe('Net documents', () => {
  it('builders write exactly the JSON of the format', () => {
    const net = serial(dense(512, { wStd: Math.SQRT2, bStd: 0.1 }), relu(), dense(1));
    expect(JSON.parse(JSON.stringify(net))).toEqual({
      layer: 'serial',
      layers: [
        { layer: 'dense', units: 512, wStd: 1.4142135623730951, bStd: 0.1 },
        { layer: 'relu' },
        { layer: 'dense', units: 1 },
      ],
    });
    expect(Object.isFrozen(net)).toBe(true);
  });

  it('has a builder for every layer', () => {
    for (const name of Object.keys(LAYERS)) expect(api, name).toHaveProperty(name);
  });

  it('fills in defaults, and toJson takes them out again', () => {
    const net = parseNet([
      { layer: 'conv', channels: 4, filter: [3, 3] },
      { layer: 'dense', units: 1 },
    ]);
    expect(net).toEqual({
      layer: 'serial',
      layers: [
        {
          layer: 'conv',
          channels: 4,
          filter: [3, 3],
          strides: [1, 1],
          padding: 'VALID',
          wStd: 1,
          bStd: null,
          parametrization: 'ntk',
          s: [1, 1],
          baseWidth: null,
        },
        { layer: 'dense', units: 1, wStd: 1, bStd: null, parametrization: 'ntk', s: [1, 1], baseWidth: null },
      ],
    });
    expect(toJson(net)).toEqual(serial(conv(4, [3, 3]), dense(1)));
    expect(parseNet(net)).toBe(net);
  });

  it('parses every reference net, keeps it in toJson, and finds its shapes', async () => {
    for (const family of families) {
      const { cases } = await loadReference<{ cases: Case[] }>(`neural-tangents/${family}`);
      for (const { name, net, x1 } of cases) {
        if (!net) continue;
        expect(parseNet(toJson(parseNet(net))), name).toEqual(parseNet(net));
        expect(() => inferShapes(net, x1.shape.slice(1)), name).not.toThrow();
      }
    }
  });

  it('gives paths and true channel counts as in the reference parameters', async () => {
    const { cases } = await loadReference<{ cases: Case[] }>('neural-tangents/empirical');
    for (const { net, x1, params } of cases) {
      const weighted: { path: string; channels: number }[] = [];
      const walk = (node: Shaped): void => {
        if (/^dense|^conv/.test(node.layer.layer))
          weighted.push({ path: node.path, channels: node.output.at(-1)! });
        node.children.forEach(walk);
      };
      walk(inferShapes(net!, x1.shape.slice(1)));
      expect(weighted).toEqual(params!.map(({ path, w }) => ({ path, channels: w.shape.at(-1) })));
    }
  });

  it.each([
    [[{ layer: 'dens', units: 3 }], /layers\.0 has unknown layer "dens"\. Layers: serial, .*softsign/],
    [[{ layer: 'dense', unit: 3 }], /layers\.0 \(dense\) has unknown field "unit"\. Fields: units, wStd/],
    [[{ layer: 'relu', alpha: 3 }], /layers\.0 \(relu\) has unknown field "alpha"\. It has no fields/],
    [[{ layer: 'dense' }], /layers\.0 \(dense\) needs "units"/],
    [[{ layer: 'dense', units: -1 }], /"units" must be a whole number from 1 to 268435456, got -1/],
    [[{ layer: 'dense', units: 1e12 }], /"units" must be a whole number/],
    [[{ layer: 'dense', units: 2, wStd: NaN }], /"wStd" must be/],
    [
      [{ layer: 'sum', branches: [{ layer: 'relu' }, [{ layer: 'tanhh' }]] }],
      /layers\.0\.branches\.1\.layers\.0/,
    ],
    [
      [{ layer: 'conv', channels: 2, filter: [3], strides: [1, 1] }],
      /"strides" must have one entry per entry of "filter"/,
    ],
    [[{ layer: 'dropout', keep: 0 }], /"keep" must be a number > 0/],
    [3, /must be a layer/],
    [
      [{ layer: 'dense', units: 2, s: [2, 1] }],
      /layers\.0 \(dense\): sIn = 2, but the layer before has sOut = 1/,
    ],
    [[{ layer: 'dense', units: 2, s: [1, 2] }], /the last layer with weights has sOut = 2/],
  ])('rejects %j', (document, message) => {
    expect(() => parseNet(document as api.NetDocument)).toThrow(message);
  });

  it.each([
    [
      [{ layer: 'relu' }, { layer: 'conv', channels: 2, filter: [3] }],
      [4],
      /layers\.1 \(conv\): "filter" has 1 entries/,
    ],
    [[{ layer: 'conv', channels: 2, filter: [5] }], [4, 1], /no output position fits/],
    [
      [{ layer: 'sum', branches: [{ layer: 'dense', units: 2 }, { layer: 'identity' }] }],
      [3],
      /branches of shapes \[2\], \[3\]/,
    ],
    [[{ layer: 'index', slices: [9] }], [4, 1], /index 9 is outside an axis of 4/],
    [[{ layer: 'relu' }], [0], /inputShape must list/],
  ])('finds the layer that does not fit: %j', (document, shape, message) => {
    expect(() => inferShapes(document as api.NetDocument, shape)).toThrow(message);
  });
});

describe('geometry', () => {
  it('a transposed circular convolution is the adjoint of the circular one with the flipped filter', () => {
    for (let n = 1; n <= 4; n++)
      for (let size = 1; size <= 5; size++)
        for (let stride = 1; stride <= 4; stride++) {
          const forward = windowTaps(windowAxis(n * stride, size, stride, 'CIRCULAR'));
          const back = transposedTaps(transposedAxis(n, size, stride, 'CIRCULAR'));
          const pairs = (taps: { input: number; tap: number }[][], flip: boolean): string[] =>
            taps
              .flatMap((list, out) =>
                list.map(({ input, tap }) =>
                  flip ? `${input} ${out} ${size - 1 - tap}` : `${out} ${input} ${tap}`,
                ),
              )
              .sort();
          expect(pairs(back, true), `${n} ${size} ${stride}`).toEqual(pairs(forward, false));
        }
  });

  it('slices as Python does', () => {
    expect(slicePositions([null, null, -1], 3)).toEqual([2, 1, 0]);
    expect(slicePositions([1, -1, 2], 6)).toEqual([1, 3]);
    expect(slicePositions([-2, null, null], 5)).toEqual([3, 4]);
    expect(slicePositions(-1, 5)).toEqual([4]);
  });

  it('resizes with rows that sum to one', () => {
    expect([...resizeMatrix(2, 4, 'nearest', true)]).toEqual([1, 0, 1, 0, 0, 1, 0, 1]);
    expect([...resizeMatrix(2, 4, 'linear', true)]).toEqual([1, 0, 0.75, 0.25, 0.25, 0.75, 0, 1]);
  });
});
