// One tile of the derivatives of a kernel matrix: contracted with weights, or the matrices themselves.
import {
  releaseAll,
  padded,
  sheetCount,
  Sheets,
  positionPairs,
  type Block,
} from '../../layers/states/state.js';
import {
  sheetsFrom,
  readSheets,
  type JointDerivatives,
  type SideDerivatives,
  type Derivative,
} from '../../layers/states/derivatives.js';
import type { Layer } from '../../layers/vocabulary.js';
import type { Tensor } from '../../math/tensor.js';
import { defineJob, NumericalError, type Core, type Job, type Ticket } from '../../wasm/engine.js';
import { compileNet, type CompiledLayer } from '../propagation/compiled-net.js';
import { ownDirections } from './directions.js';
import { inputJoint, inputSide, makeBatch, type Batch } from '../propagation/input.js';
import { releaseNotes } from '../propagation/propagate.js';
import { pushJoint, pushSide, type Owners, type DerivativeNotes } from './propagate.js';

/** One direction: a number of the net by name, or a change of x1. */
export type Direction =
  | { readonly name: string }
  /** Entry (position, channel) of every sample of x1. */
  | { readonly position: number; readonly channel: number }
  /** Inputs without positions: the covariances with x2, or the variances of x1, by one unit. */
  | { readonly input: 'covariance' | 'variance' };

export interface DerivativeParams {
  readonly net: Layer;
  readonly x1: Tensor;
  /** null: the same samples as x1. */
  readonly x2: Tensor | null;
  readonly ntk: boolean;
  readonly directions: readonly Direction[];
  /** (n1, n2): the derivatives of sum weights * kernel (NTK if wanted); null: of every entry. */
  readonly weights: Float64Array | null;
  readonly tolerance: number;
}

/** With weights one number per direction; without, (directions, n1, n2) each of NNGP and NTK. */
export interface DerivativeResult {
  readonly sums: Float64Array;
  readonly nngp: Float64Array | null;
  readonly ntk: Float64Array | null;
}

/** @internal */
export const derivativeJob: Job<DerivativeParams, DerivativeResult> = defineJob(
  'kernel/derivative',
  (core, params) => {
    try {
      return computeDerivatives(core, params);
    } catch (error) {
      releaseAll(core);
      throw error;
    }
  },
);

function computeDerivatives(core: Core, params: DerivativeParams): DerivativeResult {
  const first = makeBatch(params.x1, null);
  const second = params.x2 ? makeBatch(params.x2, null) : first;
  const node = compileNet(params.net, params.x1.shape.slice(1), { cov: 'none', joint: 'full' });
  const owners = ownDirections(
    node.shaped,
    params.directions.map((direction) => ('name' in direction ? direction.name : '')),
  );
  const region = core.heap.region();
  try {
    const one = region.put(Float64Array.from(first.data));
    const two = params.x2 ? region.put(Float64Array.from(second.data)) : one;
    const side = (batch: Batch, operand: Ticket, moved: boolean): DerivativeNotes => {
      const { state, notes } = pushSide(
        core,
        node,
        sideSeeds(core, node, batch, { operand, params, moved }),
        { pattern: null, dtype: 'f64', tolerance: params.tolerance },
        owners,
      );
      for (const data of [state.side.cov?.data, ...state.derivatives]) data?.release();
      return notes;
    };
    const notes = side(first, one, true);
    const other = params.x2 ? side(second, two, false) : notes;
    const layout = { spatial: first.spatial, full: node.input.joint === 'full' };
    const joint = inputJoint(core, [first, second], {
      options: { one, two },
      range: [0, first.n],
      layout,
      ntk: params.ntk,
    });
    const seeds = { joint, derivatives: jointSeeds(core, joint, second, params) };
    const result = runBlock(core, node, seeds, { one: notes, two: other, params, owners });
    const read = collect(core, result, second.n, params);
    releaseNotes(notes);
    if (other !== notes) releaseNotes(other);
    return read;
  } finally {
    region.dispose();
  }
}

function runBlock(
  core: Core,
  node: CompiledLayer,
  seeds: JointDerivatives,
  {
    one,
    two,
    params: { x2 },
    owners,
  }: {
    readonly one: DerivativeNotes;
    readonly two: DerivativeNotes;
    readonly params: DerivativeParams;
    readonly owners: Owners;
  },
): JointDerivatives {
  const block: Block = { row: 0, column: 0, same: x2 === null, frozen: new Set() };
  return pushJoint(core, node, seeds, { one, two, block, owners });
}

