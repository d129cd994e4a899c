// One tile of a kernel matrix: the unit of parallelism. Samples x samples, both sides propagated here.
import { usesFunctions } from '../../layers/registry.js';
import { sheetCount, Sheets, positionPairs, type Joint, type Side } from '../../layers/states/state.js';
import { defineJob, type Core, type Job } from '../../wasm/engine.js';
import { compileNet, mostSheets, type CompiledLayer, type Stretch } from '../propagation/compiled-net.js';
import { assertFinite, blockOf, flatTile, sphereTile } from '../propagation/flat-tile.js';
import { afterImages } from '../propagation/front.js';
import { inputJoint, inputSide, makeBatch, type Batch, type Operands } from '../propagation/input.js';
import { Overflow } from './checks.js';
import { interleave } from './interleave.js';
import { offsetCall, offsetTile } from '../offsets/tile.js';
import {
  overflowTap,
  releaseNotes,
  propagateJoint,
  propagateSide,
  type Notes,
  type Tap,
} from '../propagation/propagate.js';
import { withRoom } from '../offsets/plan-cache.js';
import { divide } from '../offsets/stretches.js';
import type { Pattern } from '../../layers/states/state.js';
import type { TileParams, TileResult } from './tile-params.js';

/** @internal */
export const tileJob: Job<TileParams, TileResult> = defineJob(
  'kernel/tile',
  (core, params) => computeTile(core, params),
  ({ net }) => usesFunctions(net),
);

/** What is wanted at the end of a net: everything unless the caller wants equal positions only. */
export function wantedOutput(diagonalSpatial: boolean): CompiledLayer['output'] {
  return { cov: 'none', joint: diagonalSpatial ? 'diagonal' : 'full' };
}

export function computeTile(core: Core, params: TileParams, tap?: Tap): TileResult {
  try {
    const byOffsets = tap ? null : offsetTile(core, params);
    return byOffsets ?? withRoom(core, () => propagatedTile(core, params, tap));
  } catch (error) {
    if (!(error instanceof Overflow) || error.isNamed || tap) throw error;
    throw firstOverflow(core, params) ?? error;
  }
}

/** The overflow of a tile that went through many layers at once, with the layer named: layer by layer, one pair after the other. */
function firstOverflow(core: Core, params: TileParams): Overflow | null {
  const columns = (params.x2 ?? params.x1).shape[0]!;
  try {
    withRoom(core, () => propagatedTile(core, params, overflowTap(core, columns, params.dtype)));
  } catch (error) {
    if (error instanceof Overflow) return error;
  }
  return null;
}

function propagatedTile(core: Core, params: TileParams, tap?: Tap): TileResult {
  const whole = compileNet(params.net, params.x1.shape.slice(1), wantedOutput(params.diagonalSpatial));
  const call = offsetCall(params, params.x1.shape.slice(1));
  const { front, rest: node } = tap ? { front: null, rest: whole } : divide(whole, call, true);
  if (front) return afterFront(core, params, front, node);
  const first = makeBatch(params.x1, params.maskConstant);
  const second = params.x2 ? makeBatch(params.x2, params.maskConstant) : first;
  const batches = [first, second] as const;
  const [operands, dispose] = putOperands(core, params, batches);
  let result: TileResult;
  const sides: Notes[] = [];
  try {
    if (params.sphere && !tap) return sphereTile(core, params, params.sphere, batches, operands);
    sides.push(
      sideNotes(core, node, first, { operand: operands.one, pattern: params.pattern1, options: params }),
    );
    sides.push(
      params.x2
        ? sideNotes(core, node, second, { operand: operands.two, pattern: params.pattern2, options: params })
        : sides[0]!,
    );
    const propagate = mostSheets(node) === 1 && !tap ? flatTile : spatialTile;
    result = propagate(core, params, node, { batches, operands, notes: sides as [Notes, Notes], tap });
  } finally {
    dispose();
  }
  const [one, two] = sides as [Notes, Notes];
  releaseNotes(one);
  if (two !== one) releaseNotes(two);
  return result;
}

