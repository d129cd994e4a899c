// The seam to the general path of kernels: which calls go by offsets, how large their tiles are, and a tile.
import { shapeLayer } from '../../layers/registry.js';
import type { Shape } from '../../layers/shapes.js';
import type { Layer } from '../../layers/vocabulary.js';
import type { Tensor } from '../../math/tensor.js';
import type { Core } from '../../wasm/engine.js';
import { overflow } from '../tiles/checks.js';
import { isMasked } from '../propagation/input.js';
import type { TileParams, TileResult } from '../tiles/tile-params.js';
import type { OffsetPlan } from './plan-types.js';
import { rememberedPlan, withRoom } from './plan-cache.js';
import { executePlan, type Images } from './executor.js';

/** What decides whether and how a call goes by offsets. */
export interface OffsetCall {
  readonly net: Layer;
  readonly sample: Shape;
  readonly dtype: 'f32' | 'f64';
  readonly diagonalSpatial: boolean;
  readonly masked: boolean;
  /** Paths of layers that are not trained. */
  readonly frozen: readonly string[];
  /** Relative error of series. */
  readonly tolerance: number;
}

/** The plan of a call, or why it takes the general path. */
export function offsetPlanOf(call: OffsetCall): OffsetPlan | { readonly reason: string } {
  if (call.sample.length < 2) return { reason: 'no spatial axes' };
  const { net, sample, ...options } = call;
  return rememberedPlan(shapeLayer(net, sample), options);
}

/** Bytes that a tile with `side` images on both sides holds: planes, records of one side, results. */
export function offsetBytes(plan: OffsetPlan, side: number): number {
  const bytes = plan.dtype === 'f32' ? 4 : 8;
  const images = (side + 2 * plan.lanes) * plan.report.bytes.perImage;
  const results = side * plan.output.elements * bytes * (2 * plan.lanes + 2 * side);
  return plan.arenaBytes + plan.blob.byteLength + plan.columns * 256 + images + results;
}

/** Seconds of one pair, for choosing tiles only: measured on a 2 GHz core, per convolution step. */
const STEP_SECONDS = { f32: 2.5e-9, f64: 8e-9 } as const;
const TILE_SECONDS = 1.5;

/** Images per side of a tile: about a second and a half of work, within the memory budget; a multiple of the lanes. */
export function offsetSide(plan: OffsetPlan, most: number, memoryBytes: number): number {
  const seconds = Math.max(1e-7, plan.report.affineSteps * STEP_SECONDS[plan.dtype]);
  let side = Math.min(most, 512, Math.max(4, Math.floor(Math.sqrt(TILE_SECONDS / seconds))));
  while (side > 1 && offsetBytes(plan, side) > memoryBytes) side = Math.floor(side / 2);
  if (offsetBytes(plan, side) > memoryBytes) {
    throw new RangeError(
      `kernel: one pair of samples needs ${offsetBytes(plan, 1)} bytes, more than memoryBytes = ${memoryBytes}. Raise memoryBytes or shrink the input.`,
    );
  }
  return side > 4 ? Math.floor(side / 4) * 4 : side;
}

/** The tile by offsets, or null where the call takes the general path. */
export function offsetTile(core: Core, params: TileParams): TileResult | null {
  const call = offsetCall(params, params.x1.shape.slice(1));
  const { maskConstant } = params;
  const images = (x: Tensor): Images => imagesOf(x, maskConstant);
  const result = withRoom(core, () => {
    const plan = offsetPlanOf(call);
    return 'reason' in plan
      ? null
      : executePlan(core, plan, images(params.x1), params.x2 && images(params.x2));
  });
  if (!result) return null;
  for (const values of [result.nngp, result.ntk])
    if (!values.every((value) => value - value === 0)) throw overflow(params.dtype);
  return { nngp: result.nngp, ntk: params.ntk ? result.ntk : null };
}

export function offsetCall(
  {
    net,
    dtype,
    diagonalSpatial,
    maskConstant,
    frozen,
    tolerance,
  }: Pick<TileParams, 'net' | 'dtype' | 'diagonalSpatial' | 'maskConstant' | 'frozen' | 'tolerance'>,
  sample: Shape,
): OffsetCall {
  return { net, sample, dtype, diagonalSpatial, masked: maskConstant !== null, frozen, tolerance };
}

/** Masked entries become zero; a position is masked where all its channels are. Masks also where nothing is masked: other tiles have some. */
export function imagesOf(x: Tensor, maskConstant: number | null): Images {
  const count = x.shape[0]!;
  if (maskConstant === null) return { data: x.data, count };
  const channels = x.shape.at(-1)!;
  const positions = x.data.length / count / channels;
  const data = x.data.slice();
  const masks = Array.from({ length: count }, () => new Uint8Array(positions).fill(1));
  for (let i = 0; i < data.length; i++) {
    if (isMasked(data[i]!, maskConstant)) data[i] = 0;
    else masks[Math.floor(i / channels / positions)]![Math.floor(i / channels) % positions] = 0;
  }
  return { data, count, masks };
}
