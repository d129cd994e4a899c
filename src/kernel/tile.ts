// One tile of a kernel matrix: the unit of parallelism. Samples x samples, both sides propagated here.
import { usesFunctions } from '../layers/activation/functions.js';
import type { Tensor } from '../math/tensor.js';
import {
  padded,
  planeCount,
  Planes,
  positionPairs,
  releaseAll,
  type Block,
  type Joint,
  type Pattern,
  type Side,
} from '../layers/kernel/state.js';
import type { Layer } from '../layers/vocabulary.js';
import { defineJob, NumericalError, type Core, type Job, type Ptr } from '../wasm/engine.js';
import { compileNet, type Compiled } from './compile.js';
import { planesTile } from './planes/tile.js';
import { inputJoint, inputSide, makeBatch, type Batch, type Operands } from './input.js';
import { releaseNotes, runJoint, runSide, type Notes, type Tap } from './propagate.js';

/** Everything a tile depends on, as plain data. */
export interface TileParams {
  readonly net: Layer;
  readonly x1: Tensor;
  /** null: the same samples as x1. */
  readonly x2: Tensor | null;
  readonly ntk: boolean;
  readonly dtype: 'f32' | 'f64';
  readonly diagonalSpatial: boolean;
  readonly maskConstant: number | null;
  readonly pattern1: Pattern | null;
  readonly pattern2: Pattern | null;
  readonly frozen: readonly string[];
  readonly tolerance: number;
}

/** Kernel entries (n1, n2, ...positions, zipped) of the whole tile, exact on the diagonal where x2 is null. */
export interface TileResult {
  readonly nngp: Float64Array<ArrayBuffer> | Float32Array<ArrayBuffer>;
  readonly ntk: Float64Array<ArrayBuffer> | Float32Array<ArrayBuffer> | null;
}

/** @internal */
export const tileJob: Job<TileParams, TileResult> = defineJob(
  'kernel/tile',
  (core, params) => computeTile(core, params),
  ({ net }) => usesFunctions(net),
);

/** What is wanted at the end of a net: everything unless the caller wants equal positions only. */
export function wantedOutput(diagonalSpatial: boolean): Compiled['output'] {
  return { cov: 'none', joint: diagonalSpatial ? 'diagonal' : 'full' };
}

/** Rows of a block so that K and T of it stay in a level-2 cache. */
const BLOCK_ENTRIES = 32768;

export function computeTile(core: Core, params: TileParams, tap?: Tap): TileResult {
  const byPlanes = tap ? null : planesTile(core, params);
  if (byPlanes) return byPlanes;
  try {
    const first = makeBatch(params.x1, params.maskConstant);
    const second = params.x2 ? makeBatch(params.x2, params.maskConstant) : first;
    const node = compileNet(params.net, params.x1.shape.slice(1), wantedOutput(params.diagonalSpatial));
    const batches = [first, second] as const;
    const [operands, dispose] = putOperands(core, params, batches);
    let result: TileResult;
    const sides: Notes[] = [];
    try {
      sides.push(sideNotes(core, node, first, operands.one, params.pattern1, params));
      sides.push(
        params.x2 ? sideNotes(core, node, second, operands.two, params.pattern2, params) : sides[0]!,
      );
      const run = first.positions === 1 && !tap ? flatTile : spatialTile;
      result = run(core, params, node, batches, operands, sides as [Notes, Notes], tap);
    } finally {
      dispose();
    }
    const [one, two] = sides as [Notes, Notes];
    releaseNotes(one);
    if (two !== one) releaseNotes(two);
    return result;
  } catch (error) {
    releaseAll(core);
    throw error;
  }
}

function sideNotes(
  core: Core,
  node: Compiled,
  batch: Batch,
  operand: Operands['one'],
  pattern: Pattern | null,
  { dtype, tolerance }: TileParams,
): Notes {
  const { side, notes } = runSide(core, node, inputSide(core, batch, operand, node.input), {
    pattern,
    dtype,
    tolerance,
  });
  (side as Side).cov?.data.release();
  return notes;
}

const blockOf = (params: TileParams, row: number): Block => ({
  row,
  column: 0,
  same: params.x2 === null,
  frozen: new Set(params.frozen),
});

function putOperands(
  core: Core,
  params: TileParams,
  [first, second]: readonly [Batch, Batch],
): [Operands, () => void] {
  const region = core.heap.region();
  const put = ({ data }: Batch): Operands['one'] =>
    region.put(
      params.dtype === 'f32'
        ? data instanceof Float32Array
          ? data
          : Float32Array.from(data)
        : data instanceof Float64Array
          ? data
          : Float64Array.from(data),
    );
  const one = put(first);
  return [{ one, two: first === second ? one : put(second) }, () => region.dispose()];
}

/** Nets with positions: all rows at once, planes of samples x samples. */
function spatialTile(
  core: Core,
  params: TileParams,
  node: Compiled,
  batches: readonly [Batch, Batch],
  operands: Operands,
  [one, two]: readonly [Notes, Notes],
  tap?: Tap,
): TileResult {
  const layout = { spatial: batches[0].spatial, full: node.input.joint === 'full' };
  let joint: Joint = inputJoint(core, batches, operands, [0, batches[0].n], layout, params.ntk);
  joint = runJoint(core, node, joint, one, two, blockOf(params, 0), tap);
  const columns = batches[1].n;
  const result = {
    nngp: unpack(core, joint, joint.k, columns),
    ntk: joint.t && unpack(core, joint, joint.t, columns),
  };
  joint.k.release();
  joint.t?.release();
  return result;
}

