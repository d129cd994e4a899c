// Mixing of positions with matrices of every sample's own: K' = G1 K G2^T per pair of samples. Attention, graphs.
import type { Allocator, Core, FloatType, Kernels, Ptr, Ticket } from '../../wasm/engine.js';
import { combine } from './operators.js';
import { Sheets, positionPairs, type Block, type Joint, type Layout, type Side } from './state.js';

/** G of every sample of a side: (out, in, ld). */
export interface TokenMatrices {
  readonly g: Float64Array<ArrayBuffer>;
  readonly tokens: number;
  readonly ld: number;
  readonly samples: number;
}

/** Sheet orders: zipped (X, X', Y, Y') to (position, position') and back. */
function reorder<D extends 'f32' | 'f64'>(
  core: Core,
  x: Sheets<D>,
  spatial: readonly number[],
  inner: number,
  back: boolean,
): Sheets<D> {
  if (spatial.length < 2) return x;
  const pairs = positionPairs({ spatial, full: true });
  const tokens = spatial.reduce((size, n) => size * n, 1);
  const rows: [number, number][][] = Array.from({ length: tokens * tokens }, () => []);
  for (let sheet = 0; sheet < rows.length; sheet++) {
    const flat = pairs[2 * sheet]! * tokens + pairs[2 * sheet + 1]!;
    if (back) rows[sheet] = [[flat, 1]];
    else rows[flat] = [[sheet, 1]];
  }
  return combine(core, x, { outer: 1, nin: rows.length, inner, rows });
}

/** G1 K G2^T for one array of a joint state on all pairs of positions; releases it. */
export function mixJoint(
  core: Core,
  sheets: Sheets,
  joint: Joint,
  { one, two, block }: { readonly one: TokenMatrices; readonly two: TokenMatrices; readonly block: Block },
): Sheets {
  return mix(core, sheets, joint, [one, two], block);
}

/** G K G^T within every sample of a side whose covariance is full; releases it. */
export function mixSide(core: Core, side: Side, data: Sheets<'f64'>, matrices: TokenMatrices): Sheets<'f64'> {
  const layout = { spatial: side.spatial, full: true };
  return mix(core, data, { rows: 1, ld: side.ld, layout }, [matrices, matrices], null) as Sheets<'f64'>;
}

/** Bytes of the blocks of rows that are worked on. */
const BLOCK_BYTES = 2 ** 20;

/** Rows of blocks by products of matrices; `block` null: samples with themselves, a row of them. */
function mix(
  core: Core,
  x: Sheets,
  { rows, ld, layout }: Pick<Joint, 'rows' | 'ld' | 'layout'>,
  [one, two]: readonly [TokenMatrices, TokenMatrices],
  block: Block | null,
): Sheets {
  const { dtype } = x.ticket;
  const y = new Sheets(core, dtype, x.ticket.length, true);
  const perRow = one.tokens ** 2 * ld * bytesOf(dtype);
  const most = Math.min(rows, Math.max(1, Math.floor(BLOCK_BYTES / perRow)));
  core.heap.scope((scope) => {
    const mixer = new Mixer(core, scope, dtype, one.tokens, { ld, rows, most, runs: runsOf(layout) });
    const right = mixer.put(two);
    const left = one === two ? right : mixer.put(one);
    const columns = two.samples - (block?.column ?? 0);
    for (let row = 0; row < rows; row += most) {
      const count = Math.min(most, rows - row);
      const end = block?.mirrored
        ? Math.min(columns, Math.max(0, block.row + row + count - block.column))
        : columns;
      mixer.takeIn(x, row, count);
      if (block) mixer.rows(left, block.row + row, count, end);
      else mixer.columns(left, end);
      mixer.behind(right, block?.column ?? 0, count, end);
      mixer.giveOut(y, row, count, end);
    }
  });
  x.release();
  return y;
}

const bytesOf = (dtype: FloatType): number => (dtype === 'f32' ? 4 : 8);

/** For every position p the sheets of (p, q), q in order, as runs [first q, sheet, length] of sheets one after the other. */
function runsOf(layout: Layout): number[][][] {
  const pairs = positionPairs(layout);
  const runs: number[][][] = [];
  const tokens = Math.round(Math.sqrt(pairs.length / 2));
  const sheetOf = new Int32Array(tokens * tokens);
  for (let i = 0; i < pairs.length; i += 2) sheetOf[pairs[i]! * tokens + pairs[i + 1]!] = i / 2;
  for (let p = 0; p < tokens; p++) {
    const list: number[][] = [];
    for (let q = 0; q < tokens; q++) {
      const sheet = sheetOf[p * tokens + q]!;
      const last = list.at(-1);
      if (last && last[1]! + last[2]! === sheet) last[2]!++;
      else list.push([q, sheet, 1]);
    }
    runs.push(list);
  }
  return runs;
}

interface MixerShape {
  readonly ld: number;
  readonly rows: number;
  readonly most: number;
  readonly runs: readonly (readonly (readonly number[])[])[];
}

/** A block of rows as (row, position, column, position'), so that both products are those of matrices. */
class Mixer {
  readonly core: Core;
  readonly dtype: FloatType;
  readonly tokens: number;
  readonly shape: MixerShape;
  readonly scope: Allocator;
  readonly a: Ticket;
  readonly b: Ticket;
  readonly work: Ticket;

