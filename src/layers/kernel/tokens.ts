// Mixing of positions with matrices of every sample's own: K' = G1 K G2^T per pair of samples. Attention, graphs.
import type { Core, Ptr, Ticket } from '../../wasm/engine.js';
import { combine } from './operators.js';
import { Planes, positionPairs, type Block, type Joint, type Side } from './state.js';

/** G of every sample of a side: (out, in, ld). */
export interface TokenMatrices {
  readonly g: Float64Array<ArrayBuffer>;
  readonly tokens: number;
  readonly ld: number;
}

/** Plane orders: zipped (X, X', Y, Y') to (position, position') and back. */
function reorder<D extends 'f32' | 'f64'>(
  core: Core,
  x: Planes<D>,
  spatial: readonly number[],
  inner: number,
  back: boolean,
): Planes<D> {
  if (spatial.length < 2) return x;
  const pairs = positionPairs({ spatial, full: true });
  const tokens = spatial.reduce((size, n) => size * n, 1);
  const rows: [number, number][][] = Array.from({ length: tokens * tokens }, () => []);
  for (let plane = 0; plane < rows.length; plane++) {
    const flat = pairs[2 * plane]! * tokens + pairs[2 * plane + 1]!;
    if (back) rows[plane] = [[flat, 1]];
    else rows[flat] = [[plane, 1]];
  }
  return combine(core, x, 1, rows.length, inner, rows);
}

interface Mixture {
  readonly matrices: TokenMatrices;
  readonly byRow: boolean;
  readonly offset: number;
}

function mix<D extends 'f32' | 'f64'>(
  core: Core,
  x: Planes<D>,
  rows: number,
  ld: number,
  spatial: readonly number[],
  one: Mixture,
  two: Mixture,
): Planes<D> {
  const { dtype } = x.ticket;
  const { tokens } = one.matrices;
  const inner = rows * ld;
  const kernel = core.kernels[
    dtype === 'f32' ? 'planeMix_f32' : 'planeMix_f64'
  ] as typeof core.kernels.planeMix_f64;
  const bytes = dtype === 'f32' ? 4 : 8;
  const step = (
    from: Planes<D>,
    outer: number,
    mid: number,
    { matrices, byRow, offset }: Mixture,
  ): Planes<D> => {
    const to = new Planes(core, dtype, from.ticket.length);
    core.heap.scope((scope) => {
      const g: Ticket = scope.put(dtype === 'f32' ? Float32Array.from(matrices.g) : matrices.g);
      kernel(
        outer,
        tokens,
        tokens,
        mid,
        rows,
        ld,
        byRow ? 1 : 0,
        (g.ptr + offset * bytes) as Ptr<'f64'>,
        matrices.ld,
        from.ptr as Ptr<'f64'>,
        to.ptr as Ptr<'f64'>,
      );
    });
    from.release();
    return to;
  };
  const left = step(reorder(core, x, spatial, inner, false), 1, tokens, one);
  return reorder(core, step(left, tokens, 1, two), spatial, inner, true);
}

/** G1 K G2^T for one array of a joint state on all pairs of positions; releases it. */
export function mixJoint(
  core: Core,
  planes: Planes,
  joint: Joint,
  one: TokenMatrices,
  two: TokenMatrices,
  block: Block,
): Planes {
  return mix(
    core,
    planes,
    joint.rows,
    joint.ld,
    joint.layout.spatial,
    { matrices: one, byRow: true, offset: block.row },
    { matrices: two, byRow: false, offset: block.column },
  );
}

/** G K G^T within every sample of a side whose covariance is full; releases it. */
export function mixSide(core: Core, side: Side, data: Planes<'f64'>, matrices: TokenMatrices): Planes<'f64'> {
  const own = { matrices, byRow: false, offset: 0 };
  return mix(core, data, 1, side.ld, side.spatial, own, own);
}

/** Entry [p, q] of the token-by-token covariances of a full side: (tokens, tokens, ld), row-major positions. */
export function tokenCovariance(core: Core, side: Side): Float64Array<ArrayBuffer> {
  const flat = reorder(core, side.cov!.data.share(), side.spatial, side.ld, false);
  const values = core.heap.read(flat.ticket);
  flat.release();
  return values;
}
