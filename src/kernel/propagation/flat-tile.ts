// Tiles of nets without positions: the Gram matrix first, then all layers on blocks of rows that stay in cache.
import { padded, Sheets, type Block } from '../../layers/states/state.js';
import type { Core, FloatType, Kernels, Ptr, Ticket } from '../../wasm/engine.js';
import { chainDiagonal, chainLayers, chainProgram, mostTables, type ChainLayer } from './dense-chain.js';
import { overflow } from '../tiles/checks.js';
import type { CompiledLayer } from './compiled-net.js';
import type { Batch, Operands } from './input.js';
import { propagateJoint, type Notes } from './propagate.js';
import type { SphereTable, TileParams, TileResult } from '../tiles/tile-params.js';

/** Rows of a block: K and T of it stay in a level-2 cache up to some thousand columns, and their mirror fills cache lines. */
const BLOCK_ROWS = 32;

export const blockOf = (params: TileParams, row: number): Block => ({
  row,
  column: 0,
  same: params.x2 === null,
  mirrored: params.x2 === null,
  frozen: new Set(params.frozen),
});

type Typed =
  | 'gram'
  | 'gemm'
  | 'dualChain'
  | 'sphereMap'
  | 'sheetsFinite'
  | 'transposeInto'
  | 'mirror'
  | 'getDiagonal'
  | 'setDiagonal';

/** A kernel of a dtype known at run time; pointers are branded f64. */
function kernelOf<N extends Typed>(core: Core, name: N, dtype: FloatType): Kernels[`${N}_f64`] {
  return core.kernels[`${name}_${dtype}`] as Kernels[`${N}_f64`];
}

export function assertFinite(core: Core, { ticket, ptr }: Sheets): void {
  if (!kernelOf(core, 'sheetsFinite', ticket.dtype)(ticket.length, ptr as Ptr<'f64'>))
    throw overflow(ticket.dtype);
}

/** The kernels of a tile in wasm memory: rows `ld` elements apart. */
interface Flat {
  readonly core: Core;
  readonly params: TileParams;
  readonly n1: number;
  readonly n2: number;
  readonly bytes: number;
  readonly ld: number;
  /** x1 x2^T / channels at first: rows become K in place. */
  readonly k: Ticket<FloatType>;
  readonly t: Ticket<FloatType> | null;
}

export function flatTile(
  core: Core,
  params: TileParams,
  node: CompiledLayer,
  {
    batches,
    operands,
    notes,
  }: {
    readonly batches: readonly [Batch, Batch];
    readonly operands: Operands;
    readonly notes: readonly [Notes, Notes];
  },
): TileResult {
  const layers = chainLayers(node, notes[0], notes[1], new Set(params.frozen));
  return withGram(core, params, batches, {
    operands,
    loose: layers !== null,
    run: (flat) => (layers ? runChain(flat, layers) : runBlocks(flat, node, notes)),
  });
}

/** The tile by a table of the whole net, where all inputs have one norm. */
export function sphereTile(
  core: Core,
  params: TileParams,
  table: SphereTable,
  batches: readonly [Batch, Batch],
  operands: Operands,
): TileResult {
  return withGram(core, params, batches, { operands, loose: true, run: (flat) => runSphere(flat, table) });
}

function withGram(
  core: Core,
  params: TileParams,
  batches: readonly [Batch, Batch],
  {
    operands,
    loose,
    run,
  }: { readonly operands: Operands; readonly loose: boolean; readonly run: (flat: Flat) => void },
): TileResult {
  const { dtype } = params;
  const [n1, n2] = [batches[0].n, batches[1].n];
  const bytes = dtype === 'f32' ? 4 : 8;
  // Rows a multiple of 4096 bytes apart would fall on the same cache lines.
  const ld = padded(n2) + ((padded(n2) * bytes) % 4096 === 0 ? 16 : 0);
  const region = core.heap.region();
  try {
    const k = loose ? region.alloc(dtype, n1 * ld) : region.zeros(dtype, n1 * ld);
    const t = params.ntk ? region.alloc(dtype, n1 * ld) : null;
    multiply(core, operands, batches, k, ld);
    run({ core, params, n1, n2, bytes, ld, k, t });
    return {
      nngp: core.heap.readRows(k, params.nngp === false ? 0 : n1, n2, ld),
      ntk: t && core.heap.readRows(t, n1, n2, ld),
    };
  } finally {
    region.dispose();
  }
}

