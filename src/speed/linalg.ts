// Bench cases of linear algebra: products, Gram matrices, Cholesky, solves, eigenpairs.
import type { Allocator, Core, FloatType, Ticket } from '../wasm/engine.js';
import { choleskyFactor, choleskySolve } from '../math/cholesky.js';
import { eighInPlace } from '../math/eigh.js';
import { gemm, gemv, gram, symv } from '../math/matmul.js';
import { randomKey, uniformAt } from '../math/random.js';
import type { BenchCase } from './case.js';

const DTYPES = ['f64', 'f32'] as const;
const key = randomKey(1);

/** A block of random numbers repeated: uneven enough for arithmetic, cheap to make. */
export function noise(core: Core, memory: Allocator, dtype: FloatType, length: number): Ticket<FloatType> {
  const ticket: Ticket<FloatType> = memory.alloc(dtype, length);
  const block = Float64Array.from({ length: Math.min(length, 4099) }, (_, i) => uniformAt(key, i) - 0.5);
  for (let at = 0; at < length; at += block.length) {
    core.heap.write(ticket, block.subarray(0, Math.min(block.length, length - at)), at);
  }
  return ticket;
}
/** I + 0.1 of a random symmetric matrix over n: positive definite. */
function positive(core: Core, memory: Allocator, dtype: FloatType, n: number): Ticket<FloatType> {
  const a = noise(core, memory, dtype, n * n);
  for (let i = 0; i < n; i++) core.heap.write(a, [n / 4], i * n + i);
  return a;
}
const array = (dtype: FloatType, length: number): Float64Array | Float32Array =>
  dtype === 'f32' ? new Float32Array(length).fill(0.5) : new Float64Array(length).fill(0.5);

/** The loop everybody writes first (i, k, j: stride 1 inside), on at most 256 rows. */
function naiveGemm(dtype: FloatType, size: number) {
  const n = Math.min(size, 256);
  const [a, b, c] = [array(dtype, n * n), array(dtype, n * n), array(dtype, n * n)];
  const run = (): void => {
    c.fill(0);
    for (let i = 0; i < n; i++) {
      for (let k = 0; k < n; k++) {
        const f = a[i * n + k]!;
        for (let j = 0; j < n; j++) c[i * n + j]! += f * b[k * n + j]!;
      }
    }
  };
  return { run, work: 2 * n ** 3 };
}
function naiveCholesky(dtype: FloatType, size: number) {
  const n = Math.min(size, 256);
  const a = array(dtype, n * n);
  const l = array(dtype, n * n);
  for (let i = 0; i < n; i++) a[i * n + i] = n;
  const run = (): void => {
    l.set(a);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j <= i; j++) {
        let sum = l[i * n + j]!;
        for (let k = 0; k < j; k++) sum -= l[i * n + k]! * l[j * n + k]!;
        l[i * n + j] = i === j ? Math.sqrt(sum) : sum / l[j * n + j]!;
      }
    }
  };
  return { run, work: n ** 3 / 3 };
}

const gemmCases = (dtype: FloatType): BenchCase[] =>
  [64, 256, 512, 1024].map((n) => ({
    name: `gemm ${dtype} ${n}`,
    dtype,
    limit: 'flops',
    work: 2 * n ** 3,
    goal: { ratio: n >= 256 ? 0.9 : 0.8 },
    prepare: (core, memory) => {
      const [a, b, c] = [0, 1, 2].map(() => noise(core, memory, dtype, n * n)) as [
        Ticket<FloatType>,
        Ticket<FloatType>,
        Ticket<FloatType>,
      ];
      return () => gemm(core, [a, b, c], [n, n, n]);
    },
    naive: () => naiveGemm(dtype, n),
  }));