function sideNotes(
  core: Core,
  node: CompiledLayer,
  batch: Batch,
  {
    operand,
    pattern,
    options: { dtype, tolerance, square },
  }: { readonly operand: Operands['one']; readonly pattern: Pattern | null; readonly options: TileParams },
): Notes {
  const input = inputSide(core, batch, operand, node.input);
  if (square !== undefined && input.cov)
    core.heap.write(input.cov.data.ticket, new Float64Array(batch.n).fill(square));
  const { side, notes } = propagateSide(core, node, input, {
    pattern,
    dtype,
    tolerance,
  });
  (side as Side).cov?.data.release();
  return notes;
}

export function putOperands(
  core: Core,
  params: Pick<TileParams, 'dtype'>,
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

/** Nets with positions: all rows at once, sheets of samples x samples. */
function spatialTile(
  core: Core,
  params: TileParams,
  node: CompiledLayer,
  {
    batches,
    operands,
    notes: [one, two],
    tap,
  }: {
    readonly batches: readonly [Batch, Batch];
    readonly operands: Operands;
    readonly notes: readonly [Notes, Notes];
    readonly tap?: Tap | undefined;
  },
): TileResult {
  const layout = { spatial: batches[0].spatial, full: node.input.joint === 'full' };
  const joint = inputJoint(core, batches, {
    options: operands,
    range: [0, batches[0].n],
    layout,
    ntk: params.ntk,
  });
  return propagated(core, params, node, { start: joint, columns: batches[1].n, notes: [one, two], tap });
}

/** Nets whose first layers go by offsets. */
function afterFront(core: Core, params: TileParams, stretch: Stretch, rest: CompiledLayer): TileResult {
  const { dtype, tolerance } = params;
  const { joint, sides } = afterImages(core, params, stretch);
  const notes = sides.map((side, i) => {
    const pattern = i === 0 ? params.pattern1 : params.pattern2;
    const end = propagateSide(core, rest, side, { pattern, dtype, tolerance });
    end.side.cov?.data.release();
    return end.notes;
  });
  const columns = (params.x2 ?? params.x1).shape[0]!;
  const result = propagated(core, params, rest, { start: joint, columns, notes: [notes[0]!, notes.at(-1)!] });
  notes.forEach(releaseNotes);
  return result;
}

function propagated(
  core: Core,
  params: TileParams,
  node: CompiledLayer,
  {
    start,
    columns,
    notes: [one, two],
    tap,
  }: {
    readonly start: Joint;
    readonly columns: number;
    readonly notes: readonly [Notes, Notes];
    readonly tap?: Tap | undefined;
  },
): TileResult {
  const joint = propagateJoint(core, node, start, { one, two, block: blockOf(params, 0), tap });
  const result = {
    nngp: unpack(core, joint, joint.k, columns),
    ntk: joint.t && unpack(core, joint, joint.t, columns),
  };
  joint.k.release();
  joint.t?.release();
  if (!params.x2)
    for (const values of [result.nngp, result.ntk]) if (values) mirror(values, columns, joint.layout);
  return result;
}

/**
 * Entries above the diagonal from those below, as between two tiles: rounding is not symmetric in the two sides, and bits
 * must not depend on tiles.
 */
function mirror(values: TileResult['nngp'], n: number, { spatial, full }: Joint['layout']): void {
  const swap = transposedSheets(spatial, full);
  const size = values.length / (n * n);
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) {
      const [to, from] = [(i * n + j) * size, (j * n + i) * size];
      for (let e = 0; e < size; e++) values[to + e] = values[from + (swap ? swap[e]! : e)]!;
    }
  }
}

/** (sheets, rows, ld) to (rows, columns, ...zipped positions). */
export function unpack(core: Core, joint: Joint, sheets: Sheets, columns: number): TileResult['nngp'] {
  assertFinite(core, sheets);
  return interleave(core.heap.read(sheets.ticket), sheetCount(joint.layout), joint, columns);
}

/** For every sheet (p, q) the sheet (q, p). */
export function transposedSheets(spatial: readonly number[], full: boolean): Int32Array | null {
  if (!full || spatial.length === 0) return null;
  const pairs = positionPairs({ spatial, full });
  const positions = spatial.reduce((size, extent) => size * extent, 1);
  const sheetOf = new Int32Array(positions * positions);
  for (let i = 0; i < pairs.length; i += 2) sheetOf[pairs[i]! * positions + pairs[i + 1]!] = i / 2;
  const swap = new Int32Array(pairs.length / 2);
  for (let i = 0; i < pairs.length; i += 2) swap[i / 2] = sheetOf[pairs[i + 1]! * positions + pairs[i]!]!;
  return swap;
}
