// Layers that act on positions and have no weights: pools, flatten, resizing, slices, sums over graphs.
import { ALL_PAIRS, USUAL, type LeafDescriptor } from '../descriptor.js';
import { axes, field, flag, isList, isSlice, isWhole, oneOf, onesLike, padding, sizes } from '../fields.js';
import { poolAxes, slicePositions } from '../geometry.js';
import { checkRank, normaliseAxis, windowSizes, type Shape } from '../shapes.js';
import { linearDerivatives } from '../states/derivatives.js';
import { layerError, NO_NOTE, type Rule } from '../states/rule.js';
import { aggregateRule } from './aggregate-kernel.js';
import { compileAggregate } from './aggregate.js';
import { compileMaxPool } from './max.js';
import { collapseOffsets, indexOffsets, poolOffsets, resizeOffsets } from './offsets.js';
import { flattenRule, globalPoolRule, poolRule } from './pool-kernel.js';
import { indexRule, resizeRule } from './resize-kernel.js';
import { compilePositions } from './rules.js';
import type {
  AggregateLayer,
  AvgPoolLayer,
  ImageResizeLayer,
  IndexLayer,
  PlainLayer,
  SumPoolLayer,
} from './types.js';

const identityRule: Rule<PlainLayer> = {
  facts: (_node, input) => input,
  demand: (_node, wanted) => wanted,
  side: (_core, _node, side) => ({ side, note: NO_NOTE }),
  joint: (_core, _node, joint) => joint,
};

export const identity: LeafDescriptor<PlainLayer> = {
  ...USUAL,
  kind: 'leaf',
  fields: {},
  shape: (_, input) => input,
  finite: (_node, _builder, input) => input,
  kernel: identityRule,
  derivative: linearDerivatives,
  offsets: (_lowering, _node, x) => x,
  entries: () => 'same',
};

const pool = { window: sizes, strides: onesLike('window'), padding };

function poolShape(layer: AvgPoolLayer | SumPoolLayer, input: Shape): Shape {
  const spatial = input.slice(0, -1);
  checkRank(layer.window, spatial, 'window');
  return [...windowSizes(poolAxes(layer, spatial), input), input.at(-1)!];
}

export const avgPool: LeafDescriptor<AvgPoolLayer> = {
  ...USUAL,
  kind: 'leaf',
  fields: { ...pool, normalizeEdges: flag(false) },
  shape: poolShape,
  finite: compilePositions,
  kernel: poolRule,
  derivative: linearDerivatives,
  offsets: poolOffsets,
};

export const sumPool: LeafDescriptor<SumPoolLayer> = {
  ...USUAL,
  kind: 'leaf',
  fields: pool,
  shape: poolShape,
  finite: compilePositions,
  kernel: poolRule,
  derivative: linearDerivatives,
  offsets: poolOffsets,
};

export const maxPool: LeafDescriptor<SumPoolLayer> = {
  ...sumPool,
  finite: compileMaxPool,
  kernel: {
    ...poolRule,
    facts(node) {
      throw layerError(node, 'has no infinite-width kernel in closed form. Use monteCarloKernel, or avgPool');
    },
  },
  offsets: ALL_PAIRS,
  featureSafe: false,
};

export const globalPool: LeafDescriptor<PlainLayer> = {
  ...USUAL,
  kind: 'leaf',
  fields: {},
  shape: (_, input) => [input.at(-1)!],
  finite: compilePositions,
  kernel: globalPoolRule,
  derivative: linearDerivatives,
  offsets: collapseOffsets,
};

export const flatten: LeafDescriptor<PlainLayer> = {
  ...globalPool,
  shape: (_, input) => [input.reduce((size, n) => size * n, 1)],
  finite: ({ output }, _builder, { id }) => ({ id, shape: output }),
  kernel: flattenRule,
  entries: () => 'pool',
};

export const aggregate: LeafDescriptor<AggregateLayer> = {
  ...USUAL,
  kind: 'leaf',
  fields: { axis: axes(true, null) },
  shape({ axis }, input) {
    for (const one of axis ?? []) {
      const at = normaliseAxis(one, input.length + 1);
      if (at === 0 || at === input.length) throw new RangeError('only spatial axes can be aggregated');
    }
    if (input.length < 2) throw new RangeError('it needs a spatial axis');
    return input;
  },
  finite: compileAggregate,
  kernel: aggregateRule,
  derivative: linearDerivatives,
  offsets: ALL_PAIRS,
  mixesPositions: true,
  usesPattern: true,
  featureSafe: false,
};

export const imageResize: LeafDescriptor<ImageResizeLayer> = {
  ...USUAL,
  kind: 'leaf',
  fields: {
    shape: field('a list with one size (-1 = keep) per axis, samples and channels included', (v) =>
      isList(v, (e) => e === -1 || isWhole(e, 1), 2),
    ),
    method: oneOf(['linear', 'nearest'], 'linear'),
    antialias: flag(true),
  },
  shape({ shape }, input) {
    if (shape.length !== input.length + 1) {
      throw new RangeError(
        `"shape" must have ${input.length + 1} entries (samples and channels included), got ${shape.length}`,
      );
    }
    if (shape[0] !== -1 || ![-1, input.at(-1)!].includes(shape.at(-1)!)) {
      throw new RangeError('samples and channels cannot be resized; give -1');
    }
    return input.map((n, i) => (shape[i + 1] === -1 ? n : shape[i + 1]!));
  },
  finite: compilePositions,
  kernel: resizeRule,
  derivative: linearDerivatives,
  offsets: resizeOffsets,
};

export const index: LeafDescriptor<IndexLayer> = {
  ...USUAL,
  kind: 'leaf',
  fields: {
    slices: field('a list of null, an integer or [start, stop, step], one per spatial axis', (v) =>
      isList(v, isSlice),
    ),
  },
  shape({ slices }, input) {
    checkRank(slices, input.slice(0, -1), 'slices');
    const kept = slices.map((slice, i) => slicePositions(slice, input[i]!).length);
    if (kept.includes(0)) throw new RangeError('a slice keeps no position');
    return [...kept.filter((_, i) => typeof slices[i] !== 'number'), input.at(-1)!];
  },
  finite: compilePositions,
  kernel: indexRule,
  derivative: linearDerivatives,
  offsets: indexOffsets,
};