/** (planes, rows, ld) to (rows, columns, ...zipped positions). */
export function unpack(core: Core, joint: Joint, planes: Planes, columns: number): TileResult['nngp'] {
  assertFinitePlanes(core, planes);
  const values = core.heap.read(planes.ticket);
  const count = planeCount(joint.layout);
  const out = new (values.constructor as typeof Float64Array)(joint.rows * columns * count);
  for (let plane = 0; plane < count; plane++) {
    for (let i = 0; i < joint.rows; i++) {
      const from = (plane * joint.rows + i) * joint.ld;
      for (let j = 0; j < columns; j++) out[(i * columns + j) * count + plane] = values[from + j]!;
    }
  }
  return out;
}

function assertFinitePlanes(core: Core, planes: Planes): void {
  const { dtype, length } = planes.ticket;
  const check = core.kernels[
    dtype === 'f32' ? 'planeFinite_f32' : 'planeFinite_f64'
  ] as typeof core.kernels.planeFinite_f64;
  if (check(length, planes.ptr as Ptr<'f64'>)) return;
  throw new NumericalError(
    `kernel: entries overflow ${dtype === 'f32' ? 'float32' : 'float64'}. Use smaller inputs or wStd${dtype === 'f32' ? ", or dtype 'f64'" : ''}.`,
  );
}

/** Nets without positions: the Gram matrix first, then all layers on blocks of rows that stay in cache. */
function flatTile(
  core: Core,
  params: TileParams,
  node: Compiled,
  batches: readonly [Batch, Batch],
  operands: Operands,
  [one, two]: readonly [Notes, Notes],
): TileResult {
  const [first, second] = batches;
  const { dtype } = params;
  const bytes = dtype === 'f32' ? 4 : 8;
  const ld = padded(second.n);
  const gram = new Planes(core, dtype, first.n * ld, true);
  multiply(core, operands, batches, gram, ld);
  const transpose = core.kernels[
    dtype === 'f32' ? 'transposeInto_f32' : 'transposeInto_f64'
  ] as typeof core.kernels.transposeInto_f64;
  const mirror = core.kernels[
    dtype === 'f32' ? 'mirror_f32' : 'mirror_f64'
  ] as typeof core.kernels.mirror_f64;
  const same = params.x2 === null;
  const length = first.n * second.n;
  const region = core.heap.region();
  try {
    const nngp = region.alloc(dtype, length);
    const ntk = params.ntk ? region.alloc(dtype, length) : null;
    const step = Math.max(4, Math.floor(BLOCK_ENTRIES / ld / 4) * 4);
    for (let row = 0; row < first.n; row += step) {
      const rows = Math.min(step, first.n - row);
      const columns = same ? row + rows : second.n; // below the diagonal only
      const width = padded(columns);
      const k = new Planes(core, dtype, rows * width);
      core.kernels.copyRows(
        rows,
        width * bytes,
        gram.ptr + row * ld * bytes,
        ld * bytes,
        k.ptr,
        width * bytes,
      );
      const t = ntk ? new Planes(core, dtype, rows * width, true) : null;
      const layout = { spatial: [], full: false };
      const joint = runJoint(core, node, { rows, ld: width, layout, k, t }, one, two, blockOf(params, row));
      for (const [planes, target] of [
        [joint.k, nngp],
        [joint.t, ntk],
      ] as const) {
        if (!planes || !target) continue;
        assertFinitePlanes(core, planes);
        const to = target.ptr + row * second.n * bytes;
        core.kernels.copyRows(rows, columns * bytes, planes.ptr, width * bytes, to, second.n * bytes);
        if (same) {
          const above = (target.ptr + row * bytes) as Ptr<'f64'>;
          transpose(rows, row, planes.ptr as Ptr<'f64'>, width, above, second.n);
          mirror(rows, (to + row * bytes) as Ptr<'f64'>, second.n, 0);
        }
        planes.release();
      }
    }
    gram.release();
    return { nngp: core.heap.read(nngp), ntk: ntk && core.heap.read(ntk) };
  } finally {
    region.dispose();
  }
}

/** K = x1 x2^T / channels, only the lower triangle for a batch with itself. */
function multiply(
  core: Core,
  { one, two }: Operands,
  [first, second]: readonly [Batch, Batch],
  k: Planes,
  ld: number,
): void {
  const { channels, n } = first;
  const suffix = k.ticket.dtype === 'f32' ? 'f32' : 'f64';
  core.heap.scope((scope) => {
    const work = scope.alloc('u8', core.kernels.gemmWorkBytes()).ptr;
    const [a, b, c] = [one.ptr, two.ptr, k.ptr] as [Ptr<'f64'>, Ptr<'f64'>, Ptr<'f64'>];
    if (one === two) {
      const gram = core.kernels[`gram_${suffix}`] as typeof core.kernels.gram_f64;
      gram(0, 0, n, channels, 1 / channels, a, channels, 0, c, ld, work);
    } else {
      const gemm = core.kernels[`gemm_${suffix}`] as typeof core.kernels.gemm_f64;
      gemm(0, 1, n, second.n, channels, 1 / channels, a, channels, b, channels, 0, c, ld, work);
    }
  });
}

/** For every plane (p, q) the plane (q, p). */
export function transposedPlanes(spatial: readonly number[], full: boolean): Int32Array | null {
  if (!full || spatial.length === 0) return null;
  const pairs = positionPairs({ spatial, full });
  const positions = spatial.reduce((size, extent) => size * extent, 1);
  const planeOf = new Int32Array(positions * positions);
  for (let i = 0; i < pairs.length; i += 2) planeOf[pairs[i]! * positions + pairs[i + 1]!] = i / 2;
  const swap = new Int32Array(pairs.length / 2);
  for (let i = 0; i < pairs.length; i += 2) swap[i / 2] = planeOf[pairs[i + 1]! * positions + pairs[i]!]!;
  return swap;
}
