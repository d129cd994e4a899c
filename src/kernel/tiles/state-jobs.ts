// The two halves of a net as jobs: the state after a trunk, and the kernels of what follows it.
import { usesFunctions } from '../../layers/registry.js';
import {
  padded,
  sheetCount,
  Sheets,
  releaseAll,
  type Facts,
  type Joint,
  type Pattern,
  type Side,
} from '../../layers/states/state.js';
import type { NetDocument } from '../../net/document.js';
import type { Layer } from '../../layers/vocabulary.js';
import { allocate, sizeOf, type Tensor } from '../../math/tensor.js';
import { defineJob, type Core, type Job, type JobContext } from '../../wasm/engine.js';
import { compileLayer, inputFacts, mostSheets, type CompiledLayer } from '../propagation/compiled-net.js';
import { inputJoint, inputSide, makeBatch, type Batch } from '../propagation/input.js';
import { LIVE } from '../plan.js';
import { releaseNotes, propagateJoint, propagateSide, type Notes } from '../propagation/propagate.js';
import { interleave, separate } from './interleave.js';
import { imagesOf } from '../offsets/tile.js';
import type { Images } from '../offsets/executor.js';
import { jointByOffsets, sideByOffsets } from '../offsets/stretch-rule.js';
import { withRoom } from '../offsets/plan-cache.js';
import { divide } from '../offsets/stretches.js';
import { putOperands, unpack, wantedOutput } from './tile.js';

/**
 * What a net leaves of two batches in the infinite-width limit. Plain data: `structuredClone`, `postMessage` and IndexedDB
 * carry it. Positions are zipped (X, X', Y, Y'), or equal ones only where made with `diagonalSpatial`.
 */
export interface KernelState {
  /** The net so far, and the shape of one of its inputs. */
  readonly net: NetDocument;
  readonly inputShape: readonly number[];
  readonly diagonalSpatial: boolean;
  /** (n1, n2, ...positions). */
  readonly nngp: Tensor;
  /** null: not asked for. */
  readonly ntk: Tensor | null;
  /** Covariances of each sample with itself, (n1, ...positions) in float64; of the second batch null: the same samples. */
  readonly covariance1: Tensor;
  readonly covariance2: Tensor | null;
  /** 1 where a position is visible, (n1, ...spatial); null: nothing is masked. */
  readonly visible1: Tensor | null;
  readonly visible2: Tensor | null;
}

/** What both halves are told. */
export interface StateCall {
  readonly net: Layer;
  readonly ntk: boolean;
  readonly diagonalSpatial: boolean;
  readonly patterns: readonly [Pattern | null, Pattern | null];
  readonly frozen: readonly string[];
  readonly tolerance: number;
  readonly memoryBytes: number;
}
export interface TrunkCall extends StateCall {
  readonly x1: Tensor;
  readonly x2: Tensor | null;
  readonly dtype: 'f32' | 'f64';
  readonly maskConstant: number | null;
}
export interface HeadCall extends StateCall {
  readonly state: KernelState;
  readonly facts: Facts;
}
interface Kernels {
  readonly nngp: Tensor;
  readonly ntk: Tensor | null;
}
type States = Pick<KernelState, 'covariance1' | 'covariance2' | 'visible1' | 'visible2'> & Kernels;

/** Rows between two reports of progress: as many as a block of states of so many bytes has. */
const BLOCK_BYTES = 1 << 24;

