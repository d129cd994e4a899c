// What the joint rows of an activation read of one side: per-variable tables, and exact values at identical variables.
import { NumericalError, type Core, type FloatType, type Ptr } from '../../wasm/engine.js';
import { Planes } from '../kernel/state.js';
import type { Dual } from './dual.js';
import { hermiteDual, polynomialDual, type PolynomialDual } from './polynomial.js';
import { hasTerm, parityOf, type Parity } from './hermite.js';
import { hermiteSeries } from './hermite-tables.js';
import { log } from '../../math/elementary.js';

/** Duals that become tables. */
export type TableDual = Exclude<Dual, { form: 'function' }>;

export interface DualTables {
  readonly kind: number;
  readonly params: readonly number[];
  /** `count` tables of `stride` entries. */
  readonly tables: Planes;
  readonly count: number;
  readonly stride: number;
  /** E[phi(u)^2] and E[phi'(u)^2] of every variable. */
  readonly kappa: Float64Array<ArrayBuffer>;
  readonly slope: Float64Array<ArrayBuffer>;
  /** Largest estimated relative error of the joint values; 0 for closed forms. */
  readonly error: number;
}

/** The parameter block of a dual followed by K <- alpha K + beta, T <- alpha T + gamma kappa + delta. */
export function parameterBlock(
  { params }: Pick<DualTables, 'params'>,
  { alpha, beta, gamma, delta }: Affine = IDENTITY,
): Float64Array<ArrayBuffer> {
  const block = new Float64Array(8);
  block.set([alpha, beta, gamma === 0 ? 0 : gamma / alpha, delta]);
  block.set(params, 4);
  return block;
}

/** K <- alpha K + beta, T <- alpha T + gamma K + delta: a dense layer. alpha is positive unless gamma is 0. */
export interface Affine {
  readonly alpha: number;
  readonly beta: number;
  readonly gamma: number;
  readonly delta: number;
}
export const IDENTITY: Affine = { alpha: 1, beta: 0, gamma: 0, delta: 0 };

/** elu and selu take the series up to this |c|; beyond, assembly/dual-elu.ts. */
const ELU_SERIES = 0.9;
const GENERAL: Parity = { power: 1, step: 1 };

/** Tables of variables with variances `k`; the length of `k` is a multiple of 4. */
export function dualTables(
  core: Core,
  dual: TableDual,
  k: Float64Array<ArrayBuffer>,
  dtype: FloatType,
  tolerance: number,
): DualTables {
  if (dual.form === 'closed') return closedTables(core, dual, k, dtype);
  const { rows, ...rest } = tableRows(dual, k, tolerance);
  const stride = k.length;
  const tables = new Planes(core, dtype, rows.length * stride);
  for (const [j, row] of rows.entries()) core.heap.write(tables.ticket, row, j * stride);
  return { tables, count: rows.length, stride, ...rest };
}

/** Duals whose tables are made here: rowSeries and rowElu of assembly read them. */
export type SeriesDual = Exclude<TableDual, { form: 'closed' }>;

/** `rows[j][i]`: table j of variable i. */
export interface TableRows extends Pick<DualTables, 'kind' | 'params' | 'kappa' | 'slope' | 'error'> {
  readonly rows: readonly Float64Array<ArrayBuffer>[];
}

/** The tables of a series or a polynomial at variances `k`. */
export function tableRows(dual: SeriesDual, k: Float64Array<ArrayBuffer>, tolerance: number): TableRows {
  if (dual.form === 'series') {
    const { elu, fn } = dual;
    const { a0, b, terms, lengths, kappa, slope, error } = hermiteSeries(fn, k, tolerance);
    const r = k.map((value) => (value > 0 ? 1 / Math.sqrt(value) : 0));
    const parity = elu ? GENERAL : parityOf(fn);
    const count = elu ? Math.min(terms, Math.ceil(log(tolerance) / log(ELU_SERIES))) : terms;
    // Nothing beyond a variable's own length, whatever is beside it: bits do not depend on tiles.
    const taken = (l: number): boolean => l < count && hasTerm(parity, l);
    const shortest = lengths.reduce((least, length) => Math.min(least, length));
    const cut = (row: Float64Array<ArrayBuffer>, l: number): Float64Array<ArrayBuffer> =>
      l < shortest ? row : row.map((value, i) => (l < lengths[i]! ? value : 0));
    const used = b.flatMap((row, l) => (taken(l) ? [cut(row, l)] : []));
    const middle = elu ? [elu.alpha, elu.gain ** 2] : [parity.power, parity.step];
    const params = [used.length - 1, ...middle, log(tolerance)];
    const kind = elu ? 12 : 11;
    return { kind, params, rows: [r, a0, ...used], kappa, slope, error: elu ? tolerance : error };
  }
  const poly = dual.form === 'hermite' ? hermiteDual(dual.degree) : polynomialDual(dual.coefficients);
  const rows = Array.from({ length: poly.degree + 1 }, (_, l) => k.map((value) => poly.value(l, value)));
  if (poly.degree === 0) rows.push(new Float64Array(k.length));
  const params = [rows.length - 2, 1, 1, 0];
  return { kind: 11, params, rows: [k.map(() => 1), ...rows], ...polynomialDiagonal(poly, k), error: 0 };
}

/** NumericalError where E[phi(u)^2] does not exist at one of the variances. */
export function checkMoments({ kind, params }: Extract<Dual, { form: 'closed' }>, k: Float64Array): void {
  if (kind !== 7 || !(params[1]! > 0) || k.every((value) => 1 - 4 * params[1]! * value > 0)) return;
  throw new NumericalError(
    `kernel: the second moment of gaussian with b = ${params[1]} diverges at variance ${Math.max(...k)}; 1 - 4 b k must be positive. Use a smaller b or wStd.`,
  );
}

function closedTables(
  core: Core,
  dual: Extract<Dual, { form: 'closed' }>,
  k: Float64Array<ArrayBuffer>,
  dtype: FloatType,
): DualTables {
  const { kind, params } = dual;
  checkMoments(dual, k);
  const tables = new Planes(core, dtype, 2 * k.length);
  return core.heap.scope((scope) => {
    const block = scope.put(parameterBlock({ params })).ptr;
    const [input, kappa, slope] = [scope.put(k), scope.alloc('f64', k.length), scope.alloc('f64', k.length)];
    core.kernels.dualDiagonal(kind, k.length, block, input.ptr, kappa.ptr, slope.ptr);
    const fill = core.kernels[
      dtype === 'f32' ? 'dualTables_f32' : 'dualTables_f64'
    ] as typeof core.kernels.dualTables_f64;
    fill(kind, k.length, block, input.ptr, tables.ptr as Ptr<'f64'>, k.length);
    const read = { kappa: core.heap.read(kappa), slope: core.heap.read(slope) };
    return { kind, params, tables, count: 2, stride: k.length, ...read, error: 0 };
  });
}

function polynomialDiagonal(
  poly: PolynomialDual,
  k: Float64Array,
): { kappa: Float64Array<ArrayBuffer>; slope: Float64Array<ArrayBuffer> } {
  const kappa = new Float64Array(k.length);
  const slope = new Float64Array(k.length);
  for (let i = 0; i < k.length; i++) {
    let power = 1;
    let before = 0;
    for (let l = 0; l <= poly.degree; l++) {
      const q = poly.value(l, k[i]!);
      kappa[i] = kappa[i]! + q * q * power;
      slope[i] = slope[i]! + l * q * q * before;
      before = power;
      power *= k[i]!;
    }
  }
  return { kappa, slope };
}
