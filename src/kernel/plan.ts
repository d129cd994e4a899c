// Planning: how many samples a tile may have, and what a call will cost before it runs.
import { padded, planeCount } from '../layers/states/state.js';
import { normaliseAxis, type Shaped } from '../layers/shapes.js';
import { parseNet, type NetDocument } from '../net/document.js';
import { compileNet, mostPlanes, type Compiled } from './propagation/compiled-net.js';
import { checkTolerance } from './tiles/checks.js';
import { frozenPaths } from './propagation/frozen.js';
import { planesBytes, planesOf, planesSide, type PlanesCall } from './offsets/tile.js';
import { divide, runBytes, runsOf, type Divided } from './offsets/stretches.js';
import type { PlanesPlan } from './offsets/plan-types.js';
import type { PlanesReport } from './offsets/report.js';
import { sphereServes } from './propagation/sphere.js';
import { wantedOutput } from './tiles/tile.js';

export interface TilePlace {
  readonly rows: readonly [number, number];
  readonly columns: readonly [number, number];
}

export interface TileLimits {
  readonly dtype: 'f32' | 'f64';
  readonly memoryBytes: number;
  /** Samples per side the caller asks for. */
  readonly wish: number | null;
}

/** The plan of nets that run by planes as a whole, or why there is none; and the runs of layers that do. */
interface Paths {
  readonly planes: PlanesPlan | { readonly reason: string };
  readonly divided: Divided;
}

function pathsOf(compiled: Compiled, call: PlanesCall): Paths {
  const planes = planesOf(call);
  return {
    planes,
    divided: 'reason' in planes ? divide(compiled, call, true) : { front: null, rest: compiled },
  };
}

/** Samples per side of a tile of a call. */
export function callSide(
  compiled: Compiled,
  samples: readonly [number, number],
  call: PlanesCall,
  limits: TileLimits,
): number {
  return tileSide(pathsOf(compiled, call), samples, limits);
}

/** States of a layer and its input, K and T of each, with one more for branches. */
export const LIVE = 6;

/** Bytes a tile of the general propagation holds: states, and what runs of layers by planes need beside them. */
export function propagationBytes(
  divided: Divided,
  rows: number,
  columns: number,
  dtype: 'f32' | 'f64',
): number {
  const { front, rest } = divided;
  const input = front ? planeCount({ spatial: front.spatial, full: front.output.joint === 'full' }) : 0;
  const planes = Math.max(input, mostPlanes(rest));
  const states = rows * padded(columns) * planes * LIVE * (dtype === 'f32' ? 4 : 8);
  if (!front && rest.shaped.input.length < 2) return states;
  const sides = (padded(rows) + padded(columns)) * planes * LIVE_WITHIN * 8;
  return states + sides + runBytes(runsOf(divided), rows, columns) + WORK_BYTES;
}

/** Covariances within samples before and after a layer, and matrices of attention. */
const LIVE_WITHIN = 4;

/** Packed panels of products of matrices (`gemmWorkBytes`), and blocks of rows whose positions are mixed. */
export const WORK_BYTES: number = 12 * 2 ** 20;

/** Samples per side of a tile: fits the memory budget; the same for any number of workers. */
function tileSide(
  { planes, divided }: Paths,
  [n1, n2]: readonly [number, number],
  limits: TileLimits,
): number {
  if (limits.wish !== null) {
    if (!Number.isInteger(limits.wish) || limits.wish < 1) {
      throw new RangeError(`kernel: tile must be a whole number >= 1, got ${limits.wish}.`);
    }
    if (!couplesSamples(divided.rest.shaped)) return limits.wish;
  }
  if (!('reason' in planes)) return planesSide(planes, Math.max(n1, n2), limits.memoryBytes);
  const bytes = (side: number): number => propagationBytes(divided, side, side, limits.dtype);
  if (bytes(1) > limits.memoryBytes) {
    throw new RangeError(
      `kernel: one pair of samples needs ${bytes(1)} bytes (all pairs of positions), more than memoryBytes = ${limits.memoryBytes}. Raise memoryBytes or shrink the input.`,
    );
  }
  const all = Math.max(n1, n2);
  if (couplesSamples(divided.rest.shaped)) {
    const whole = propagationBytes(divided, n1, n2, limits.dtype);
    if (whole <= limits.memoryBytes) return all;
    throw new RangeError(
      `kernel: layerNorm over samples needs all of them in one tile, ${whole} bytes, more than memoryBytes = ${limits.memoryBytes}. Raise memoryBytes or leave the samples (0) out of "axis".`,
    );
  }
  let side = Math.min(mostPlanes(divided.rest) === 1 ? 1024 : 32, all);
  while (bytes(side) > limits.memoryBytes) side--;
  return side > 4 ? Math.floor(side / 4) * 4 || side : side;
}

/** Whether a layer normalises over samples: its statistics are those of all samples, so that there is one tile. */
export function couplesSamples({ layer, input, children }: Shaped): boolean {
  if (layer.layer === 'layerNorm')
    return layer.axis.some((axis) => normaliseAxis(axis, input.length + 1) === 0);
  return children.some(couplesSamples);
}

/** Tiles of (n1, n2); of a symmetric matrix those on and below the diagonal. */
export function tileGrid(n1: number, n2: number, side: number, symmetric: boolean): TilePlace[] {
  const places: TilePlace[] = [];
  for (let row = 0; row < n1; row += side) {
    for (let column = 0; column < n2; column += side) {
      if (symmetric && column > row) break;
      places.push({ rows: [row, Math.min(n1, row + side)], columns: [column, Math.min(n2, column + side)] });
    }
  }
  return places;
}

