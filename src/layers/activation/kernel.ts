// Activations: K <- kappa(K), T <- kappa'(K) T entry by entry; the dense layer that follows is fused in.
import type { Core, Ptr } from '../../wasm/engine.js';
import { layerError, type Note, type Rule, type SideContext } from '../states/rule.js';
import {
  larger,
  Sheets,
  sheetCount,
  positionPairs,
  type Block,
  type Joint,
  type Side,
} from '../states/state.js';
import type { ActivationLayer } from '../vocabulary.js';
import { variances } from '../states/operators.js';
import { dualOf, type Dual } from './dual/dual.js';
import { userActivation } from './functions.js';
import { layerLabel } from '../fields.js';
import {
  dualAt,
  functionNote,
  mapFunctionJoint,
  mapFunctionSide,
  type FunctionNote,
} from './function-kernel.js';
import { dualTables, IDENTITY, parameterBlock, type Affine, type DualTables } from './dual/tables.js';

export interface ActivationNote extends Note, DualTables {
  readonly ld: number;
}

/** Notes of closed forms and series, or of functions in code. */
export type AnyNote = ActivationNote | FunctionNote;

export const activationRule: Rule<ActivationLayer, AnyNote> = {
  facts(node, input) {
    if (!input.gaussian) {
      throw layerError(
        node,
        'needs Gaussian inputs: a dense, conv or attention layer must come between it and the layer before it',
      );
    }
    checkActivation(node.layer, node.path);
    return { ...input, shape: node.output, gaussian: false, offDiagonalZero: false };
  },
  demand: (_node, wanted) => ({ cov: larger('diagonal', wanted.cov), joint: wanted.joint }),
  side(core, node, side, context) {
    return activateSide(core, dualOf(node.layer), side, context);
  },
  joint: (core, _node, joint, { one, two, block }) =>
    activateJoint(core, joint, { one, two, block, affine: IDENTITY }),
};

export function activateSide(
  core: Core,
  dual: Dual,
  side: Side,
  { dtype, tolerance, wanted }: SideContext,
): { side: Side; note: AnyNote } {
  const note = activationNote(core, dual, variances(core, side), side, { dtype, tolerance });
  const { cov } = side;
  if (!cov || wanted.cov === 'none') {
    cov?.data.release();
    return { side: { ...side, cov: null }, note };
  }
  if (cov.full && wanted.cov === 'full') {
    const data = mapCovariance(core, dual, { ...side, cov }, tolerance, note);
    return { side: { ...side, cov: { full: true, data } }, note };
  }
  cov.data.release();
  const data = new Sheets(core, 'f64', note.kappa.length);
  core.heap.write(data.ticket, note.kappa);
  return { side: { ...side, cov: { full: false, data } }, note };
}

/** What the joint rows need of variables with variances `k`, (positions, ld) of `side`. */
export function activationNote(
  core: Core,
  dual: Dual,
  k: Float64Array<ArrayBuffer>,
  side: Pick<Side, 'n' | 'ld'>,
  { dtype, tolerance }: Pick<SideContext, 'dtype' | 'tolerance'>,
): AnyNote {
  if (dual.form === 'function') return functionNote(dual, k, side);
  const tables = dualTables(core, dual, k, dtype, tolerance);
  return { ...tables, ld: side.ld, release: () => tables.tables.release() };
}

/** RangeError where an activation is a function that this program has not defined. */
export function checkActivation(layer: ActivationLayer, path: string): void {
  if (layer.layer === 'elementwise') userActivation(layer.name, `kernel: ${layerLabel(path, 'elementwise')}`);
}

/** Within one batch: every entry has the variances of its own column on both sides; equal positions are exact. */
function mapCovariance(
  core: Core,
  dual: Dual,
  side: Side & { cov: object },
  tolerance: number,
  exact: AnyNote,
): Sheets<'f64'> {
  const data = side.cov.data.own(core);
  if ('fn' in exact || dual.form === 'function') {
    mapFunctionSide(core, data, side.spatial, exact as FunctionNote);
    return data;
  }
  const own = dualTables(
    core,
    dual,
    variances(core, { ...side, cov: { full: true, data } }),
    'f64',
    tolerance,
  );
  const pairs = positionPairs({ spatial: side.spatial, full: true });
  mapWithin(core, data, pairs, [own, own], side.ld);
  for (let sheet = 0; sheet < pairs.length / 2; sheet++) {
    const p = pairs[2 * sheet]!;
    if (p === pairs[2 * sheet + 1]) {
      core.heap.write(data.ticket, exact.kappa.subarray(p * side.ld, (p + 1) * side.ld), sheet * side.ld);
    }
  }
  own.tables.release();
  return data;
}

/** Of a series the shorter length of the two: what is left of the longer is multiplied by nothing. */
export function jointParameters(one: DualTables, two: DualTables): readonly number[] {
  return one.kind >= 11 ? [Math.min(one.params[0]!, two.params[0]!), ...one.params.slice(1)] : one.params;
}

