// Runs of consecutive layers that planes of constant offset can do, each as one step of the general propagation: between the
// layers that need all pairs of positions at once (attention, aggregate), in front of the first, and inside branches.
import { padded, planeCount } from '../../layers/states/state.js';
import type { Shaped } from '../../layers/shapes.js';
import { isActivation } from '../../layers/vocabulary.js';
import { isSequence, type Compiled, type Run } from '../propagation/compiled-net.js';
import { planeable, rememberedPlan } from './plan-cache.js';
import { groupBytes, groupRows } from './joint.js';
import type { PlanesPlan } from './plan-types.js';
import { runRule } from './stretch-rule.js';

export interface RunOptions {
  readonly dtype: 'f32' | 'f64';
  readonly masked: boolean;
  readonly frozen: readonly string[];
  /** Relative error of series. */
  readonly tolerance: number;
}

/** A net with its runs: the first where it begins at the images, and the rest, in which a run is a layer with `run`. */
export interface Divided {
  readonly front: Run | null;
  readonly rest: Compiled;
}

/** Finds the runs of a net. `images`: its first layers get images and not the planes of other layers. */
export function divide(node: Compiled, options: RunOptions, images: boolean): Divided {
  if (node.shaped.input.length < 2) return { front: null, rest: node };
  if (!isSequence(node.shaped.layer)) return { front: null, rest: inBranch(node, options) };
  const layers = inOrder(node, options);
  const length = images ? prefix(layers, options) : 0;
  const front = length > 0 ? runOf(layers.slice(0, length), options, false) : null;
  const children = steps(front ? layers.slice(length) : layers, options);
  const input = children[0]?.input ?? node.output;
  const shaped = { ...node.shaped, input: children[0]?.shaped.input ?? node.shaped.output };
  return { front, rest: { ...node, shaped, input, children } };
}

/** Bytes that runs hold beside the states before and after them: records of both sides, and what one of them works with. */
export function runBytes(runs: readonly Run[], rows: number, columns: number): number {
  const ld = padded(columns);
  const records = runs.map(
    ({ plan: { report, lanes } }) => (padded(rows) + 2 * ld + 4 * lanes) * report.bytes.perImage,
  );
  const working = runs.map(({ plan, within }) =>
    Math.max(planBytes(plan, rows, ld), within ? planBytes(within, 1, padded(Math.max(rows, columns))) : 0),
  );
  return records.reduce((sum, bytes) => sum + bytes, 0) + Math.max(0, ...working);
}

function planBytes(plan: PlanesPlan, rows: number, ld: number): number {
  const { arenaBytes, blob, columns, constants, lanes } = plan;
  const fixed = arenaBytes + blob.byteLength + columns * 256 + constants.length * 16;
  return fixed + ((groupRows(plan, rows, ld) * ld) / lanes + 2) * (groupBytes(plan) + 128);
}

/** All runs of a divided net, in order. */
export function runsOf({ front, rest }: Divided): Run[] {
  const found = (node: Compiled): Run[] => (node.run ? [node.run] : node.children.flatMap(found));
  return [...(front ? [front] : []), ...found(rest)];
}

/** The layers of sequences one after the other; a sequence that runs as a whole stays one. */
function inOrder(node: Compiled, options: RunOptions): Compiled[] {
  return isSequence(node.shaped.layer) && !planeable(node.shaped, options)
    ? node.children.flatMap((child) => inOrder(child, options))
    : [node];
}

function prefix(layers: readonly Compiled[], options: RunOptions): number {
  const end = layers.findIndex(({ shaped }) => !planeable(shaped, options));
  return end < 0 ? layers.length : end;
}

/** Layers, and runs of them where they are worth it. */
function steps(layers: readonly Compiled[], options: RunOptions): Compiled[] {
  const result: Compiled[] = [];
  for (let i = 0; i < layers.length;) {
    const length = prefix(layers.slice(i), options);
    const run = length > 0 ? runOf(layers.slice(i, i + length), options, true) : null;
    const all = layers.slice(i, i + Math.max(1, length));
    if (run) result.push(asLayer(run));
    else for (const layer of all) result.push(length > 0 ? layer : inBranch(layer, options));
    i += all.length;
  }
  return result;
}

/** A layer that does not run as a whole: its branches may. */
function inBranch(node: Compiled, options: RunOptions): Compiled {
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

/** The run of layers, or null where there is nothing to gain or it needs more than the layers before it are asked for. */
function runOf(layers: readonly Compiled[], options: RunOptions, state: boolean): Run | null {
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
  const run = { layers, plan, within, output, spatial: last.shaped.output.slice(0, -1) };
  return state && !demandsMet(run, first) ? null : run;
}

/** A run as one layer. */
function asLayer(run: Run): Compiled {
  const [first, last] = [run.layers[0]!, run.layers.at(-1)!];
  return {
    shaped: wholeOf(run.layers),
    facts: last.facts,
    input: first.input,
    output: last.output,
    rule: runRule(run),
    children: [],
    run,
  };
}

function wholeOf(layers: readonly Compiled[]): Shaped {
  const [first, last] = [layers[0]!.shaped, layers.at(-1)!.shaped];
  const children = layers.map(({ shaped }) => shaped);
  return sequence({ path: first.path, input: first.input, output: last.output }, children);
}

/** Whether the variances a run needs are among those that its first layer asks for. */
function demandsMet({ plan, within }: Run, { input, shaped }: Compiled): boolean {
  if (input.cov === 'full') return true;
  const positions = planeCount({ spatial: shaped.input.slice(0, -1), full: false });
  const most = input.cov === 'none' ? 0 : positions;
  const needed = [plan.state!.self, ...(within ? [within.state!.self, within.state!.pairs] : [])];
  return needed.every(({ pairs }) => pairs.length <= most);
}

/**
 * What a run between states must hold at least, a convolution counting 2 and another layer that is not a linear map of single
 * positions 1: its planes are copied in and out, and small planes are slow (measured at 8 x 8 and 10 x 10, `bench/stretches.mjs`).
 */
const LEAST = 5;

function weightOf({ layer, children }: Shaped): number {
  if (children.length > 0) return children.reduce((sum, child) => sum + weightOf(child), 0);
  if ('filter' in layer) return 2;
  return isActivation(layer) || layer.layer === 'layerNorm' ? 1 : 0;
}