/** What a kernel call will do, before it does it. */
export interface KernelPlan {
  /** Samples per side of a tile, and their number. */
  readonly tile: number;
  readonly tiles: number;
  /** Bytes of the result, and the most one tile holds. */
  readonly resultBytes: number;
  readonly tileBytes: number;
  /** Floating-point operations, roughly. */
  readonly flops: number;
  readonly layers: readonly LayerPlan[];
  /** Inputs that all have one norm go through one table of the whole net in place of its layers. */
  readonly sphere: boolean;
  /**
   * Convolutional nets by planes of constant offset: stages, planes, bytes; or why the whole net does not, and the runs of layers
   * that do.
   */
  readonly planes: PlanesReport | { readonly reason: string; readonly runs: readonly PlanesReport[] };
}
export interface LayerPlan {
  readonly path: string;
  readonly layer: string;
  /** Layers with one number go through planes of constant offset together, `planes.runs[run]` (0 where the whole net does); null: all pairs of positions. */
  readonly run: number | null;
  /** What is carried out of it: kernel entries per pair of samples. */
  readonly joint: 'diagonal' | 'full';
  readonly cov: 'none' | 'diagonal' | 'full';
  readonly entriesPerPair: number;
}

/**
 * Plans the kernels of `net` between inputs of shapes (n1, ...sample) and (n2, ...sample); null: x1 with itself.
 * RangeError where net and shapes do not fit.
 */
export function planKernel(
  document: NetDocument,
  shape1: readonly number[],
  shape2: readonly number[] | null = null,
  options: {
    dtype?: 'f32' | 'f64';
    diagonalSpatial?: boolean;
    memoryBytes?: number;
    tile?: number;
    masked?: boolean;
    frozen?: readonly string[];
    tolerance?: number;
  } = {},
): KernelPlan {
  const [n1, ...sample] = shape1 as [number, ...number[]];
  const n2 = (shape2 ?? shape1)[0]!;
  const net = parseNet(document);
  const diagonalSpatial = options.diagonalSpatial ?? false;
  const compiled = compileNet(net, sample, wantedOutput(diagonalSpatial));
  const dtype = options.dtype ?? 'f64';
  const bytes = dtype === 'f32' ? 4 : 8;
  const call = {
    net,
    sample,
    dtype,
    diagonalSpatial,
    masked: options.masked ?? false,
    frozen: frozenPaths(compiled.shaped, options.frozen),
    tolerance: checkTolerance(options.tolerance, dtype),
  };
  const paths = pathsOf(compiled, call);
  const { planes, divided } = paths;
  const limits = { dtype, memoryBytes: options.memoryBytes ?? 2 ** 30, wish: options.tile ?? null };
  const side = tileSide(paths, [n1, n2], limits);
  const layers = listLayers(compiled, routes(divided, !('reason' in planes)));
  const pairs = shape2 ? n1 * n2 : (n1 * (n1 + 1)) / 2;
  const positions = planeCount({
    spatial: compiled.facts.shape.slice(0, -1),
    full: compiled.output.joint === 'full',
  });
  return {
    tile: side,
    tiles: tileGrid(n1, n2, side, shape2 === null).length,
    resultBytes: 2 * n1 * n2 * positions * bytes,
    tileBytes:
      'reason' in planes
        ? propagationBytes(divided, Math.min(n1, side), Math.min(n2, side), dtype)
        : planesBytes(planes, Math.min(Math.max(n1, n2), side)),
    flops: pairs * ('reason' in planes ? flopsOf(compiled, divided, layers) : planes.report.flops),
    layers,
    sphere: options.masked !== true && sphereServes(net, shape1, shape2),
    planes:
      'reason' in planes
        ? { reason: planes.reason, runs: runsOf(divided).map(({ plan }) => plan.report) }
        : planes.report,
  };
}

/** The number of the run of every layer that runs by planes; all of them where the whole net does. */
function routes(divided: Divided, all: boolean): (node: Compiled) => number | null {
  const runs = new Map<string, number>();
  const add = (node: Compiled, run: number): void => {
    runs.set(node.shaped.path, run);
    node.children.forEach((child) => add(child, run));
  };
  for (const [i, { layers }] of runsOf(divided).entries()) layers.forEach((layer) => add(layer, i));
  return ({ shaped }) => (all ? 0 : (runs.get(shaped.path) ?? null));
}

/** Of one entry through one layer, K and T: measured on dense nets, of the order of an activation. */
const FLOPS_PER_STEP = 35;

/** Per pair of samples: the input products, runs by what they say, other layers entry by entry, mixed positions by two products. */
function flopsOf({ input, shaped }: Compiled, divided: Divided, layers: readonly LayerPlan[]): number {
  const pairs = planeCount({ spatial: shaped.input.slice(0, -1), full: input.joint === 'full' });
  let flops = divided.front ? 0 : 2 * pairs * shaped.input.at(-1)!;
  for (const { plan } of runsOf(divided)) flops += plan.report.flops;
  for (const { layer, run, joint, entriesPerPair } of layers) {
    if (run !== null) continue;
    flops += FLOPS_PER_STEP * entriesPerPair;
    const mixed = (layer === 'attention' || layer === 'aggregate') && joint === 'full';
    if (mixed) flops += 8 * entriesPerPair ** 1.5;
  }
  return flops;
}

function listLayers(node: Compiled, runOf: (node: Compiled) => number | null): LayerPlan[] {
  if (!node.rule) return node.children.flatMap((child) => listLayers(child, runOf));
  const { shaped, output } = node;
  const spatial = shaped.output.slice(0, -1);
  return [
    {
      path: shaped.path,
      layer: shaped.layer.layer,
      run: runOf(node),
      joint: output.joint,
      cov: output.cov,
      entriesPerPair: planeCount({ spatial, full: output.joint === 'full' }),
    },
  ];
}