/** @internal */
export const trunkJob: Job<TrunkCall, States> = defineJob(
  'kernel/trunk',
  async (core, call, context) => {
    const { net, x1, x2, dtype, maskConstant, diagonalSpatial } = call;
    const kind = diagonalSpatial ? 'diagonal' : 'full';
    const node = compileLayer(net, inputFacts(x1.shape.slice(1)), { cov: kind, joint: kind });
    const first = makeBatch(x1, maskConstant);
    const batches: [Batch, Batch] = [first, x2 ? makeBatch(x2, maskConstant) : first];
    const [operands, dispose] = putOperands(core, { dtype }, batches);
    const layout = { spatial: first.spatial, full: node.input.joint === 'full' };
    try {
      const start: Start = {
        n: [batches[0].n, batches[1].n],
        same: x2 === null,
        masked: maskConstant !== null,
        dtype,
        side: (i) => inputSide(core, batches[i], i === 0 ? operands.one : operands.two, node.input),
        joint: (rows) => inputJoint(core, batches, { options: operands, range: rows, layout, ntk: call.ntk }),
        images: (i) => imagesOf(i === 0 ? x1 : x2!, maskConstant),
      };
      const { nngp, ntk, sides } = await propagate(core, node, call, start, context);
      const [one, two] = sides.map((side) => readSide(core, side)) as [PlainSide, PlainSide | undefined];
      return {
        nngp,
        ntk,
        covariance1: one.covariance,
        covariance2: two?.covariance ?? null,
        visible1: one.visible,
        visible2: two?.visible ?? null,
      };
    } finally {
      dispose();
    }
  },
  ({ net }) => usesFunctions(net),
);

/** @internal */
export const headJob: Job<HeadCall, Kernels> = defineJob(
  'kernel/head',
  async (core, call, context) => {
    const { state, facts } = call;
    const node = compileLayer(call.net, facts, wantedOutput(call.diagonalSpatial));
    const { nngp, ntk, covariance1, covariance2, visible1, visible2 } = state;
    const [n1, n2] = nngp.shape as [number, number];
    const layout = { spatial: facts.shape.slice(0, -1), full: !state.diagonalSpatial };
    const start: Start = {
      n: [n1, n2],
      same: covariance2 === null,
      masked: visible1 !== null || visible2 !== null,
      dtype: nngp.data instanceof Float32Array ? 'f32' : 'f64',
      side: (i) =>
        putSide(
          core,
          layout,
          i === 0
            ? { covariance: covariance1, visible: visible1 }
            : { covariance: covariance2!, visible: visible2 },
        ),
      joint: ([row, rows]) => {
        const size = n2 * sheetCount(layout);
        const put = ({ data }: Tensor): Sheets =>
          putSheets(core, data.subarray(row * size, (row + rows) * size) as Tensor['data'], layout, rows, n2);
        return { rows, ld: padded(n2), layout, k: put(nngp), t: call.ntk ? put(ntk!) : null };
      },
    };
    const { sides, ...result } = await propagate(core, node, call, start, context);
    sides.forEach(({ cov }) => cov?.data.release());
    return result;
  },
  ({ net, state }) => usesFunctions(net) || usesFunctions(state.net as Layer),
);

/** Where a propagation starts: sides by number, blocks of [first, count) rows. */
interface Start {
  readonly n: readonly [number, number];
  readonly same: boolean;
  readonly masked: boolean;
  readonly dtype: 'f32' | 'f64';
  side(i: 0 | 1): Side;
  joint(rows: readonly [number, number]): Joint;
  /** Where the first layers may go by offsets. */
  images?(i: 0 | 1): Images;
}

