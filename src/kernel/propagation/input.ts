// From input arrays to states: covariances are products over channels divided by their number.
import { kindOf, type Core, type Ptr, type Ticket } from '../../wasm/engine.js';
import type { Tensor } from '../../math/tensor.js';
import {
  sheetCount,
  Sheets,
  positionPairs,
  type Demand,
  type Joint,
  type Layout,
  type Side,
} from '../../layers/states/state.js';
import { padded } from '../../layers/states/state.js';

/** One batch, masked entries zeroed, as (positions, samples, channels). */
export interface Batch {
  readonly n: number;
  readonly spatial: readonly number[];
  readonly channels: number;
  readonly positions: number;
  readonly data: Float64Array<ArrayBuffer> | Float32Array<ArrayBuffer>;
  /** 1 where any channel of a position is visible, (positions, padded n); null: the call has no masks. */
  readonly keep: Float64Array<ArrayBuffer> | null;
}

/** Whether an entry is masked; NaN matches NaN. */
export const isMasked = (value: number, constant: number | null): boolean =>
  value === constant || (value !== value && constant !== constant);

/** The mask constant of a call, or null where no entry has it: decided for all tiles at once, so that bits do not depend on them. */
export function usedConstant(constant: number | null, inputs: readonly (Tensor | null)[]): number | null {
  if (constant === null) return null;
  if (typeof constant !== 'number')
    throw new TypeError(`kernel: maskConstant must be a number, got ${kindOf(constant)}.`);
  return inputs.some((x) => x?.data.some((value: number) => isMasked(value, constant))) ? constant : null;
}

/** Entries equal to `maskConstant` are masked. */
export function makeBatch(x: Tensor, maskConstant: number | null): Batch {
  const [n, ...rest] = x.shape as [number, ...number[]];
  const channels = rest.at(-1)!;
  const spatial = rest.slice(0, -1);
  const positions = spatial.reduce((size, extent) => size * extent, 1);
  if (maskConstant === null && positions === 1) {
    return { n, spatial, channels, positions, data: x.data as Batch['data'], keep: null };
  }
  const data = new (x.data.constructor as typeof Float64Array)(x.data.length);
  const ld = padded(n);
  const keep = maskConstant === null ? null : new Float64Array(positions * ld);
  for (let i = 0; i < n; i++) {
    for (let p = 0; p < positions; p++) {
      const from = (i * positions + p) * channels;
      const to = (p * n + i) * channels;
      for (let c = 0; c < channels; c++) {
        const value = x.data[from + c]!;
        if (isMasked(value, maskConstant)) continue;
        data[to + c] = value;
        if (keep) keep[p * ld + i] = 1;
      }
    }
  }
  return { n, spatial, channels, positions, data, keep };
}

/** Covariances within the samples of a batch, in f64. */
export function inputSide(core: Core, batch: Batch, operand: Ticket, wanted: Demand): Side {
  const { n, spatial, channels, data, keep } = batch;
  const ld = padded(n);
  if (wanted.cov === 'none') return { n, ld, spatial, keep, cov: null };
  const full = wanted.cov === 'full';
  if (!full) return { n, ld, spatial, keep, cov: { full, data: squares(core, batch, operand, ld) } };
  const pairs = positionPairs({ spatial, full });
  const values = new Float64Array((pairs.length / 2) * ld);
  for (let sheet = 0; sheet < pairs.length / 2; sheet++) {
    const [p, q] = [pairs[2 * sheet]!, pairs[2 * sheet + 1]!];
    for (let i = 0; i < n; i++) {
      const [a, b] = [(p * n + i) * channels, (q * n + i) * channels];
      let sum = 0;
      for (let c = 0; c < channels; c++) sum += data[a + c]! * data[b + c]!;
      values[sheet * ld + i] = sum / channels;
    }
  }
  const sheets = new Sheets(core, 'f64', values.length);
  core.heap.write(sheets.ticket, values);
  return { n, ld, spatial, keep, cov: { full, data: sheets } };
}

/** Mean squares over channels, (positions, ld); from `operand`, the batch in wasm memory, unless it was rounded there. */
function squares(
  core: Core,
  { n, positions, channels, data }: Batch,
  operand: Ticket,
  ld: number,
): Sheets<'f64'> {
  const sheets = new Sheets(core, 'f64', positions * ld, true);
  const single = data instanceof Float32Array;
  const kernel = core.kernels[
    single ? 'rowSquares_f32' : 'rowSquares_f64'
  ] as typeof core.kernels.rowSquares_f64;
  core.heap.scope((scope) => {
    const x = single === (operand.dtype === 'f32') ? operand : scope.put(data);
    const bytes = n * channels * data.BYTES_PER_ELEMENT;
    for (let p = 0; p < positions; p++) {
      const out = sheets.ptr + p * ld * 8;
      kernel(n, channels, 1 / channels, (x.ptr + p * bytes) as Ptr<'f64'>, out as Ptr<'f64'>);
    }
  });
  return sheets;
}

/** The two batches in wasm memory; `two` is `one` for a batch with itself. */
export interface Operands {
  readonly one: Ticket;
  readonly two: Ticket;
}

/** x1 x2^T / channels for rows [row, row + rows) of batch one, all columns of batch two, on the wanted positions. */
export function inputJoint(
  core: Core,
  [first, second]: readonly [Batch, Batch],
  {
    options: { one, two },
    range: [row, rows],
    layout,
    ntk,
  }: {
    readonly options: Operands;
    readonly range: readonly [number, number];
    readonly layout: Layout;
    readonly ntk: boolean;
  },
): Joint {
  const { dtype } = one;
  const bytes = dtype === 'f32' ? 4 : 8;
  const ld = padded(second.n);
  const sheets = sheetCount(layout);
  const k = new Sheets(core, dtype as 'f64', sheets * rows * ld, true);
  const t = ntk ? new Sheets(core, dtype as 'f64', sheets * rows * ld, true) : null;
  const pairs = positionPairs(layout);
  const { channels } = first;
  const gemm = core.kernels[dtype === 'f32' ? 'gemm_f32' : 'gemm_f64'] as typeof core.kernels.gemm_f64;
  core.heap.scope((scope) => {
    const work = scope.alloc('u8', core.kernels.gemmWorkBytes()).ptr;
    for (let sheet = 0; sheet < sheets; sheet++) {
      const a = one.ptr + (pairs[2 * sheet]! * first.n + row) * channels * bytes;
      const b = two.ptr + pairs[2 * sheet + 1]! * second.n * channels * bytes;
      const c = k.ptr + sheet * rows * ld * bytes;
      gemm(
        0,
        1,
        rows,
        second.n,
        channels,
        1 / channels,
        a as Ptr<'f64'>,
        channels,
        b as Ptr<'f64'>,
        channels,
        0,
        c as Ptr<'f64'>,
        ld,
        work,
      );
    }
  });
  return { rows, ld, layout, k, t };
}