/**
 * Calls `run` for every block of rows with the columns it needs: with x2 = null up to its part of the diagonal; what is above
 * it is filled in while the block is in cache.
 */
function eachBlock(flat: Flat, run: (row: number, rows: number, columns: number) => void): void {
  const { n1, n2, params, k, t } = flat;
  for (let row = 0; row < n1; row += BLOCK_ROWS) {
    const rows = Math.min(BLOCK_ROWS, n1 - row);
    run(row, rows, params.x2 ? n2 : row + rows);
    if (params.x2) continue;
    if (params.nngp !== false) mirrorBlock(flat, k, row, rows);
    if (t) mirrorBlock(flat, t, row, rows);
  }
}

/** The rows of a block in K and T; without NTK `spare`, one row for all. */
function rowsOf(flat: Flat, row: number, spare: Ptr<'f64'>): { k: Ptr<'f64'>; t: Ptr<'f64'>; step: number } {
  const at = row * flat.ld * flat.bytes;
  const t = (flat.t ? flat.t.ptr + at : spare) as Ptr<'f64'>;
  return { k: (flat.k.ptr + at) as Ptr<'f64'>, t, step: flat.t ? flat.ld : 0 };
}

/** Nets without branches: each row through all layers while it is in the first cache, in place. */
function runChain(flat: Flat, layers: readonly ChainLayer[]): void {
  const { core, params, n1, n2, ld } = flat;
  const { dtype } = params;
  const same = params.x2 === null;
  core.heap.scope((scope) => {
    const program = scope.put(chainProgram(layers, params.ntk));
    const work = scope.alloc('u8', 16 * mostTables(layers)).ptr;
    const spare = scope.alloc(dtype, flat.t ? 0 : ld).ptr as Ptr<'f64'>;
    const squares = same ? scope.alloc(dtype, n1) : null;
    if (squares)
      kernelOf(core, 'getDiagonal', dtype)(n1, flat.k.ptr as Ptr<'f64'>, ld, squares.ptr as Ptr<'f64'>);
    eachBlock(flat, (row, rows) => {
      const { k, t, step } = rowsOf(flat, row, spare);
      const run = kernelOf(core, 'dualChain', dtype);
      if (!run(layers.length, program.ptr, row, rows, same ? 0 : n2, k, ld, t, step, work))
        throw overflow(dtype);
    });
    if (!squares) return;
    const diagonal = chainDiagonal(layers, Float64Array.from(core.heap.read(squares)));
    putDiagonal(flat, squares, diagonal.k, diagonal.t);
  });
}

/** Writes the diagonals of K and T; `room` holds n1 entries. */
function putDiagonal(
  { core, params, n1, ld, k, t }: Flat,
  room: Ticket<FloatType>,
  kappa: Float64Array,
  tangents: Float64Array,
): void {
  for (const [values, matrix] of [
    [kappa, k],
    [tangents, t],
  ] as const) {
    if (!matrix) continue;
    core.heap.write(room, values);
    const set = kernelOf(core, 'setDiagonal', params.dtype);
    set(n1, matrix.ptr as Ptr<'f64'>, ld, room.ptr as Ptr<'f64'>, 0);
  }
}

/** Every term of a table as vectors: K at c >= 0, what it changes by at c < 0, and T. */
function splatted(
  series: Float64Array,
  dtype: FloatType,
): Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer> {
  const lanes = dtype === 'f32' ? 4 : 2;
  const vectors = new (dtype === 'f32' ? Float32Array : Float64Array)(series.length * lanes);
  for (let i = 0; i < series.length; i++) {
    const value = i % 2 === 0 ? series[i]! : series[i]! - series[i - 1]!;
    vectors.fill(value, i * lanes, (i + 1) * lanes);
  }
  return vectors;
}

