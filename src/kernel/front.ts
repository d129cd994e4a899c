// Nets with a layer that needs all pairs of positions (attention, aggregate): what is in front of the first one runs by planes of
// constant offset, and its planes, all of them, are where propagation of the rest starts.
import { planeCount, padded, Planes, type Joint, type Side } from '../layers/kernel/state.js';
import type { Layer } from '../layers/vocabulary.js';
import type { Core } from '../wasm/engine.js';
import { compileLayer, compileNet, type Compiled } from './compile.js';
import { separate } from './interleave.js';
import { planesCall, planesOf, planesSelf, planesTile } from './planes/tile.js';
import type { TileParams } from './tile-params.js';

/** Where the rest of a net starts. */
export interface Front {
  readonly rest: Compiled;
  readonly joint: Joint;
  /** One where both sides are the same samples. */
  readonly sides: readonly Side[];
  readonly columns: number;
}

/**
 * The layers before the first that needs all pairs of positions, and the net without them; null where there is nothing to
 * gain.
 */
export function splitFront(net: Layer): readonly [Layer, Layer] | null {
  const layers = inOrder(net);
  const at = layers.findIndex(needsPairs);
  if (at < 0 || !layers.slice(0, at).some(({ layer }) => layer !== 'identity')) return null;
  const part = (wanted: (i: number) => boolean): Layer => partOf(net, { wanted, next: 0 });
  return [part((i) => i < at), part((i) => i >= at)];
}

/** The state of a tile after the part of its net that runs by planes; null where none does. */
export function frontOf(core: Core, params: TileParams): Front | null {
  const parts = params.maskConstant === null ? splitFront(params.net) : null;
  if (!parts) return null;
  const [net, rest] = parts;
  const sample = params.x1.shape.slice(1);
  const first = { ...params, net, diagonalSpatial: false };
  // Covariances within samples are in f64 on either path.
  const within = { ...planesCall(first, sample), dtype: 'f64' } as const;
  const tile = 'reason' in planesOf(within) ? null : planesTile(core, first);
  if (!tile) return null;
  const wanted = { cov: 'none', joint: params.diagonalSpatial ? 'diagonal' : 'full' } as const;
  const { facts } = compileNet(net, sample, { cov: 'full', joint: 'full' });
  const layout = { spatial: facts.shape.slice(0, -1), full: true };
  const columns = (params.x2 ?? params.x1).shape[0]!;
  const put = (values: Float64Array | Float32Array, rows: number, width: number): Planes => {
    const separated = separate(values, planeCount(layout), rows, width);
    const planes = new Planes(core, separated instanceof Float32Array ? 'f32' : 'f64', separated.length);
    core.heap.write(planes.ticket, separated);
    return planes;
  };
  const rows = params.x1.shape[0]!;
  const k = put(tile.nngp, rows, columns);
  const joint = { rows, ld: padded(columns), layout, k, t: tile.ntk && put(tile.ntk, rows, columns) };
  const sides = (params.x2 ? [params.x1, params.x2] : [params.x1]).map((x): Side => {
    const n = x.shape[0]!;
    const data = put(planesSelf(core, within, x), 1, n) as Planes<'f64'>;
    return { n, ld: padded(n), spatial: layout.spatial, keep: null, cov: { full: true, data } };
  });
  return { rest: compileLayer(rest, facts, wanted), joint, sides, columns };
}

/** The layers of nested sequences one after the other. */
function inOrder(layer: Layer): Layer[] {
  return layer.layer === 'serial' ? layer.layers.flatMap(inOrder) : [layer];
}

/** The net with the layers not wanted replaced by identities: the paths of the others (errors and `frozen` name them) stay. */
function partOf(layer: Layer, count: { wanted: (i: number) => boolean; next: number }): Layer {
  if (layer.layer === 'serial')
    return { ...layer, layers: layer.layers.map((child) => partOf(child, count)) };
  return count.wanted(count.next++) ? layer : { layer: 'identity' };
}

function needsPairs(layer: Layer): boolean {
  if ('branches' in layer) return layer.branches.some(needsPairs);
  if (layer.layer === 'repeat') return needsPairs(layer.net);
  if (layer.layer === 'serial') return layer.layers.some(needsPairs);
  return layer.layer === 'attention' || layer.layer === 'aggregate';
}
