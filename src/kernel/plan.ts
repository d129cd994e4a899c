// Planning: how many samples a tile may have, and what a call will cost before it runs.
import { padded, sheetCount } from '../layers/states/state.js';
import { LAYERS, leafOf } from '../layers/registry.js';
import type { Shaped } from '../layers/shapes.js';
import type { LayerName } from '../layers/vocabulary.js';
import { kindOf, knownFields, knownWord, wholeNumber, type Core, type Fields } from '../wasm/engine.js';
import { parseNet, type NetDocument } from '../net/document.js';
import { compileNet, mostSheets, type CompiledLayer } from './propagation/compiled-net.js';
import { checkTolerance } from './tiles/checks.js';
import { frozenPaths } from './propagation/frozen.js';
import { offsetBytes, offsetPlanOf, offsetSide, type OffsetCall } from './offsets/tile.js';
import { divide, stretchBytes, stretchesOf, type Divided } from './offsets/stretches.js';
import type { OffsetPlan } from './offsets/plan-types.js';
import type { OffsetReport } from './offsets/report.js';
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

/** The plan of nets that go by offsets as a whole, or why there is none; and the stretches of layers that do. */
interface Paths {
  readonly offsets: OffsetPlan | { readonly reason: string };
  readonly divided: Divided;
}

function pathsOf(compiled: CompiledLayer, call: OffsetCall): Paths {
  const offsets = offsetPlanOf(call);
  return {
    offsets,
    divided: 'reason' in offsets ? divide(compiled, call, true) : { front: null, rest: compiled },
  };
}

/** Samples per side of a tile of a call. */
export function callSide(
  compiled: CompiledLayer,
  samples: readonly [number, number],
  call: OffsetCall,
  limits: TileLimits,
): number {
  return tileSide(pathsOf(compiled, call), samples, limits);
}

/** States of a layer and its input, K and T of each, with one more for branches. */
export const LIVE = 6;

/** Bytes a tile of the general propagation holds: states, and what stretches of layers by offsets need beside them. */
export function propagationBytes(
  divided: Divided,
  rows: number,
  columns: number,
  dtype: 'f32' | 'f64',
): number {
  const { front, rest } = divided;
  const input = front ? sheetCount({ spatial: front.spatial, full: front.output.joint === 'full' }) : 0;
  const sheets = Math.max(input, mostSheets(rest));
  const states = rows * padded(columns) * sheets * LIVE * (dtype === 'f32' ? 4 : 8);
  if (!front && rest.shaped.input.length < 2) return states;
  const sides = (padded(rows) + padded(columns)) * sheets * LIVE_WITHIN * 8;
  return states + sides + stretchBytes(stretchesOf(divided), rows, columns) + WORK_BYTES;
}

/** Covariances within samples before and after a layer, and matrices of attention. */
const LIVE_WITHIN = 4;

/** Packed panels of products of matrices (`gemmWorkBytes`), and blocks of rows whose positions are mixed. */
export const WORK_BYTES: number = 12 * 2 ** 20;

/** Samples per side of a tile: fits the memory budget; the same for any number of workers. */
function tileSide(
  { offsets, divided }: Paths,
  [n1, n2]: readonly [number, number],
  limits: TileLimits,
): number {
  if (limits.wish !== null) {
    wholeNumber('kernel', 'tile', limits.wish, 1);
    if (!couplesSamples(divided.rest.shaped)) return limits.wish;
  }
  if (!('reason' in offsets)) return offsetSide(offsets, Math.max(n1, n2), limits.memoryBytes);
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
  let side = Math.min(mostSheets(divided.rest) === 1 ? 1024 : 32, all);
  while (bytes(side) > limits.memoryBytes) side--;
  return side > 4 ? Math.floor(side / 4) * 4 || side : side;
}

