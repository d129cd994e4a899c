// Symmetric matrices that break eigensolvers: 50 families, any size.

/** Deterministic numbers in (-1, 1). */
export function source(seed: number): () => number {
  let x = seed >>> 0 || 1;
  return () => {
    x ^= x << 13;
    x >>>= 0;
    x ^= x >>> 17;
    x ^= x << 5;
    x >>>= 0;
    return (x / 4294967296) * 2 - 1;
  };
}

function fill(n: number, f: (i: number, j: number) => number): Float64Array {
  const a = new Float64Array(n * n);
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) a[i * n + j] = f(i, j);
  return a;
}
function lower(n: number, f: (i: number, j: number) => number): Float64Array {
  const a = new Float64Array(n * n);
  for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) a[i * n + j] = a[j * n + i] = f(i, j);
  return a;
}
export function randomSymmetric(n: number, seed: number): Float64Array {
  const next = source(seed);
  return lower(n, next);
}
const diagonal = (n: number, f: (i: number) => number): Float64Array =>
  fill(n, (i, j) => (i === j ? f(i) : 0));
const tridiagonal = (n: number, d: (i: number) => number, e: (i: number) => number): Float64Array =>
  lower(n, (i, j) => (i === j ? d(i) : i === j + 1 ? e(j) : 0));
function gram(n: number, k: number, seed: number): Float64Array {
  const next = source(seed);
  const x = Float64Array.from({ length: n * k }, next);
  return lower(n, (i, j) => {
    let sum = 0;
    for (let t = 0; t < k; t++) sum += x[i * k + t]! * x[j * k + t]!;
    return sum;
  });
}
/** Two random reflections of a diagonal matrix. */
function withEigenvalues(n: number, f: (i: number) => number): Float64Array {
  let a = diagonal(n, f);
  const next = source(n + 1);
  for (let turn = 0; turn < 2; turn++) {
    const v = Float64Array.from({ length: n }, next);
    const norm = Math.sqrt(v.reduce((sum, x) => sum + x * x, 0));
    const u = v.map((x) => x / norm);
    const w = u.map((_, i) => u.reduce((sum, x, j) => sum + a[i * n + j]! * x, 0));
    const k = u.reduce((sum, x, i) => sum + x * w[i]!, 0);
    const old = a;
    a = lower(n, (i, j) => old[i * n + j]! - 2 * u[i]! * w[j]! - 2 * w[i]! * u[j]! + 4 * k * u[i]! * u[j]!);
  }
  return a;
}
const graded = (power: (i: number, j: number, n: number) => number) => (n: number) => {
  const a = randomSymmetric(n, 3);
  return fill(n, (i, j) => a[i * n + j]! * 10 ** power(i, j, n));
};
const scaled = (seed: number, factor: (n: number) => number) => (n: number) =>
  randomSymmetric(n, seed).map((x) => x * factor(n));

