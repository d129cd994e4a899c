// Branches that meet: sum, product, concatenation.
import type { BranchesDescriptor } from '../descriptor.js';
import { branches, field } from '../fields.js';
import { normaliseAxis, type Shape } from '../shapes.js';
import { pushConcat, pushProduct, pushSum } from './finite.js';
import { mergeOffsets } from './offsets.js';
import type { ConcatLayer, MergeLayer } from './types.js';

/** The common shape of branches, whose sizes along `axis` (-1: none) are added. */
function fit(shapes: readonly Shape[], axis: number, label: string): Shape {
  const first = shapes[0]!;
  if (shapes.some((s) => s.length !== first.length || s.some((n, i) => i !== axis && n !== first[i]))) {
    const show = shapes.map((shape) => `[${shape.join(', ')}]`).join(', ');
    throw new RangeError(`net: ${label}: branches of shapes ${show} do not fit together.`);
  }
  return axis < 0 ? first : first.map((n, i) => (i === axis ? shapes.reduce((sum, s) => sum + s[i]!, 0) : n));
}

const merged = {
  kind: 'branches',
  fields: { branches },
  featureSafe: true,
  inside: ({ branches }: MergeLayer | ConcatLayer) => branches,
  shape: (_: MergeLayer, shapes: readonly Shape[], label: string) => fit(shapes, -1, label),
  offsets: mergeOffsets,
} as const;

export const sum: BranchesDescriptor<MergeLayer> = {
  ...merged,
  finite: ({ path }, builder, values) => pushSum(builder, path, values),
};

export const product: BranchesDescriptor<MergeLayer> = {
  ...merged,
  finite: ({ path }, builder, values) => pushProduct(builder, path, values),
};

export const concat: BranchesDescriptor<ConcatLayer> = {
  ...merged,
  fields: { branches, axis: field('a whole number', Number.isInteger, -1) },
  featureSafe: false,
  shape({ axis }, shapes, label) {
    const at = axisOf(axis, shapes[0]!, label);
    if (at < 0) throw new RangeError(`net: ${label}: the samples axis cannot be concatenated.`);
    return fit(shapes, at, label);
  },
  finite({ layer, path, output }, builder, values) {
    const axis = normaliseAxis(layer.axis, output.length + 1) - 1;
    return pushConcat(builder, path, values, axis, output);
  },
};

function axisOf(axis: number, shape: Shape, label: string): number {
  try {
    return normaliseAxis(axis, shape.length + 1) - 1;
  } catch (error) {
    throw new RangeError(`net: ${label}: ${(error as Error).message}.`);
  }
}