/** Runs both sides, then blocks of rows; `sides` (one where they are the same) are the caller's. */
async function propagate(
  core: Core,
  whole: CompiledLayer,
  options: StateCall,
  { n, same, masked, dtype, side, joint: start, images }: Start,
  context: JobContext,
): Promise<{ nngp: Tensor; ntk: Tensor | null; sides: Side[] }> {
  const { tolerance } = options;
  const shape = [...n, ...positionsOf(whole.facts.shape.slice(0, -1), whole.output.joint === 'full')];
  const make = (): Tensor => ({
    data: allocate(dtype, sizeOf(shape), 'kernel: the result', 'Use fewer samples, f32 or diagonalSpatial.'),
    shape,
  });
  const nngp = make();
  let ntk: Tensor | null = null;
  try {
    const { front, node, ends } = withRoom(core, () => {
      const { front: stretch, rest } = divide(
        whole,
        { dtype, masked, frozen: options.frozen, tolerance },
        images !== undefined,
      );
      const numbers = same ? ([0] as const) : ([0, 1] as const);
      const found = numbers.map((i) => {
        const first = stretch && sideByOffsets(core, stretch, images!(i));
        const at = first?.side ?? side(i);
        const end = propagateSide(core, rest, at, { pattern: options.patterns[i], dtype, tolerance });
        return { ...end, records: first?.note };
      });
      return { front: stretch, node: rest, ends: found };
    });
    const perRow = mostSheets(node) * LIVE * padded(n[1]) * (dtype === 'f32' ? 4 : 8);
    const most = Math.max(1, Math.floor(Math.min(options.memoryBytes, BLOCK_BYTES) / perRow));
    const [one, two] = [ends[0]!.notes, ends.at(-1)!.notes] as [Notes, Notes];
    const frozen = new Set(options.frozen);
    for (let row = 0; row < n[0]; row += most) {
      const rows = Math.min(most, n[0] - row);
      const block = { row, column: 0, same, frozen };
      const size = { rows, ld: padded(n[1]), ntk: options.ntk };
      const records = [ends[0]!.records!, ends.at(-1)!.records!] as const;
      const first = front
        ? jointByOffsets(core, front, null, { sides: records, block, size })
        : start([row, rows]);
      const joint = propagateJoint(core, node, first, { one, two, block });
      const at = row * sizeOf(shape.slice(1));
      nngp.data.set(unpack(core, joint, joint.k, n[1]), at);
      if (joint.t) (ntk ??= make()).data.set(unpack(core, joint, joint.t, n[1]), at);
      joint.k.release();
      joint.t?.release();
      context.send(row + rows);
      await context.breathe();
    }
    for (const { notes, records } of ends) {
      releaseNotes(notes);
      records?.release?.();
    }
    return { nngp, ntk, sides: ends.map((end) => end.side) };
  } catch (error) {
    releaseAll(core);
    throw error;
  }
}

export const positionsOf = (spatial: readonly number[], full: boolean): readonly number[] =>
  full ? spatial.flatMap((n) => [n, n]) : spatial;

interface PlainSide {
  readonly covariance: Tensor;
  readonly visible: Tensor | null;
}

/** Copies a side out of wasm memory and releases it. */
function readSide(core: Core, { n, ld, spatial, cov, keep }: Side): PlainSide {
  const { full, data } = cov!;
  const row = { rows: 1, ld };
  const covariance = {
    data: interleave(core.heap.read(data.ticket), sheetCount({ spatial, full }), row, n),
    shape: [n, ...positionsOf(spatial, full)],
  };
  data.release();
  const visible = keep && { data: interleave(keep, sizeOf(spatial), row, n), shape: [n, ...spatial] };
  return { covariance, visible };
}

function putSide(core: Core, layout: Joint['layout'], { covariance, visible }: PlainSide): Side {
  const { spatial, full } = layout;
  const n = covariance.shape[0]!;
  const data = putSheets(core, covariance.data, layout, 1, n) as Sheets<'f64'>;
  const keep = visible && (separate(visible.data, sizeOf(spatial), 1, n) as Float64Array<ArrayBuffer>);
  return { n, ld: padded(n), spatial, keep, cov: { full, data } };
}

function putSheets(
  core: Core,
  data: Tensor['data'],
  layout: Joint['layout'],
  rows: number,
  columns: number,
): Sheets {
  const values = separate(data, sheetCount(layout), rows, columns);
  const sheets = new Sheets(core, values instanceof Float32Array ? 'f32' : 'f64', values.length);
  core.heap.write(sheets.ticket, values);
  return sheets;
}