export const families: Readonly<Record<string, (n: number) => Float64Array>> = {
  random: (n) => randomSymmetric(n, n + 1),
  integers: (n) => randomSymmetric(n, 4).map((x) => Math.round(3 * x)),
  signs: (n) => randomSymmetric(n, 4).map((x) => Math.sign(x) || 1),
  zero: (n) => new Float64Array(n * n),
  identity: (n) => diagonal(n, () => 1),
  diagonalRandom: (n) => diagonal(n, source(5)),
  diagonalDescending: (n) => diagonal(n, (i) => n - i),
  diagonalGraded: (n) => diagonal(n, (i) => 10 ** ((-16 * i) / n)),
  ones: (n) => fill(n, () => 1),
  rankOne: (n) => gram(n, 1, 9),
  gramDeficient: (n) => gram(n, Math.max(1, n >> 4), 3),
  gramHalf: (n) => gram(n, Math.max(1, n >> 1), 4),
  gramDuplicates: (n) => {
    const m = Math.max(1, n >> 1);
    const g = gram(m, m, 8);
    return fill(n, (i, j) => g[(i % m) * m + (j % m)]!);
  },
  rbf: (n) => {
    const next = source(2);
    const x = Array.from({ length: n }, () => [next(), next()] as const);
    return fill(n, (i, j) => Math.exp(-((x[i]![0] - x[j]![0]) ** 2 + (x[i]![1] - x[j]![1]) ** 2)));
  },
  wilkinson: (n) =>
    tridiagonal(
      n,
      (i) => Math.abs(i - (n - 1) / 2),
      () => 1,
    ),
  gluedWilkinson: (n) =>
    tridiagonal(
      n,
      (i) => Math.abs((i % 21) - 10),
      (i) => (i % 21 === 20 ? 1e-8 : 1),
    ),
  gluedTiny: (n) =>
    tridiagonal(
      n,
      (i) => Math.abs((i % 21) - 10),
      (i) => (i % 21 === 20 ? 1e-14 : 1),
    ),
  laplacian: (n) =>
    tridiagonal(
      n,
      () => 2,
      () => -1,
    ),
  zeroDiagonal: (n) =>
    tridiagonal(
      n,
      () => 0,
      () => 1,
    ),
  clement: (n) =>
    tridiagonal(
      n,
      () => 0,
      (i) => Math.sqrt((i + 1) * (n - 1 - i)),
    ),
  tinyCouplings: (n) =>
    tridiagonal(
      n,
      () => 1,
      (i) => 1e-17 * (i + 1),
    ),
  negativeCouplings: (n) =>
    tridiagonal(
      n,
      (i) => i % 3,
      () => -1e-9,
    ),
  hilbert: (n) => fill(n, (i, j) => 1 / (i + j + 1)),
  lehmer: (n) => fill(n, (i, j) => (Math.min(i, j) + 1) / (Math.max(i, j) + 1)),
  minimum: (n) => fill(n, (i, j) => Math.min(i, j) + 1),
  threefold: (n) => withEigenvalues(n, (i) => i % 3),
  twoValues: (n) => withEigenvalues(n, (i) => (i < n >> 1 ? 1 : -1)),
  oneOutlier: (n) => withEigenvalues(n, (i) => (i ? 1 : 2)),
  cluster12: (n) => withEigenvalues(n, (i) => 1 + i * 1e-12),
  cluster15: (n) => withEigenvalues(n, (i) => 1 + i * 1e-15),
  clusters: (n) => withEigenvalues(n, (i) => (i % 5) + i * 1e-12),
  geometric16: (n) => withEigenvalues(n, (i) => 10 ** ((-16 * i) / Math.max(1, n - 1))),
  geometric300: (n) => withEigenvalues(n, (i) => 10 ** ((-300 * i) / Math.max(1, n - 1))),
  arithmetic: (n) => withEigenvalues(n, (i) => i - n / 2),
  epsilonCluster: (n) => withEigenvalues(n, (i) => (i === 0 ? 1 : 2 ** -52 * (i + 1))),
  graded16: graded((i, j, n) => (-8 * (i + j)) / n),
  gradedUp: graded((i, j, n) => (-8 * (2 * n - i - j)) / n),
  graded100: graded((i, j, n) => (-100 * (i + j)) / n),
  graded300: graded((i, j, n) => (-150 * (i + j)) / n),
  arrow: (n) => fill(n, (i, j) => (i === j ? i : i === 0 || j === 0 ? 1 : 0)),
  arrowTiny: (n) => fill(n, (i, j) => (i === j ? 1 : i === n - 1 || j === n - 1 ? 1e-9 : 0)),
  antidiagonal: (n) => fill(n, (i, j) => (i + j === n - 1 ? 1 : 0)),
  sparse: (n) => randomSymmetric(n, 11).map((x) => (Math.abs(x) > 0.95 ? x : 0)),
  blockDiagonal: (n) => {
    const a = randomSymmetric(n, 6);
    return fill(n, (i, j) => (Math.floor(i / 7) === Math.floor(j / 7) ? a[i * n + j]! : 0));
  },
  huge: scaled(2, () => 1e300),
  hugest: scaled(2, (n) => 1.7e308 / Math.max(1, n)),
  tiny: scaled(2, () => 1e-300),
  subnormal: scaled(2, () => 1e-315),
  oneTinyCoupling: (n) => lower(n, (i, j) => (i === j ? i : i === n - 1 && j === 0 ? 1e-200 : 0)),
  mixed: (n) => {
    const next = source(4);
    return lower(n, () => next() * 10 ** (20 * next()));
  },
};
