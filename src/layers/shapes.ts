// The shape of what a layer returns for one sample: spatial axes first, channels last, samples left out.
import { layerLabel } from './fields.js';
import { convAxes, poolAxes, slicePositions } from './geometry.js';
import { isActivation, type ImageResizeLayer, type IndexLayer, type Layer } from './vocabulary.js';

export type Shape = readonly number[];

/** A layer in its place: its path in the document, and the shapes that enter and leave it, without the samples axis. */
export interface Shaped<L extends Layer = Layer> {
  readonly layer: L;
  readonly path: string;
  readonly input: Shape;
  readonly output: Shape;
  /** Layers of a serial, branches, or the copies of a repeat (paths `<path>.net.<copy>`), in document order. */
  readonly children: readonly Shaped[];
}

/** Shapes and true channel counts of a parsed layer and all layers in it. RangeError names the layer that does not fit. */
export function shapeLayer(layer: Layer, input: Shape, path = ''): Shaped {
  const at = (part: string): string => (path ? `${path}.${part}` : part);
  const children: Shaped[] = [];
  let output = input;
  if (layer.layer === 'serial') {
    for (const [i, child] of layer.layers.entries()) {
      children.push(shapeLayer(child, output, at(`layers.${i}`)));
      output = children[i]!.output;
    }
  } else if (layer.layer === 'repeat') {
    for (let i = 0; i < layer.times; i++) {
      children.push(shapeLayer(layer.net, output, at(`net.${i}`)));
      output = children[i]!.output;
    }
  } else if (layer.layer === 'sum' || layer.layer === 'product' || layer.layer === 'concat') {
    for (const [i, child] of layer.branches.entries())
      children.push(shapeLayer(child, input, at(`branches.${i}`)));
    output = mergeShapes(layer, children, path);
  } else output = leafShape(layer, input, path);
  return { layer, path, input, output, children };
}

/** An axis that counts samples, from 0 to rank-1. `rank` counts the samples axis. */
export function normaliseAxis(axis: number, rank: number): number {
  const result = axis < 0 ? axis + rank : axis;
  if (result < 0 || result >= rank) {
    throw new RangeError(`axis ${axis} is outside the ${rank} axes (samples included)`);
  }
  return result;
}

function mergeShapes(
  layer: Extract<Layer, { branches: unknown }>,
  children: readonly Shaped[],
  path: string,
): Shape {
  const shapes = children.map((child) => child.output);
  const first = shapes[0]!;
  const show = shapes.map((shape) => `[${shape.join(', ')}]`).join(', ');
  const axis =
    layer.layer === 'concat'
      ? located(layer, path, () => normaliseAxis(layer.axis, first.length + 1)) - 1
      : -1;
  if (layer.layer === 'concat' && axis < 0) {
    throw new RangeError(`net: ${layerLabel(path, 'concat')}: the samples axis cannot be concatenated.`);
  }
  if (shapes.some((s) => s.length !== first.length || s.some((n, i) => i !== axis && n !== first[i]))) {
    throw new RangeError(
      `net: ${layerLabel(path, layer.layer)}: branches of shapes ${show} do not fit together.`,
    );
  }
  return axis < 0 ? first : first.map((n, i) => (i === axis ? shapes.reduce((sum, s) => sum + s[i]!, 0) : n));
}

function located<T>(layer: Layer, path: string, fn: () => T): T {
  try {
    return fn();
  } catch (error) {
    throw new RangeError(`net: ${layerLabel(path, layer.layer)}: ${(error as Error).message}.`);
  }
}

function leafShape(layer: Layer, input: Shape, path: string): Shape {
  return located(layer, path, () => {
    const spatial = input.slice(0, -1);
    const channels = input.at(-1)!;
    if (isActivation(layer)) return input;
    switch (layer.layer) {
      case 'dense':
        return [...spatial, layer.units * layer.s[1]];
      case 'rnn':
        if (spatial.length !== 1)
          throw new RangeError(
            `it needs one spatial axis, time, got an input of shape [${input.join(', ')}]`,
          );
        return [...(layer.returnSequences ? spatial : []), layer.units * layer.s[1]];
      case 'conv':
      case 'convTranspose':
      case 'convLocal':
        rankIs(layer.filter, spatial, 'filter');
        return [...outs(convAxes(layer, spatial), input), layer.channels * layer.s[1]];
      case 'avgPool':
      case 'sumPool':
      case 'maxPool':
        rankIs(layer.window, spatial, 'window');
        return [...outs(poolAxes(layer, spatial), input), channels];
      case 'globalAvgPool':
      case 'globalSumPool':
        return [channels];
      case 'flatten':
        return [input.reduce((size, n) => size * n, 1)];
      case 'attention':
        return [...spatial, layer.channels];
      case 'layerNorm':
        for (const axis of layer.axis) normaliseAxis(axis, input.length + 1);
        return input;
      case 'aggregate':
        for (const axis of layer.axis ?? []) {
          const at = normaliseAxis(axis, input.length + 1);
          if (at === 0 || at === input.length) throw new RangeError('only spatial axes can be aggregated');
        }
        if (spatial.length === 0) throw new RangeError('it needs a spatial axis');
        return input;
      case 'imageResize':
        return resizeShape(layer, input);
      case 'index':
        return indexShape(layer, input);
      default:
        return input;
    }
  });
}

function rankIs(sizes: readonly number[], spatial: Shape, what: string): void {
  if (sizes.length !== spatial.length) {
    throw new RangeError(
      `"${what}" has ${sizes.length} entries, but the input has ${spatial.length} spatial axes`,
    );
  }
}

function outs(axes: readonly { readonly out: number }[], input: Shape): number[] {
  const out = axes.map((axis) => axis.out);
  if (out.some((n) => n < 1)) {
    throw new RangeError(`no output position fits into an input of shape [${input.join(', ')}]`);
  }
  return out;
}

function resizeShape(layer: ImageResizeLayer, input: Shape): Shape {
  if (layer.shape.length !== input.length + 1) {
    throw new RangeError(
      `"shape" must have ${input.length + 1} entries (samples and channels included), got ${layer.shape.length}`,
    );
  }
  if (layer.shape[0] !== -1 || ![-1, input.at(-1)!].includes(layer.shape.at(-1)!)) {
    throw new RangeError('samples and channels cannot be resized; give -1');
  }
  return input.map((n, i) => (layer.shape[i + 1] === -1 ? n : layer.shape[i + 1]!));
}

function indexShape(layer: IndexLayer, input: Shape): Shape {
  rankIs(layer.slices as readonly number[], input.slice(0, -1), 'slices');
  const kept = layer.slices.map((slice, i) => slicePositions(slice, input[i]!).length);
  if (kept.includes(0)) throw new RangeError('a slice keeps no position');
  return [...kept.filter((_, i) => typeof layer.slices[i] !== 'number'), input.at(-1)!];
}
