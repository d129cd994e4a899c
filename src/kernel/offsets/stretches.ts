// Stretches: consecutive layers that planes of constant offset can do, each as one step of the general propagation: between the
// layers that need all pairs of positions at once (attention, aggregate), in front of the first, and inside branches.
import { padded, sheetCount } from '../../layers/states/state.js';
import type { Shaped } from '../../layers/shapes.js';
import { isSequence, leafOf } from '../../layers/registry.js';
import type { CompiledLayer, Stretch } from '../propagation/compiled-net.js';
import { goesByOffsets, rememberedPlan } from './plan-cache.js';
import { groupBytes, groupRows } from './joint.js';
import type { OffsetPlan } from './plan-types.js';
import { stretchRule } from './stretch-rule.js';

export interface StretchOptions {
  readonly dtype: 'f32' | 'f64';
  readonly masked: boolean;
  readonly frozen: readonly string[];
  /** Relative error of series. */
  readonly tolerance: number;
}

/** A net with its stretches: the first where it begins at the images, and the rest, in which a stretch is a layer with `stretch`. */
export interface Divided {
  readonly front: Stretch | null;
  readonly rest: CompiledLayer;
}

/** Finds the stretches of a net. `images`: its first layers get images and not the planes of other layers. */
export function divide(node: CompiledLayer, options: StretchOptions, images: boolean): Divided {
  if (node.shaped.input.length < 2) return { front: null, rest: node };
  if (!isSequence(node.shaped.layer)) return { front: null, rest: inBranch(node, options) };
  const layers = inOrder(node, options);
  const length = images ? prefix(layers, options) : 0;
  const front = length > 0 ? stretchOf(layers.slice(0, length), options, false) : null;
  const children = steps(front ? layers.slice(length) : layers, options);
  const input = children[0]?.input ?? node.output;
  const shaped = { ...node.shaped, input: children[0]?.shaped.input ?? node.shaped.output };
  return { front, rest: { ...node, shaped, input, children } };
}

/** Bytes that stretches hold beside the states before and after them: records of both sides, and what one of them works with. */
export function stretchBytes(stretches: readonly Stretch[], rows: number, columns: number): number {
  const ld = padded(columns);
  const records = stretches.map(
    ({ plan: { report, lanes } }) => (padded(rows) + 2 * ld + 4 * lanes) * report.bytes.perImage,
  );
  const working = stretches.map(({ plan, within }) =>
    Math.max(planBytes(plan, rows, ld), within ? planBytes(within, 1, padded(Math.max(rows, columns))) : 0),
  );
  return records.reduce((sum, bytes) => sum + bytes, 0) + Math.max(0, ...working);
}

function planBytes(plan: OffsetPlan, rows: number, ld: number): number {
  const { arenaBytes, blob, columns, constants, lanes } = plan;
  const fixed = arenaBytes + blob.byteLength + columns * 256 + constants.length * 16;
  return fixed + ((groupRows(plan, rows, ld) * ld) / lanes + 2) * (groupBytes(plan) + 128);
}

/** All stretches of a divided net, in order. */
export function stretchesOf({ front, rest }: Divided): Stretch[] {
  const found = (node: CompiledLayer): Stretch[] =>
    node.stretch ? [node.stretch] : node.children.flatMap(found);
  return [...(front ? [front] : []), ...found(rest)];
}

/** The layers of sequences one after the other; a sequence that goes as a whole stays one. */
function inOrder(node: CompiledLayer, options: StretchOptions): CompiledLayer[] {
  return isSequence(node.shaped.layer) && !goesByOffsets(node.shaped, options)
    ? node.children.flatMap((child) => inOrder(child, options))
    : [node];
}

function prefix(layers: readonly CompiledLayer[], options: StretchOptions): number {
  const end = layers.findIndex(({ shaped }) => !goesByOffsets(shaped, options));
  return end < 0 ? layers.length : end;
}

