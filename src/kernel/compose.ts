// A net in two parts: the state after a trunk, kept as plain data, and the kernels of what follows it.
import { planeCount, padded, Planes, releaseAll, type Joint, type Side } from '../layers/kernel/state.js';
import { allocate, assertFinite, asTensor, sizeOf, type Tensor, type TensorLike } from '../math/tensor.js';
import { chainEnd, checkChain } from '../net/chain.js';
import { parseLayer, type NetDocument } from '../net/document.js';
import { NumericalError, type Engine } from '../wasm/engine.js';
import { blameInput, checkDtype, checkInputs, checkNames, checkPattern, defaultTolerance } from './checks.js';
import { compileLayer, inputFacts, type Compiled } from './compile.js';
import { frozenPaths } from './frozen.js';
import { inputJoint, inputSide, makeBatch, type Batch } from './input.js';
import type { KernelOptions, KernelResult } from './kernel.js';
import { LIVE, mostPlanes } from './plan.js';
import { releaseNotes, runJoint, runSide, type Notes } from './propagate.js';
import { interleave, putOperands, unpack, wantedOutput } from './tile.js';

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

type StateOptions = Omit<KernelOptions, 'tile' | 'signal' | 'onProgress'>;
type ContinueOptions = Omit<StateOptions, 'dtype' | 'maskConstant'>;

/**
 * The state after `net`, for `continueKernel` with one or many nets that go on from there. A trunk may end with sOut > 1.
 * States of nets that end with spatial axes hold all pairs of positions, n1 n2 D^2 entries; `diagonalSpatial` keeps D,
 * enough for nets that go on with `flatten` and layers without overlap. On the calling thread. Errors as `kernel`.
 */
export function kernelState(
  engine: Engine,
  net: NetDocument,
  first: TensorLike,
  second: TensorLike | null = null,
  options: StateOptions = {},
): KernelState {
  const [x1, x2] = checkInputs(first, second);
  const trunk = parseLayer(net, '');
  chainEnd(trunk);
  const names = checkNames(options.get);
  const dtype = checkDtype(options.dtype, x1);
  const { diagonalSpatial = false, maskConstant = null } = options;
  const inputShape = x1.shape.slice(1);
  const kind = diagonalSpatial ? 'diagonal' : 'full';
  const node = compileLayer(trunk, inputFacts(inputShape), { cov: kind, joint: kind });
  const batches: [Batch, Batch] = [makeBatch(x1, maskConstant), makeBatch(x2 ?? x1, maskConstant)];
  if (!x2) batches[1] = batches[0];
  const [operands, dispose] = putOperands(engine, { dtype }, batches);
  const layout = { spatial: batches[0].spatial, full: node.input.joint === 'full' };
  try {
    const { nngp, ntk, sides } = propagate(engine, node, options, {
      n: [batches[0].n, batches[1].n],
      same: x2 === null,
      dtype,
      side: (i) => inputSide(engine, batches[i], i === 0 ? operands.one : operands.two, node.input),
      joint: (rows) => inputJoint(engine, batches, operands, rows, layout, names.includes('ntk')),
    });
    const [{ covariance: covariance1, visible: visible1 }, two] = sides.map((side) =>
      readSide(engine, side),
    ) as [PlainSide, PlainSide | undefined];
    return {
      net: trunk as unknown as NetDocument,
      inputShape,
      diagonalSpatial,
      nngp,
      ntk,
      covariance1,
      covariance2: two?.covariance ?? null,
      visible1,
      visible2: two?.visible ?? null,
    };
  } catch (error) {
    if (error instanceof NumericalError) blameInput(x1, x2, maskConstant);
    throw error;
  } finally {
    dispose();
  }
}

/**
 * NNGP and NTK of the net of `state` followed by `net`: those of `serial(state.net, net)`, whose first part is not run
 * again. Paths in `frozen` and in errors are those of `net`. RangeError where the state is damaged, or lacks what `net` needs.
 */