/** Whether a layer normalises over samples: its statistics are those of all samples, so that there is one tile. */
export function couplesSamples(node: Shaped): boolean {
  return leafOf(node.layer)?.couplesSamples(node) ?? node.children.some(couplesSamples);
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

/** Their number. */
function tileCount(n1: number, n2: number, side: number, symmetric: boolean): number {
  const [rows, columns] = [Math.ceil(n1 / side), Math.ceil(n2 / side)];
  return symmetric ? (rows * (rows + 1)) / 2 : rows * columns;
}

/** RangeError unless `shape` is one of inputs, (n, ...spatial, channels) with n >= 1. */
function checkShape(shape: readonly number[], name: string): [number, ...number[]] {
  if (!Array.isArray(shape) || shape.length < 2) {
    const got = Array.isArray(shape) ? `[${shape.join(', ')}]` : kindOf(shape);
    throw new RangeError(`planKernel: ${name} must be a list (n, ...spatial, channels), got ${got}.`);
  }
  for (const [axis, size] of shape.entries()) wholeNumber('planKernel', `${name}[${axis}]`, size, 1);
  return shape as unknown as [number, ...number[]];
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
   * Convolutional nets by planes of constant offset: stages, planes, bytes; or why the whole net does not, and the stretches of layers
   * that do.
   */
  readonly offsets: OffsetReport | { readonly reason: string; readonly stretches: readonly OffsetReport[] };
}
export interface LayerPlan {
  readonly path: string;
  readonly layer: LayerName;
  /** Layers with one number go through planes of constant offset together, `offsets.stretches[stretch]` (0 where the whole net does); null: all pairs of positions. */
  readonly stretch: number | null;
  /** What is carried out of it: kernel entries per pair of samples. */
  readonly joint: 'diagonal' | 'full';
  readonly cov: 'none' | 'diagonal' | 'full';
  readonly entriesPerPair: number;
}

const PLAN_OPTIONS: Fields<NonNullable<Parameters<typeof planKernel>[4]>> = {
  dtype: true,
  diagonalSpatial: true,
  tile: true,
  masked: true,
  frozen: true,
  tolerance: true,
};

/**
 * Plans the kernels of `net` on this engine between inputs of shapes (n1, ...sample) and (n2, ...sample); null: x1 with itself.
 * RangeError where net and shapes do not fit, or one pair of samples exceeds the engine's `memoryBytes`.
 */
export function planKernel(
  engine: Pick<Core, 'memoryBytes'>,
  document: NetDocument,
  shape1: readonly number[],
  shape2: readonly number[] | null = null,
  options: {
    dtype?: 'f32' | 'f64';
    diagonalSpatial?: boolean;
    tile?: number;
    masked?: boolean;
    frozen?: readonly string[];
    tolerance?: number;
  } = {},
): KernelPlan {
  knownFields('planKernel', options, PLAN_OPTIONS);
  const [n1, ...sample] = checkShape(shape1, 'shape1');
  const [n2, ...other] = shape2 ? checkShape(shape2, 'shape2') : [n1, ...sample];
  if (other.join() !== sample.join()) {
    throw new RangeError(
      `planKernel: samples of both sides must have one shape, got [${shape1.join(', ')}] and [${shape2!.join(', ')}].`,
    );
  }
  const net = parseNet(document);
  const diagonalSpatial = options.diagonalSpatial ?? false;
  const compiled = compileNet(net, sample, wantedOutput(diagonalSpatial));
  const dtype = knownWord('planKernel', 'dtype', options.dtype ?? 'f64', ['f32', 'f64']);
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
  const { offsets, divided } = paths;
  const limits = { dtype, memoryBytes: engine.memoryBytes, wish: options.tile ?? null };
  const side = tileSide(paths, [n1, n2], limits);
  const layers = listLayers(compiled, routes(divided, !('reason' in offsets)));
  const pairs = shape2 ? n1 * n2 : (n1 * (n1 + 1)) / 2;
  const positions = sheetCount({
    spatial: compiled.facts.shape.slice(0, -1),
    full: compiled.output.joint === 'full',
  });
  return {
    tile: side,
    tiles: tileCount(n1, n2, side, shape2 === null),
    resultBytes: 2 * n1 * n2 * positions * bytes,
    tileBytes:
      'reason' in offsets
        ? propagationBytes(divided, Math.min(n1, side), Math.min(n2, side), dtype)
        : offsetBytes(offsets, Math.min(Math.max(n1, n2), side)),
    flops: pairs * ('reason' in offsets ? flopsOf(compiled, divided, layers) : offsets.report.flops),
    layers,
    sphere: options.masked !== true && sphereServes(net, shape1, shape2),
    offsets:
      'reason' in offsets
        ? { reason: offsets.reason, stretches: stretchesOf(divided).map(({ plan }) => plan.report) }
        : offsets.report,
  };
}

/** The number of the stretch of every layer that goes by offsets; all of them where the whole net does. */
function routes(divided: Divided, all: boolean): (node: CompiledLayer) => number | null {
  const stretches = new Map<string, number>();
  const add = (node: CompiledLayer, stretch: number): void => {
    stretches.set(node.shaped.path, stretch);
    node.children.forEach((child) => add(child, stretch));
  };
  for (const [i, { layers }] of stretchesOf(divided).entries()) layers.forEach((layer) => add(layer, i));
  return ({ shaped }) => (all ? 0 : (stretches.get(shaped.path) ?? null));
}

/** Of one entry through one layer, K and T: measured on dense nets, of the order of an activation. */
const FLOPS_PER_STEP = 35;

/** Per pair of samples: the input products, stretches by what they say, other layers entry by entry, mixed positions by two products. */
function flopsOf({ input, shaped }: CompiledLayer, divided: Divided, layers: readonly LayerPlan[]): number {
  const pairs = sheetCount({ spatial: shaped.input.slice(0, -1), full: input.joint === 'full' });
  let flops = divided.front ? 0 : 2 * pairs * shaped.input.at(-1)!;
  for (const { plan } of stretchesOf(divided)) flops += plan.report.flops;
  for (const { layer, stretch, joint, entriesPerPair } of layers) {
    if (stretch !== null) continue;
    flops += FLOPS_PER_STEP * entriesPerPair;
    const descriptor = LAYERS[layer];
    const mixes = descriptor.kind === 'leaf' && descriptor.mixesPositions;
    if (mixes && joint === 'full') flops += 8 * entriesPerPair ** 1.5;
  }
  return flops;
}

function listLayers(node: CompiledLayer, stretchOf: (node: CompiledLayer) => number | null): LayerPlan[] {
  if (!node.rule) return node.children.flatMap((child) => listLayers(child, stretchOf));
  const { shaped, output } = node;
  const spatial = shaped.output.slice(0, -1);
  return [
    {
      path: shaped.path,
      layer: shaped.layer.layer,
      stretch: stretchOf(node),
      joint: output.joint,
      cov: output.cov,
      entriesPerPair: sheetCount({ spatial, full: output.joint === 'full' }),
    },
  ];
}
