// Truncated power series c[0] + c[1] eps + ... as arrays, for Taylor models of any order. Plain TypeScript: they serve
// small nets and high orders; values, tangents and gradients run in kernels.
import type { Numbers, Pass, Target } from './finite.js';

export type Series = Float64Array;

export function multiplySeries(a: Series, b: Series): Series {
  const c = new Float64Array(a.length);
  for (let m = 0; m < c.length; m++) for (let j = 0; j <= m; j++) c[m]! += a[j]! * b[m - j]!;
  return c;
}

/** The series of 1/a, a[0] != 0. */
export function invertSeries(a: Series): Series {
  const c = new Float64Array(a.length);
  c[0] = 1 / a[0]!;
  for (let m = 1; m < c.length; m++) {
    let sum = 0;
    for (let j = 1; j <= m; j++) sum += a[j]! * c[m - j]!;
    c[m] = -sum * c[0];
  }
  return c;
}

/** The series of sqrt(a), a[0] > 0. */
export function sqrtSeries(a: Series): Series {
  const c = new Float64Array(a.length);
  c[0] = Math.sqrt(a[0]!);
  for (let m = 1; m < c.length; m++) {
    let sum = a[m]!;
    for (let j = 1; j < m; j++) sum -= c[j]! * c[m - j]!;
    c[m] = sum / (2 * c[0]);
  }
  return c;
}

/** The series of exp(a) given exp(a[0]): m e_m = sum_j j a_j e_{m-j}. */
export function expSeries(a: Series, exp0: number): Series {
  const e = new Float64Array(a.length);
  e[0] = exp0;
  for (let m = 1; m < e.length; m++) {
    let sum = 0;
    for (let j = 1; j <= m; j++) sum += j * a[j]! * e[m - j]!;
    e[m] = sum / m;
  }
  return e;
}

/** The series of F(a) given F(a[0]) and the series d of F'(a): m F_m = sum_j j a_j d_{m-j}. */
export function integrateSeries(a: Series, value0: number, d: Series): Series {
  const c = new Float64Array(a.length);
  c[0] = value0;
  for (let m = 1; m < c.length; m++) {
    let sum = 0;
    for (let j = 1; j <= m; j++) sum += j * a[j]! * d[m - j]!;
    c[m] = sum / m;
  }
  return c;
}

/** c'(t): one coefficient fewer. */
export function derivativeSeries(c: Series): Series {
  return Float64Array.from({ length: c.length - 1 }, (_, j) => (j + 1) * c[j + 1]!);
}

/** c(d(eps)) for a series d without constant term. */
export function composeSeries(c: Series, d: Series): Series {
  let result: Series = new Float64Array(d.length);
  for (let j = c.length - 1; j >= 0; j--) {
    result = multiplySeries(result, d);
    result[0]! += c[j]!;
  }
  return result;
}

/** Writes coefficient `order` of value `y` from the series of every row of `width` entries of value `x`. */
export function seriesThrough(
  pass: Pass,
  {
    x,
    y,
    order,
    rows,
    width,
    rule,
  }: {
    readonly x: number;
    readonly y: number;
    readonly order: number;
    readonly rows: number;
    readonly width: number;
    readonly rule: (row: readonly Series[]) => readonly Series[];
  },
): void {
  const rowOf = seriesRows(pass, order, rows * width, width, (j) =>
    pass.isZero(x, j) ? null : pass.value(x, j),
  );
  const out = new Float64Array(rows * width);
  for (let r = 0; r < rows; r++) rule(rowOf(r)).forEach((series, i) => (out[r * width + i] = series[order]!));
  pass.core.heap.write(pass.value(y, order), out);
}

/** Adds coefficient `order` of what `rule` makes of a row of `x` and the cotangents of its `y`. */
export function seriesBack(
  pass: Pass,
  {
    x,
    y,
    order,
    target: { to, beta },
    rows,
    width,
    rule,
  }: {
    readonly x: number;
    readonly y: number;
    readonly order: number;
    readonly target: Target<Numbers>;
    readonly rows: number;
    readonly width: number;
    readonly rule: (row: readonly Series[], cotangent: readonly Series[]) => readonly Series[];
  },
): void {
  const { heap } = pass.core;
  const length = rows * width;
  const rowOf = seriesRows(pass, order, length, width, (j) => (pass.isZero(x, j) ? null : pass.value(x, j)));
  const cotangentOf = seriesRows(pass, order, length, width, (j) => pass.cotangent(y, j));
  const out = beta === 0 ? new Float64Array(length) : Float64Array.from(heap.read(to), (g) => beta * g);
  for (let r = 0; r < rows; r++)
    rule(rowOf(r), cotangentOf(r)).forEach((series, i) => (out[r * width + i]! += series[order]!));
  heap.write(to, out);
}

/** The rows of a value whose coefficients 0 .. order lie in wasm memory; null: all zero. */
function seriesRows(
  pass: Pass,
  order: number,
  length: number,
  width: number,
  coefficient: (j: number) => Numbers | null,
): (row: number) => Series[] {
  const all = Array.from({ length: order + 1 }, (_, j) => {
    const at = coefficient(j);
    return at ? pass.core.heap.read(at, 0, length) : new Float64Array(length);
  });
  return (row) =>
    Array.from({ length: width }, (_, i) => Float64Array.from(all, (values) => values[row * width + i]!));
}