export function continueKernel(
  engine: Engine,
  state: KernelState,
  net: NetDocument,
  options: ContinueOptions = {},
): KernelResult {
  const { trunk, facts } = checkState(state);
  const next = parseLayer(net, '');
  checkChain(next, chainEnd(trunk));
  const names = checkNames(options.get);
  if (names.includes('ntk') && !state.ntk)
    throw new RangeError("continueKernel: the state has no ntk. Make it with get: ['nngp', 'ntk'].");
  const node = compileLayer(next, facts, wantedOutput(options.diagonalSpatial ?? false));
  const spatial = facts.shape.slice(0, -1);
  const { diagonalSpatial, nngp, ntk } = state;
  if (diagonalSpatial && sizeOf(spatial) > 1 && [node.input.cov, node.input.joint].includes('full')) {
    throw new RangeError(
      'continueKernel: the net needs all pairs of positions, the state has equal ones. Make it without diagonalSpatial.',
    );
  }
  const [n1, n2] = nngp.shape as [number, number];
  const dtype = nngp.data instanceof Float32Array ? 'f32' : 'f64';
  const layout = { spatial, full: !diagonalSpatial };
  const result = propagate(engine, node, options, {
    n: [n1, n2],
    same: state.covariance2 === null,
    dtype,
    side: (i) =>
      i === 0
        ? putSide(engine, layout, { covariance: state.covariance1, visible: state.visible1 })
        : putSide(engine, layout, { covariance: state.covariance2!, visible: state.visible2 }),
    joint: ([row, rows]) => {
      const size = n2 * planeCount(layout);
      const put = ({ data }: Tensor): Planes =>
        putPlanes(engine, data.subarray(row * size, (row + rows) * size) as Tensor['data'], layout, rows, n2);
      return {
        rows,
        ld: padded(n2),
        layout,
        k: put(nngp),
        t: names.includes('ntk') ? put(ntk!) : null,
      };
    },
  });
  result.sides.forEach(({ cov }) => cov?.data.release());
  return Object.fromEntries(names.map((name) => [name, result[name]])) as unknown as KernelResult;
}

/** Where a propagation starts: sides by number, blocks of [first, count) rows. */
interface Start {
  readonly n: readonly [number, number];
  readonly same: boolean;
  readonly dtype: 'f32' | 'f64';
  side(i: 0 | 1): Side;
  joint(rows: readonly [number, number]): Joint;
}

/** Runs both sides, then blocks of rows that fit the memory budget; `sides` (one where they are the same) are the caller's. */
function propagate(
  engine: Engine,
  node: Compiled,
  options: StateOptions,
  { n, same, dtype, side, joint: start }: Start,
): { nngp: Tensor; ntk: Tensor | null; sides: Side[] } {
  const patterns = [
    checkPattern(options.pattern1, 'pattern1'),
    checkPattern(options.pattern2, 'pattern2'),
  ] as const;
  const tolerance = options.tolerance ?? defaultTolerance(dtype);
  const shape = [...n, ...positionsOf(node.facts.shape.slice(0, -1), node.output.joint === 'full')];
  const make = (): Tensor => ({
    data: allocate(dtype, sizeOf(shape), 'kernel: the result', 'Use fewer samples, f32 or diagonalSpatial.'),
    shape,
  });
  const nngp = make();
  let ntk: Tensor | null = null;
  const perRow = mostPlanes(node) * LIVE * padded(n[1]) * (dtype === 'f32' ? 4 : 8);
  const most = Math.max(1, Math.floor(engine.memoryBytes / perRow));
  try {
    const ends = (same ? ([0] as const) : ([0, 1] as const)).map((i) =>
      runSide(engine, node, side(i), { pattern: patterns[i], dtype, tolerance }),
    );
    const [one, two] = [ends[0]!.notes, ends.at(-1)!.notes] as [Notes, Notes];
    const frozen = new Set(frozenPaths(node.shaped, options.frozen));
    for (let row = 0; row < n[0]; row += most) {
      const rows = Math.min(most, n[0] - row);
      const joint = runJoint(engine, node, start([row, rows]), one, two, { row, column: 0, same, frozen });
      const at = row * sizeOf(shape.slice(1));
      nngp.data.set(unpack(engine, joint, joint.k, n[1]), at);
      if (joint.t) (ntk ??= make()).data.set(unpack(engine, joint, joint.t, n[1]), at);
      joint.k.release();
      joint.t?.release();
    }
    ends.forEach(({ notes }) => releaseNotes(notes));
    return { nngp, ntk, sides: ends.map((end) => end.side) };
  } catch (error) {
    releaseAll(engine);
    throw error;
  }
}

const positionsOf = (spatial: readonly number[], full: boolean): readonly number[] =>
  full ? spatial.flatMap((n) => [n, n]) : spatial;

