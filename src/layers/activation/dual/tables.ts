// What the joint rows of an activation read of one side: per-variable tables, and exact values at identical variables.
import { NumericalError, type Core, type FloatType, type Ptr } from '../../../wasm/engine.js';
import { Sheets } from '../../states/state.js';
import type { Dual } from './dual.js';
import { hermiteDual, polynomialDual, type PolynomialDual } from './polynomial.js';
import { hasTerm, type Parity } from './hermite.js';
import { HEAD, hermiteTerms } from './hermite-tables.js';
import { log } from '../../../math/elementary.js';

/** Duals that become tables. */
export type TableDual = Exclude<Dual, { form: 'function' }>;

export interface DualTables {
  readonly kind: number;
  readonly params: readonly number[];
  /** `count` tables of `stride` entries. */
  readonly tables: Sheets;
  readonly count: number;
  readonly stride: number;
  /** E[phi(u)^2] and E[phi'(u)^2] of every variable. */
  readonly kappa: Float64Array<ArrayBuffer>;
  readonly slope: Float64Array<ArrayBuffer>;
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
  const { kind, params, width, entries, rows } = tableEntries(dual, k, tolerance);
  const stride = k.length;
  const column = (at: number): Float64Array<ArrayBuffer> => {
    const values = new Float64Array(stride);
    for (let i = 0; i < stride; i++) values[i] = entries[rows[i]! * width + at]!;
    return values;
  };
  const count = width - EXACT;
  const tables = new Sheets(core, dtype, count * stride);
  for (let j = 0; j < count; j++) core.heap.write(tables.ticket, column(EXACT + j), j * stride);
  return { kind, params, tables, count, stride, kappa: column(0), slope: column(1) };
}

/** Duals whose tables are made here: rowSeries and rowElu of assembly read them. */
export type SeriesDual = Exclude<TableDual, { form: 'closed' }>;

/** Numbers in front of the tables of a variable: kappa and slope. */
export const EXACT = 2;

/** What the rows of a series read of every variable, equal variables once. */
export interface TableEntries extends Pick<DualTables, 'kind' | 'params'> {
  /** Numbers per row: kappa, slope, then one of each table. */
  readonly width: number;
  readonly entries: Float64Array<ArrayBuffer>;
  /** The row of every variable. */
  readonly rows: Int32Array;
}

/** The tables of a series or a polynomial at variances `k`. */
export function tableEntries(dual: SeriesDual, k: Float64Array, tolerance: number): TableEntries {
  if (!k.every((value) => value < Infinity)) {
    const worst = k.find((value) => !(value < Infinity));
    throw new NumericalError(
      `kernel: the variance in front of an activation is ${worst}. Use smaller inputs or wStd.`,
    );
  }
  if (dual.form === 'series') return seriesEntries(dual, k, tolerance);
  const poly = dual.form === 'hermite' ? hermiteDual(dual.degree) : polynomialDual(dual.coefficients);
  const terms = Math.max(2, poly.degree + 1);
  const width = EXACT + 1 + terms;
  const entries = new Float64Array(k.length * width);
  for (let i = 0; i < k.length; i++) {
    const row = entries.subarray(i * width, (i + 1) * width);
    row.set(polynomialDiagonal(poly, k[i]!));
    row[EXACT] = 1;
    for (let l = 0; l <= poly.degree; l++) row[EXACT + 1 + l] = poly.value(l, k[i]!);
  }
  return { kind: 11, params: [terms - 2, 1, 1, 0], width, entries, rows: Int32Array.from(k, (_, i) => i) };
}

function seriesEntries(
  { fn, elu }: Extract<Dual, { form: 'series' }>,
  k: Float64Array,
  tolerance: number,
): TableEntries {
  const found = hermiteTerms(fn, k, tolerance);
  const { parity: own, rows, values, lengths } = found;
  const parity = elu ? GENERAL : own;
  const terms = Math.max(...new Set(lengths));
  const count = elu ? Math.min(terms, Math.ceil(log(tolerance) / log(ELU_SERIES))) : terms;
  const taken = Array.from({ length: count }, (_, l) => l).filter((l) => hasTerm(parity, l));
  let next = HEAD;
  const columns = Int32Array.from({ length: count }, (_, l) => (hasTerm(own, l) ? next++ : -1));
  const head = EXACT + 2;
  const width = head + taken.length;
  const entries = new Float64Array(lengths.length * width);
  for (let i = 0, done = 0; i < k.length; i++) {
    const row = rows[i]!;
    if (row < done) continue;
    done = row + 1;
    const [from, to] = [row * found.width, row * width];
    entries[to] = values[from + 1]!;
    entries[to + 1] = values[from + 2]!;
    entries[to + 2] = k[i]! > 0 ? 1 / Math.sqrt(k[i]!) : 0;
    entries[to + 3] = values[from]!;
    // Nothing beyond a variable's own length, whatever is beside it: bits do not depend on tiles.
    for (let t = 0; t < taken.length && taken[t]! < lengths[row]!; t++) {
      const column = columns[taken[t]!]!;
      if (column >= 0) entries[to + head + t] = values[from + column]!;
    }
  }
  const middle = elu ? [elu.alpha, elu.gain ** 2] : [parity.power, parity.step];
  return { kind: elu ? 12 : 11, params: [taken.length - 1, ...middle, log(tolerance)], width, entries, rows };
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
  const tables = new Sheets(core, dtype, 2 * k.length);
  return core.heap.scope((scope) => {
    const block = scope.put(parameterBlock({ params })).ptr;
    const [input, kappa, slope] = [scope.put(k), scope.alloc('f64', k.length), scope.alloc('f64', k.length)];
    core.kernels.dualDiagonal(kind, k.length, block, input.ptr, kappa.ptr, slope.ptr);
    const fill = core.kernels[
      dtype === 'f32' ? 'dualTables_f32' : 'dualTables_f64'
    ] as typeof core.kernels.dualTables_f64;
    fill(kind, k.length, block, input.ptr, tables.ptr as Ptr<'f64'>, k.length);
    const read = { kappa: core.heap.read(kappa), slope: core.heap.read(slope) };
    return { kind, params, tables, count: 2, stride: k.length, ...read };
  });
}

/** E[phi(u)^2] and E[phi'(u)^2] at variance k. */
function polynomialDiagonal(poly: PolynomialDual, k: number): [kappa: number, slope: number] {
  let [kappa, slope, power, before] = [0, 0, 1, 0];
  for (let l = 0; l <= poly.degree; l++) {
    const q = poly.value(l, k);
    kappa += q * q * power;
    slope += l * q * q * before;
    before = power;
    power *= k;
  }
  return [kappa, slope];
}
