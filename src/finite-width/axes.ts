// Eigenvectors of covariances of up to four samples, by Jacobi rotations: small, and the same everywhere.

export interface PrincipalAxes {
  /** Row j: an eigenvector times the square root of its eigenvalue, (rank x m). */
  readonly axes: Float64Array;
  readonly values: readonly number[];
  readonly rank: number;
}

/** Eigenvalues below this share of the largest are zero: samples that depend on the others. */
const NOTHING = 1e-12;

export function principalAxes(k: ArrayLike<number>, m: number): PrincipalAxes {
  const a = Float64Array.from({ length: m * m }, (_, i) => k[i]!);
  const v = Float64Array.from({ length: m * m }, (_, i) => (i % (m + 1) === 0 ? 1 : 0));
  for (let sweep = 0; sweep < 30; sweep++) {
    let off = 0;
    for (let i = 0; i < m; i++) for (let j = 0; j < i; j++) off += a[i * m + j]! ** 2;
    if (off === 0) break;
    for (let i = 0; i < m; i++) for (let j = i + 1; j < m; j++) rotate(a, v, m, [i, j]);
  }
  const order = Array.from({ length: m }, (_, i) => i).sort((i, j) => a[j * m + j]! - a[i * m + i]!);
  const largest = a[order[0]! * m + order[0]!]!;
  const kept = order.filter((i) => a[i * m + i]! > NOTHING * largest);
  const values = kept.map((i) => a[i * m + i]!);
  const axes = Float64Array.from(
    kept.flatMap((i, j) => Array.from({ length: m }, (_, s) => Math.sqrt(values[j]!) * v[s * m + i]!)),
  );
  return { axes, values, rank: kept.length };
}

/** Zeroes a_ij by a rotation of the plane (i, j). */
function rotate(a: Float64Array, v: Float64Array, m: number, [i, j]: readonly [number, number]): void {
  const off = a[i * m + j]!;
  if (off === 0) return;
  const theta = (a[j * m + j]! - a[i * m + i]!) / (2 * off);
  const t = (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
  const c = 1 / Math.sqrt(t * t + 1);
  const s = t * c;
  for (let r = 0; r < m; r++) {
    const [x, y] = [a[r * m + i]!, a[r * m + j]!];
    a[r * m + i] = c * x - s * y;
    a[r * m + j] = s * x + c * y;
  }
  for (let r = 0; r < m; r++) {
    const [x, y] = [a[i * m + r]!, a[j * m + r]!];
    a[i * m + r] = c * x - s * y;
    a[j * m + r] = s * x + c * y;
    const [p, q] = [v[r * m + i]!, v[r * m + j]!];
    v[r * m + i] = c * p - s * q;
    v[r * m + j] = s * p + c * q;
  }
  a[i * m + j] = a[j * m + i] = 0;
}
