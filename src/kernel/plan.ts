// Planning: how many samples a tile may have, and what a call will cost before it runs.
import { planeCount } from '../layers/kernel/state.js';
import { parseNet, type NetDocument } from '../net/document.js';
import { compileNet, type Compiled } from './compile.js';
import { defaultTolerance } from './checks.js';
import { frozenPaths } from './frozen.js';
import { splitFront } from './front.js';
import { planesBytes, planesOf, planesSide, type PlanesCall } from './planes/tile.js';
import type { PlanesPlan } from './planes/plan.js';
import type { PlanesReport } from './planes/report.js';
import { sphereServes } from './sphere.js';
import { wantedOutput } from './tile.js';

export interface TilePlace {
  readonly rows: readonly [number, number];
  readonly columns: readonly [number, number];
}

export interface TileLimits {
  readonly dtype: 'f32' | 'f64';
  readonly memoryBytes: number;
  /** Samples per side the caller asks for. */
  readonly wish: number | null;
  /** The plan of convolutional nets, or why there is none. */
  readonly planes: PlanesPlan | { readonly reason: string };
}

/** States of a layer and its input, K and T of each, with one more for branches. */
export const LIVE = 6;

/** The most planes any state of a net has. */
export function mostPlanes(node: Compiled): number {
  const input = planeCount({ spatial: node.shaped.input.slice(0, -1), full: node.input.joint === 'full' });
  const output = planeCount({ spatial: node.shaped.output.slice(0, -1), full: node.output.joint === 'full' });
  return Math.max(input, output, ...node.children.map(mostPlanes));
}

/** Samples per side of a tile: fits the memory budget; the same for any number of workers. */
export function tileSide(node: Compiled, [n1, n2]: readonly [number, number], limits: TileLimits): number {
  if (limits.wish !== null) {
    if (!Number.isInteger(limits.wish) || limits.wish < 1) {
      throw new RangeError(`kernel: tile must be a whole number >= 1, got ${limits.wish}.`);
    }
    return limits.wish;
  }
  if (!('reason' in limits.planes)) return planesSide(limits.planes, Math.max(n1, n2), limits.memoryBytes);
  const perPair = mostPlanes(node) * LIVE * (limits.dtype === 'f32' ? 4 : 8);
  const planes = mostPlanes(node);
  const fits = Math.floor(Math.sqrt(limits.memoryBytes / perPair));
  if (fits < 1) {
    throw new RangeError(
      `kernel: one pair of samples needs ${perPair} bytes (all pairs of positions), more than memoryBytes = ${limits.memoryBytes}. Raise memoryBytes or shrink the input.`,
    );
  }
  const most = planes === 1 ? 1024 : 32;
  const side = Math.min(fits, most, Math.max(n1, n2));
  return side > 4 ? Math.floor(side / 4) * 4 || side : side;
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
  /** Convolutional nets by planes of constant offset: stages, planes, bytes; or why the net takes the general path. */
  readonly planes: PlanesReport | { readonly reason: string };
}
export interface LayerPlan {
  readonly path: string;
  readonly layer: string;
  /** What is carried out of it: kernel entries per pair of samples. */
  readonly joint: 'diagonal' | 'full';
  readonly cov: 'none' | 'diagonal' | 'full';
  readonly entriesPerPair: number;
}

/** Plans the kernels of `net` between inputs of shapes (n1, ...sample) and (n2, ...sample); null: x1 with itself. */
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
    tolerance: options.tolerance ?? defaultTolerance(dtype),
  };
  const planes = planesOf(call);
  const limits = { dtype, memoryBytes: options.memoryBytes ?? 2 ** 30, wish: options.tile ?? null, planes };
  const side = tileSide(compiled, [n1, n2], limits);
  const layers = listLayers(compiled);
  const pairs = shape2 ? n1 * n2 : (n1 * (n1 + 1)) / 2;
  const positions = planeCount({
    spatial: compiled.facts.shape.slice(0, -1),
    full: compiled.output.joint === 'full',
  });
  const input = planeCount({ spatial: sample.slice(0, -1), full: compiled.input.joint === 'full' });
  const steps = layers.reduce((sum, layer) => sum + layer.entriesPerPair, 0);
  return {
    tile: side,
    tiles: tileGrid(n1, n2, side, shape2 === null).length,
    resultBytes: 2 * n1 * n2 * positions * bytes,
    tileBytes:
      'reason' in planes
        ? Math.min(n1, side) * Math.min(n2, side) * mostPlanes(compiled) * LIVE * bytes
        : planesBytes(planes, Math.min(Math.max(n1, n2), side)),
    flops:
      pairs *
      ('reason' in planes ? 2 * input * sample.at(-1)! + FLOPS_PER_STEP * steps : planes.report.flops),
    layers,
    sphere: options.masked !== true && sphereServes(net, shape1, shape2),
    planes: 'reason' in planes ? { reason: planes.reason + frontNote(call) } : planes.report,
  };
}

/** Whether what is in front of the layer that needs all pairs of positions runs by planes. */
function frontNote(call: PlanesCall): string {
  const parts = call.masked ? null : splitFront(call.net);
  const front = parts && planesOf({ ...call, net: parts[0], diagonalSpatial: false });
  return front && !('reason' in front) ? '; the layers in front of it run by planes' : '';
}

/** Of one entry through one layer, K and T: measured on dense nets, of the order of an activation. */
const FLOPS_PER_STEP = 35;

function listLayers(node: Compiled): LayerPlan[] {
  if (!node.rule) return node.children.flatMap(listLayers);
  const { shaped, output } = node;
  const spatial = shaped.output.slice(0, -1);
  return [
    {
      path: shaped.path,
      layer: shaped.layer.layer,
      joint: output.joint,
      cov: output.cov,
      entriesPerPair: planeCount({ spatial, full: output.joint === 'full' }),
    },
  ];
}