/** kappa of covariances within samples, every entry with the variances of its own column; tables are in f64. */
function mapWithin(
  core: Core,
  data: Sheets<'f64'>,
  pairs: Int32Array<ArrayBuffer>,
  [one, two]: readonly [DualTables, DualTables],
  ld: number,
): void {
  const params = jointParameters(one, two);
  const count = Math.min(one.count, two.count);
  core.heap.scope((scope) => {
    core.kernels.dualMap_f64(
      one.kind,
      scope.put(parameterBlock({ params })).ptr,
      pairs.length / 2,
      1,
      ld,
      scope.put(pairs).ptr,
      one.tables.ptr as Ptr<'f64'>,
      one.stride,
      ld,
      two.tables.ptr as Ptr<'f64'>,
      two.stride,
      ld,
      count,
      1,
      data.ptr,
      scope.zeros('f64', ld).ptr,
      0,
      scope.alloc('u8', 16 * Math.max(one.count, two.count)).ptr,
    );
  });
}

/** kappa of the covariances of two different variables of every sample; notes in f64. */
export function mapCovariances(
  core: Core,
  values: Float64Array<ArrayBuffer>,
  [one, two]: readonly [AnyNote, AnyNote],
  { n, ld }: Pick<Side, 'n' | 'ld'>,
): Float64Array<ArrayBuffer> {
  if ('fn' in one || 'fn' in two) {
    const [first, second] = [one, two] as [FunctionNote, FunctionNote];
    return values.map((value, i) =>
      i < n ? dualAt(first, [first.k[i]!, value, second.k[i]!], false).kappa : 0,
    );
  }
  const data = new Sheets(core, 'f64', ld);
  core.heap.write(data.ticket, values);
  mapWithin(core, data, Int32Array.of(0, 0), [one, two], ld);
  const mapped = core.heap.read(data.ticket);
  data.release();
  return mapped;
}

/** The joint rule with the affine layer that follows. */
export function activateJoint(
  core: Core,
  joint: Joint,
  {
    one,
    two,
    block,
    affine,
  }: { readonly one: AnyNote; readonly two: AnyNote; readonly block: Block; readonly affine: Affine },
): Joint {
  const k = joint.k.own(core);
  const t = joint.t && joint.t.own(core);
  if ('fn' in one || 'fn' in two) {
    mapFunctionJoint(core, { ...joint, k, t }, [one, two] as [FunctionNote, FunctionNote], block, affine);
    return { ...joint, k, t };
  }
  const { dtype } = k.ticket;
  const bytes = dtype === 'f32' ? 4 : 8;
  const pairs = positionPairs(joint.layout);
  const params = jointParameters(one, two);
  core.heap.scope((scope) => {
    const index = scope.put(pairs).ptr;
    const tangent = t ? t.ptr : scope.zeros(dtype, joint.ld).ptr;
    const fused = t ? affine : { ...affine, gamma: 0, delta: 0 };
    const finish = block.same ? keepIdentical(core, joint, { k, t, note: one, block, affine }) : null;
    const map = core.kernels[
      dtype === 'f32' ? 'dualMap_f32' : 'dualMap_f64'
    ] as typeof core.kernels.dualMap_f64;
    map(
      one.kind,
      scope.put(parameterBlock({ params }, fused)).ptr,
      sheetCount(joint.layout),
      joint.rows,
      joint.ld,
      index,
      (one.tables.ptr + block.row * bytes) as Ptr<'f64'>,
      one.stride,
      one.ld,
      (two.tables.ptr + block.column * bytes) as Ptr<'f64'>,
      two.stride,
      two.ld,
      Math.min(one.count, two.count),
      0,
      k.ptr as Ptr<'f64'>,
      tangent as Ptr<'f64'>,
      t ? joint.ld : 0,
      scope.alloc('u8', 16 * Math.max(one.count, two.count)).ptr,
    );
    finish?.();
  });
  return { ...joint, k, t };
}

/** Computes the entries of identical variables exactly; the returned function puts them in after the map. */
function keepIdentical(
  core: Core,
  joint: Joint,
  {
    k,
    t,
    note,
    block,
    affine: { alpha, beta, gamma, delta },
  }: {
    readonly k: Sheets;
    readonly t: Sheets | null;
    readonly note: ActivationNote;
    readonly block: Block;
    readonly affine: Affine;
  },
): () => void {
  const pairs = positionPairs(joint.layout);
  const shift = block.row - block.column;
  const positions: number[] = [];
  for (let q = 0; q < pairs.length; q += 2) if (pairs[q] === pairs[q + 1]) positions.push(pairs[q]!);
  const count = positions.length * joint.rows;
  const same = core.kernels[
    k.ticket.dtype === 'f32' ? 'sheetsSame_f32' : 'sheetsSame_f64'
  ] as typeof core.kernels.sheetsSame_f64;
  const copy = (put: number, sheets: Sheets, values: Float64Array<ArrayBuffer>): Float64Array =>
    core.heap.scope((scope) => {
      const saved = scope.put(values);
      const index = scope.put(pairs).ptr;
      same(put, pairs.length / 2, joint.rows, joint.ld, shift, index, sheets.ptr as Ptr<'f64'>, saved.ptr);
      return core.heap.read(saved);
    });
  const before = t && copy(0, t, new Float64Array(count));
  const values = new Float64Array(count);
  const slopes = new Float64Array(count);
  for (const [q, p] of positions.entries()) {
    for (let i = 0; i < joint.rows; i++) {
      const [at, from] = [q * joint.rows + i, p * note.ld + block.row + i];
      const kappa = note.kappa[from]!;
      values[at] = alpha * kappa + beta;
      if (before) slopes[at] = alpha * note.slope[from]! * before[at]! + gamma * kappa + delta;
    }
  }
  return () => {
    copy(1, k, values);
    if (t) copy(1, t, slopes);
  };
}