const transposedCases = (dtype: FloatType): BenchCase[] =>
  (['nt', 'tn'] as const).map((kind) => ({
    name: `gemm-${kind} ${dtype} 512`,
    dtype,
    limit: 'flops',
    work: 2 * 512 ** 3,
    goal: { ratio: 0.9 },
    prepare: (core, memory) => {
      const [a, b, c] = [0, 1, 2].map(() => noise(core, memory, dtype, 512 * 512)) as [
        Ticket<FloatType>,
        Ticket<FloatType>,
        Ticket<FloatType>,
      ];
      return () => gemm(core, [a, b, c], [512, 512, 512], { transA: kind === 'tn', transB: kind === 'nt' });
    },
  }));

const gramCases = (dtype: FloatType): BenchCase[] =>
  [64, 512, 1024].map((n) => ({
    name: `gram ${dtype} ${n}`,
    dtype,
    limit: 'flops',
    work: n * n * (n + 1),
    ...(n >= 512 ? { goal: { ratio: 0.85 } } : {}),
    prepare: (core, memory) => {
      const x = noise(core, memory, dtype, n * n);
      const c = noise(core, memory, dtype, n * n);
      return () => gram(core, x, c, [n, n]);
    },
  }));

const choleskyCases = (dtype: FloatType): BenchCase[] =>
  [256, 1024].map((n) => ({
    name: `cholesky ${dtype} ${n}`,
    dtype,
    limit: 'flops',
    work: n ** 3 / 3,
    ...(n === 1024 ? { goal: { ratio: 0.7, of: `gemm ${dtype} ${n}` } } : {}),
    prepare: (core, memory) => {
      const l = positive(core, memory, dtype, n);
      const a = core.heap.read(l);
      return () => {
        core.heap.write(l, a); // a copy inside the cache: a few per cent of the time at n = 256
        choleskyFactor(core, l, n);
      };
    },
    naive: () => naiveCholesky(dtype, n),
  }));

const solveCases = (dtype: FloatType): BenchCase[] =>
  [1024].map((n) => ({
    name: `solve ${dtype} ${n}x64`,
    dtype,
    limit: 'flops',
    work: 2 * n * n * 64,
    goal: { ratio: 0.7, of: `gemm ${dtype} ${n}` },
    prepare: (core, memory) => {
      const l = positive(core, memory, dtype, n);
      const b = noise(core, memory, dtype, n * 64);
      choleskyFactor(core, l, n);
      return () => choleskySolve(core, l, b, [n, 64]);
    },
  }));

const vectorCases: BenchCase[] = [256, 2048].flatMap((n): BenchCase[] => [
  {
    name: `gemv f64 ${n}`,
    dtype: 'f64',
    limit: 'bytes',
    work: 8 * n * n,
    prepare: (core, memory) => {
      const [a, x, y] = [
        noise(core, memory, 'f64', n * n),
        noise(core, memory, 'f64', n),
        noise(core, memory, 'f64', n),
      ];
      return () => gemv(core, a, x, y, { sizes: [n, n] });
    },
  },
  {
    name: `symv f64 ${n}`,
    dtype: 'f64',
    limit: 'bytes',
    work: 4 * n * n,
    prepare: (core, memory) => {
      const [a, x, y] = [
        noise(core, memory, 'f64', n * n),
        noise(core, memory, 'f64', n),
        noise(core, memory, 'f64', n),
      ];
      return () => symv(core, a, x, y, { n });
    },
  },
]);

const eighCases: BenchCase[] = [64, 256, 512].map((n) => ({
  name: `eigh f64 ${n}`,
  dtype: 'f64',
  limit: 'flops',
  work: 9 * n ** 3, // the customary count for all eigenpairs; the flops done are at most 4 n^3
  prepare: (core, memory) => {
    const a = noise(core, memory, 'f64', n * n) as Ticket<'f64'>;
    const w = memory.alloc('f64', n);
    const v = memory.alloc('f64', n * n);
    return () => eighInPlace(core, a, w, v, { n });
  },
}));

export const linalgCases: readonly BenchCase[] = [
  ...DTYPES.flatMap((dtype) => [
    ...gemmCases(dtype),
    ...transposedCases(dtype),
    ...gramCases(dtype),
    ...choleskyCases(dtype),
    ...solveCases(dtype),
  ]),
  ...vectorCases,
  ...eighCases,
];