/** Every entry by one table of the net. */
function runSphere(flat: Flat, { square, series, diagonal }: SphereTable): void {
  const { core, params, n1, ld } = flat;
  const { dtype } = params;
  core.heap.scope((scope) => {
    const table = scope.put(splatted(series, dtype)).ptr as Ptr<'f64'>;
    const spare = scope.alloc(dtype, flat.t ? 0 : ld).ptr as Ptr<'f64'>;
    const map = kernelOf(core, 'sphereMap', dtype);
    eachBlock(flat, (row, rows, columns) => {
      const { k, t, step } = rowsOf(flat, row, spare);
      map(rows, columns, k, ld, t, step, 1 / square, series.length / 4, table);
    });
    if (params.x2) return;
    const room = scope.alloc(dtype, n1);
    const [k, t] = diagonal.map((value) => new Float64Array(n1).fill(value)) as [Float64Array, Float64Array];
    putDiagonal(flat, room, k, t);
  });
}

/** Any net: layer by layer on blocks. */
function runBlocks(flat: Flat, node: CompiledLayer, [one, two]: readonly [Notes, Notes]): void {
  const { core, params, bytes, ld } = flat;
  eachBlock(flat, (row, rows, columns) => {
    const width = padded(columns);
    const at = row * ld * bytes;
    const k = new Sheets(core, params.dtype, rows * width);
    core.kernels.copyRows(rows, width * bytes, flat.k.ptr + at, ld * bytes, k.ptr, width * bytes);
    const t = flat.t ? new Sheets(core, params.dtype, rows * width, true) : null;
    const layout = { spatial: node.shaped.input.slice(0, -1), full: node.input.joint === 'full' };
    const joint = propagateJoint(
      core,
      node,
      { rows, ld: width, layout, k, t },
      { one, two, block: blockOf(params, row) },
    );
    for (const [sheets, matrix] of [
      [joint.k, flat.k],
      [joint.t, flat.t],
    ] as const) {
      if (!sheets || !matrix) continue;
      assertFinite(core, sheets);
      core.kernels.copyRows(rows, columns * bytes, sheets.ptr, width * bytes, matrix.ptr + at, ld * bytes);
      sheets.release();
    }
  });
}

/** Copies rows of a symmetric matrix, up to the diagonal, to their mirror image above it. */
function mirrorBlock(
  { core, params, bytes, ld }: Flat,
  matrix: Ticket<FloatType>,
  row: number,
  rows: number,
): void {
  const from = (matrix.ptr + row * ld * bytes) as Ptr<'f64'>;
  const above = (matrix.ptr + row * bytes) as Ptr<'f64'>;
  kernelOf(core, 'transposeInto', params.dtype)(rows, row, from, ld, above, ld);
  kernelOf(core, 'mirror', params.dtype)(rows, (from + row * bytes) as Ptr<'f64'>, ld, 0);
}

/** K = x1 x2^T / channels, only the lower triangle for a batch with itself. */
function multiply(
  core: Core,
  { one, two }: Operands,
  [first, second]: readonly [Batch, Batch],
  k: Ticket<FloatType>,
  ld: number,
): void {
  const { channels, n } = first;
  core.heap.scope((scope) => {
    const work = scope.alloc('u8', core.kernels.gemmWorkBytes()).ptr;
    const [a, b, c] = [one.ptr, two.ptr, k.ptr] as [Ptr<'f64'>, Ptr<'f64'>, Ptr<'f64'>];
    if (one === two)
      kernelOf(core, 'gram', k.dtype)(0, 0, n, channels, 1 / channels, a, channels, 0, c, ld, work);
    else {
      const gemm = kernelOf(core, 'gemm', k.dtype);
      gemm(0, 1, n, second.n, channels, 1 / channels, a, channels, b, channels, 0, c, ld, work);
    }
  });
}