interface PlainSide {
  readonly covariance: Tensor;
  readonly visible: Tensor | null;
}

/** Copies a side out of wasm memory and releases it. */
function readSide(engine: Engine, { n, ld, spatial, cov, keep }: Side): PlainSide {
  const { full, data } = cov!;
  const row = { rows: 1, ld };
  const covariance = {
    data: interleave(engine.heap.read(data.ticket), planeCount({ spatial, full }), row, n),
    shape: [n, ...positionsOf(spatial, full)],
  };
  data.release();
  const visible = keep && { data: interleave(keep, sizeOf(spatial), row, n), shape: [n, ...spatial] };
  return { covariance, visible };
}

function putSide(engine: Engine, layout: Joint['layout'], { covariance, visible }: PlainSide): Side {
  const { spatial, full } = layout;
  const n = covariance.shape[0]!;
  const data = putPlanes(engine, covariance.data, layout, 1, n) as Planes<'f64'>;
  const keep = visible && (separate(visible.data, sizeOf(spatial), 1, n) as Float64Array<ArrayBuffer>);
  return { n, ld: padded(n), spatial, keep, cov: { full, data } };
}

function putPlanes(
  engine: Engine,
  data: Tensor['data'],
  layout: Joint['layout'],
  rows: number,
  columns: number,
): Planes {
  const values = separate(data, planeCount(layout), rows, columns);
  const planes = new Planes(engine, values instanceof Float32Array ? 'f32' : 'f64', values.length);
  engine.heap.write(planes.ticket, values);
  return planes;
}

/** (rows, columns, planes) to (planes, rows, padded columns): the inverse of `interleave`. */
function separate(data: Tensor['data'], planes: number, rows: number, columns: number): Tensor['data'] {
  const ld = padded(columns);
  const out = new (data.constructor as typeof Float64Array)(planes * rows * ld);
  for (let plane = 0; plane < planes; plane++) {
    for (let i = 0; i < rows; i++) {
      const to = (plane * rows + i) * ld;
      for (let j = 0; j < columns; j++) out[to + j] = data[(i * columns + j) * planes + plane]!;
    }
  }
  return out;
}

/** The trunk and its facts, once every array of the state fits them. */
function checkState(state: KernelState): { trunk: ReturnType<typeof parseLayer>; facts: Compiled['facts'] } {
  const { net, inputShape, nngp, ntk, covariance1, covariance2, visible1, visible2 } = state ?? {};
  const whole = Array.isArray(inputShape) && inputShape.every((size) => Number.isInteger(size) && size > 0);
  if (!nngp || !covariance1 || !whole)
    throw new TypeError('continueKernel: expected a state made by kernelState.');
  const trunk = parseLayer(net, '');
  const kind = state.diagonalSpatial ? 'diagonal' : 'full';
  const { facts } = compileLayer(trunk, inputFacts(inputShape), { cov: kind, joint: kind });
  const spatial = facts.shape.slice(0, -1);
  const positions = positionsOf(spatial, !state.diagonalSpatial);
  const [n1, n2] = [covariance1.shape[0]!, (covariance2 ?? covariance1).shape[0]!];
  const type = nngp.data.constructor;
  const check = (
    name: keyof KernelState,
    tensor: Tensor | null,
    shape: readonly number[],
    array: unknown,
  ) => {
    if (!tensor) return;
    asTensor(tensor, `continueKernel: ${name}`);
    if (tensor.shape.join() !== shape.join() || tensor.data.constructor !== array) {
      throw new RangeError(
        `continueKernel: ${name} must be a ${(array as { name: string }).name} of shape [${shape.join(', ')}], got ${tensor.data.constructor.name} of [${tensor.shape.join(', ')}]. Make the state again with kernelState.`,
      );
    }
    assertFinite(tensor, `continueKernel: ${name}`);
  };
  check('nngp', nngp, [n1, n2, ...positions], type === Float32Array ? Float32Array : Float64Array);
  check('ntk', ntk, nngp.shape, type);
  check('covariance1', covariance1, [n1, ...positions], Float64Array);
  check('covariance2', covariance2, [n2, ...positions], Float64Array);
  check('visible1', visible1, [n1, ...spatial], Float64Array);
  check('visible2', visible2, [n2, ...spatial], Float64Array);
  return { trunk, facts };
}