/** Derivatives of the input covariances K = x1 x2' / channels; numbers of the net do not change them. */
function jointSeeds(
  core: Core,
  joint: JointDerivatives['joint'],
  second: Batch,
  params: DerivativeParams,
): Derivative[] {
  const { rows, ld, layout } = joint;
  const pairs = positionPairs(layout);
  return params.directions.map((direction) => {
    if ('name' in direction || ('input' in direction && direction.input === 'variance'))
      return { k: null, t: null };
    const values = new Float64Array(sheetCount(layout) * rows * ld);
    for (let sheet = 0; sheet < pairs.length / 2; sheet++) {
      const [p, q] = [pairs[2 * sheet]!, pairs[2 * sheet + 1]!];
      if ('position' in direction && p !== direction.position) continue;
      for (let i = 0; i < rows; i++) {
        for (let j = 0; j < second.n; j++) {
          const at = (sheet * rows + i) * ld + j;
          values[at] = 'position' in direction ? entry(second, q, j, direction.channel) / second.channels : 1;
        }
      }
    }
    return { k: sheetsFrom(core, values), t: null };
  });
}

const entry = ({ data, n, channels }: Batch, position: number, sample: number, channel: number): number =>
  data[(position * n + sample) * channels + channel]!;

/** Derivatives of the covariances within x1; x2 and numbers of the net do not change them. */
function sideSeeds(
  core: Core,
  node: CompiledLayer,
  batch: Batch,
  {
    operand,
    params,
    moved,
  }: { readonly operand: Ticket; readonly params: DerivativeParams; readonly moved: boolean },
): SideDerivatives {
  const side = inputSide(core, batch, operand, node.input);
  const ld = padded(batch.n);
  const { cov } = side;
  const derivatives = params.directions.map((direction): Sheets<'f64'> | null => {
    if ('name' in direction || !moved || !cov) return null;
    if ('input' in direction)
      return direction.input === 'variance' ? sheetsFrom(core, new Float64Array(ld).fill(1)) : null;
    const { position, channel } = direction;
    const pairs = positionPairs({ spatial: side.spatial, full: cov.full });
    const values = new Float64Array((pairs.length / 2) * ld);
    for (let sheet = 0; sheet < pairs.length / 2; sheet++) {
      const [p, q] = [pairs[2 * sheet]!, pairs[2 * sheet + 1]!];
      for (let i = 0; i < batch.n; i++) {
        const sum =
          (p === position ? entry(batch, q, i, channel) : 0) +
          (q === position ? entry(batch, p, i, channel) : 0);
        values[sheet * ld + i] = sum / batch.channels;
      }
    }
    return sheetsFrom(core, values);
  });
  return { side, derivatives };
}

/** Reads the result of a net without output positions. */
function collect(
  core: Core,
  { joint, derivatives }: JointDerivatives,
  n2: number,
  params: DerivativeParams,
): DerivativeResult {
  const { rows, ld } = joint;
  const count = derivatives.length;
  const { weights, ntk } = params;
  const sums = new Float64Array(weights ? count : 0);
  const make = (wanted: boolean): Float64Array | null =>
    !weights && wanted ? new Float64Array(count * rows * n2) : null;
  const out = { nngp: make(true), ntk: make(ntk) };
  for (const [d, derivative] of derivatives.entries()) {
    for (const [field, name] of [
      ['k', 'nngp'],
      ['t', 'ntk'],
    ] as const) {
      const sheets = derivative[field];
      if (!sheets) continue;
      const values = readSheets(core, sheets);
      sheets.release();
      const target = out[name];
      const counted = weights && (name === 'ntk') === ntk;
      for (let i = 0; i < rows; i++) {
        for (let j = 0; j < n2; j++) {
          const value = values[i * ld + j]!;
          if (target) target[(d * rows + i) * n2 + j] = value;
          else if (counted) sums[d]! += weights[i * n2 + j]! * value;
        }
      }
    }
  }
  joint.k.release();
  joint.t?.release();
  for (const list of [sums, out.nngp, out.ntk])
    if (list?.some((value) => value - value !== 0))
      throw new NumericalError('kernel: a derivative overflows. Use smaller inputs or wStd.');
  return { sums, ...out };
}