  constructor(core: Core, scope: Allocator, dtype: FloatType, tokens: number, shape: MixerShape) {
    this.core = core;
    this.dtype = dtype;
    this.tokens = tokens;
    this.shape = shape;
    this.scope = scope;
    const length = tokens ** 2 * shape.ld * shape.most;
    this.a = scope.alloc(dtype, length);
    this.b = scope.alloc(dtype, length);
    this.work = scope.alloc('u8', core.kernels.gemmWorkBytes());
  }

  /** The matrices of all samples, one after the other. */
  put({ g, ld, samples, tokens }: TokenMatrices): Ticket {
    const size = tokens ** 2;
    const values = new (this.dtype === 'f32' ? Float32Array : Float64Array)(samples * size);
    for (let e = 0; e < size; e++) for (let s = 0; s < samples; s++) values[s * size + e] = g[e * ld + s]!;
    return this.scope.put(values);
  }

  takeIn(x: Sheets, row: number, rows: number): void {
    const { ld } = this.shape;
    this.eachSpan(row, rows, (at, inside, length) => {
      const from = (x.ptr + at) as Ptr<'f64'>;
      const to = (this.a.ptr + inside) as Ptr<'f64'>;
      this.transpose(length, ld, from, this.shape.rows * ld, to, this.tokens);
    });
  }

  giveOut(y: Sheets, row: number, rows: number, end: number): void {
    const { ld } = this.shape;
    this.eachSpan(row, rows, (at, inside, length) => {
      const from = (this.a.ptr + inside) as Ptr<'f64'>;
      const to = (y.ptr + at) as Ptr<'f64'>;
      this.transpose(end, length, from, this.tokens, to, this.shape.rows * ld);
    });
  }

  /** b = G a for the row of every sample. */
  rows(g: Ticket, first: number, rows: number, end: number): void {
    const { tokens } = this;
    const [size, width] = [this.size(tokens ** 2), this.shape.ld * tokens];
    for (let i = 0; i < rows; i++) {
      const at = i * this.size(tokens * width);
      this.product(tokens, end * tokens, {
        a: g.ptr + (first + i) * size,
        lda: tokens,
        right: [this.a.ptr + at, width],
        c: this.b.ptr + at,
        ldc: width,
        transB: 0,
      });
    }
  }

  /** The same where the columns are the samples. */
  columns(g: Ticket, end: number): void {
    const { tokens } = this;
    const [size, width] = [this.size(tokens ** 2), this.shape.ld * tokens];
    for (let j = 0; j < end; j++) {
      const at = j * this.size(tokens);
      this.product(tokens, tokens, {
        a: g.ptr + j * size,
        lda: tokens,
        right: [this.a.ptr + at, width],
        c: this.b.ptr + at,
        ldc: width,
        transB: 0,
      });
    }
  }

  /** a = b G^T for every column. */
  behind(g: Ticket, first: number, rows: number, end: number): void {
    const { tokens } = this;
    const [size, width] = [this.size(tokens ** 2), this.shape.ld * tokens];
    for (let j = 0; j < end; j++) {
      const at = j * this.size(tokens);
      const right = g.ptr + (first + j) * size;
      this.product(rows * tokens, tokens, {
        a: this.b.ptr + at,
        lda: width,
        right: [right, tokens],
        c: this.a.ptr + at,
        ldc: width,
        transB: 1,
      });
    }
  }

  private size(elements: number): number {
    return elements * bytesOf(this.dtype);
  }

  private product(
    m: number,
    n: number,
    {
      a,
      lda,
      right: [b, ldb],
      c,
      ldc,
      transB,
    }: {
      readonly a: number;
      readonly lda: number;
      readonly right: readonly [number, number];
      readonly c: number;
      readonly ldc: number;
      readonly transB: number;
    },
  ): void {
    const gemm = this.core.kernels[`gemm_${this.dtype}`] as typeof this.core.kernels.gemm_f64;
    gemm(
      0,
      transB,
      m,
      n,
      this.tokens,
      1,
      a as Ptr<'f64'>,
      lda,
      b as Ptr<'f64'>,
      ldb,
      0,
      c as Ptr<'f64'>,
      ldc,
      this.work.ptr as Ptr<'u8'>,
    );
  }

  private get transpose(): Kernels['transposeInto_f64'] {
    return this.core.kernels[`transposeInto_${this.dtype}`] as Kernels['transposeInto_f64'];
  }

  /** Bytes from the start of the sheets and of the block, for every run of sheets of every row. */
  private eachSpan(
    row: number,
    rows: number,
    use: (at: number, inside: number, length: number) => void,
  ): void {
    const { tokens } = this;
    const { ld, rows: all, runs } = this.shape;
    for (let i = 0; i < rows; i++)
      for (let p = 0; p < tokens; p++)
        for (const [q, sheet, length] of runs[p] as readonly [number, number, number][]) {
          const inside = (i * tokens + p) * ld * tokens + q;
          use(this.size((sheet * all + row + i) * ld), this.size(inside), length);
        }
  }
}

/** Entry [p, q] of the token-by-token covariances of a full side: (tokens, tokens, ld), row-major positions. */
export function tokenCovariance(core: Core, side: Side): Float64Array<ArrayBuffer> {
  const flat = reorder(core, side.cov!.data.share(), side.spatial, side.ld, false);
  const values = core.heap.read(flat.ticket);
  flat.release();
  return values;
}