/** Layers, and stretches of them where they are worth it. */
function steps(layers: readonly CompiledLayer[], options: StretchOptions): CompiledLayer[] {
  const result: CompiledLayer[] = [];
  for (let i = 0; i < layers.length;) {
    const length = prefix(layers.slice(i), options);
    const stretch = length > 0 ? stretchOf(layers.slice(i, i + length), options, true) : null;
    const all = layers.slice(i, i + Math.max(1, length));
    if (stretch) result.push(asLayer(stretch));
    else for (const layer of all) result.push(length > 0 ? layer : inBranch(layer, options));
    i += all.length;
  }
  return result;
}

/** A layer that does not go as a whole: its branches may. */
function inBranch(node: CompiledLayer, options: StretchOptions): CompiledLayer {
  if (node.rule) return node;
  const children = node.children.map((child) => {
    const inside = steps(inOrder(child, options), options);
    return inside.length === 1
      ? inside[0]!
      : { ...child, rule: null, shaped: sequence(child.shaped, []), children: inside };
  });
  return { ...node, children };
}

const sequence = (
  { path, input, output }: Omit<Shaped, 'layer' | 'children'>,
  children: readonly Shaped[],
): Shaped => ({
  layer: { layer: 'serial', layers: children.map(({ layer }) => layer) },
  path,
  input,
  output,
  children,
});

/** The stretch of layers, or null where there is nothing to gain or it needs more than the layers before it are asked for. */
function stretchOf(
  layers: readonly CompiledLayer[],
  options: StretchOptions,
  state: boolean,
): Stretch | null {
  const [first, last] = [layers[0]!, layers.at(-1)!];
  const gain = layers.reduce((sum, { shaped }) => sum + weightOf(shaped), 0);
  const positions = first.shaped.input.slice(0, -1).reduce((size, n) => size * n, 1);
  const useful = state ? first.input.joint === 'full' && positions > 1 && gain >= LEAST : gain > 0;
  if (!useful) return null;
  const shaped = wholeOf(layers);
  const { output } = last;
  const { masked, frozen, tolerance } = options;
  const common = { masked, frozen, tolerance, state };
  const plan = rememberedPlan(shaped, {
    ...common,
    dtype: options.dtype,
    diagonalSpatial: output.joint !== 'full',
  });
  const within =
    output.cov === 'none'
      ? null
      : rememberedPlan(shaped, { ...common, dtype: 'f64', diagonalSpatial: output.cov !== 'full' });
  if ('reason' in plan || (within && 'reason' in within)) return null;
  const stretch = { layers, plan, within, output, spatial: last.shaped.output.slice(0, -1) };
  return state && !demandsMet(stretch, first) ? null : stretch;
}

/** A stretch as one layer. */
function asLayer(stretch: Stretch): CompiledLayer {
  const [first, last] = [stretch.layers[0]!, stretch.layers.at(-1)!];
  return {
    shaped: wholeOf(stretch.layers),
    facts: last.facts,
    input: first.input,
    output: last.output,
    rule: stretchRule(stretch),
    children: [],
    stretch,
  };
}

function wholeOf(layers: readonly CompiledLayer[]): Shaped {
  const [first, last] = [layers[0]!.shaped, layers.at(-1)!.shaped];
  const children = layers.map(({ shaped }) => shaped);
  return sequence({ path: first.path, input: first.input, output: last.output }, children);
}

/** Whether the variances a stretch needs are among those that its first layer asks for. */
function demandsMet({ plan, within }: Stretch, { input, shaped }: CompiledLayer): boolean {
  if (input.cov === 'full') return true;
  const positions = sheetCount({ spatial: shaped.input.slice(0, -1), full: false });
  const most = input.cov === 'none' ? 0 : positions;
  const needed = [plan.state!.self, ...(within ? [within.state!.self, within.state!.pairs] : [])];
  return needed.every(({ pairs }) => pairs.length <= most);
}

/**
 * What a stretch between states must hold at least, a convolution counting 2 and another layer that is not a linear map of single
 * positions 1: its planes are copied in and out, and small planes are slow (measured at 8 x 8 and 10 x 10, `bench/stretches.mjs`).
 */
const LEAST = 5;

function weightOf({ layer, children }: Shaped): number {
  if (children.length > 0) return children.reduce((sum, child) => sum + weightOf(child), 0);
  return leafOf(layer)?.gain ?? 0;
}
