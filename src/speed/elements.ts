// Bench cases of kernels that go through arrays: elementary functions, activations, rows, losses, optimisers, random numbers.
// What computes is measured against vector square roots (a rate in elements), what moves against the memory stream (bytes).
import { kernelOf } from '../layers/rows.js';
import type { Allocator, Core, FloatType } from '../wasm/engine.js';
import type { BenchCase, Limit } from './case.js';
import { noise } from './linalg.js';

const DTYPES = ['f64', 'f32'] as const;
const N = 8192; // numbers in cache
const MANY = 2 ** 22; // numbers from memory
const bytesOf = (dtype: FloatType): number => (dtype === 'f32' ? 4 : 8);

type Call = (...args: number[]) => unknown;
interface Row {
  readonly name: string;
  /** Kernel without its dtype. */
  readonly kernel: string;
  /** Numbers per array; default N. */
  readonly length?: number;
  /** Elements (roots) or words moved (bytes) per number; default 1. */
  readonly work?: number;
  readonly limit?: Limit;
  /** Arrays of noise in (-1/2, 1/2), and the call with their addresses. */
  readonly arrays: number;
  readonly call: (kernel: Call, at: readonly number[], length: number) => void;
  /** One number of the plain loop. */
  readonly naive?: (x: number) => number;
}

function cases(row: Row): BenchCase[] {
  const { name, kernel, length = N, work = 1, limit = 'roots', arrays, call, naive } = row;
  return DTYPES.map((dtype) => ({
    ...{ name: `${name} ${dtype}`, dtype, limit },
    work: work * length * (limit === 'bytes' ? bytesOf(dtype) : 1),
    prepare: (core: Core, memory: Allocator) => {
      const at = Array.from({ length: arrays }, () => noise(core, memory, dtype, length).ptr as number);
      const run = kernelOf(core, kernel, dtype) as Call;
      return () => call(run, at, length);
    },
    ...(naive ? { naive: () => loop(dtype, naive, DOMAINS[name] ?? [-4, 4]) } : {}),
  }));
}

/** Where the loop of a function goes; others: -4 to 4. */
const DOMAINS: Readonly<Record<string, readonly [number, number]>> = {
  ...{ log: [0.001, 8], log1p: [-0.999, 7], asin: [-1, 1], acos: [-1, 1] },
};
/** y[i] = f(x[i]) over N numbers of a domain. */
function loop(dtype: FloatType, f: (x: number) => number, [low, high]: readonly [number, number]) {
  const x = dtype === 'f32' ? new Float32Array(N) : new Float64Array(N);
  const y = x.slice();
  for (let i = 0; i < N; i++) x[i] = low + ((high - low) * i) / N;
  const run = (): void => {
    for (let i = 0; i < N; i++) y[i] = f(x[i]!);
  };
  return { run, work: N };
}

// The loops of a user: accuracy and bits of Math do not matter for a measurement of time.
const ELEMENTARY: readonly (readonly [name: string, naive?: (x: number) => number])[] = [
  ['exp', Math.exp],
  ['expm1', Math.expm1],
  ['log', Math.log],
  ['log1p', Math.log1p],
  ['sigmoid', (x) => 1 / (1 + Math.exp(-x))],
  ['tanh', Math.tanh],
  ['erf'],
  ['erfc'],
  ['sin', Math.sin],
  ['cos', Math.cos],
  ['asin', Math.asin],
  ['acos', Math.acos],
  ['sinh', Math.sinh],
  ['cosh', Math.cosh],
];
const elementary = ELEMENTARY.flatMap(([name, naive]) =>
  cases({
    ...{ name, kernel: name, arrays: 2, call: (run, [x, y], n) => run(n, x!, y!) },
    ...(naive ? { naive } : {}),
  }),
);
const atan2 = cases({
  ...{ name: 'atan2', kernel: 'atan2', arrays: 3, call: (run, [x, y, out], n) => run(n, x!, y!, out!) },
  naive: (x) => Math.atan2(x, 0.25),
});

/** Codes: layers/activation/codes.ts; forward, and backward in one sweep. */
const ACTIVATIONS: readonly (readonly [name: string, code: number, a: number, b: number])[] = [
  ['relu', 0, 0, 1],
  ['erf', 2, 1, 1],
  ['gelu', 7, 0, 0],
  ['tanh', 11, 0, 0],
  ['sigmoid', 12, 0, 0],
  ['softplus', 13, 0, 0],
  ['swish', 14, 0, 0],
  ['elu', 15, 1, 1],
  ['mish', 16, 0, 0],
];
const activations = ACTIVATIONS.flatMap(([name, code, a, b]) => [
  ...cases({
    ...{ name: `activation-${name}`, kernel: 'activation', arrays: 2 },
    call: (run, [x, y], n) => run(code, 0, n, x!, y!, a, b, 0, 0, 0),
  }),
  ...cases({
    ...{ name: `activation-${name}-back`, kernel: 'activationProduct', arrays: 3 },
    call: (run, [x, v, z], n) => run(code, 1, n, x!, v!, 0, z!, a, b, 0, 0, 0),
  }),
]);

const moved = (name: string, kernel: string, words: number, arrays: number, call: Row['call']): BenchCase[] =>
  cases({ ...{ name, kernel, arrays, call }, length: MANY, work: words, limit: 'bytes' });
const WIDTH = 512;
const rows = [
  ...moved('sgd', 'rowsCombine', 3, 2, (run, [g, p], n) => run(1, n, -1e-9, g!, 0, 1, p!, 0)),
  ...moved('column-sum', 'rowsSum', 1, 2, (run, [x, y], n) => run(n / WIDTH, WIDTH, 1, x!, 0, y!)),
  ...moved('hadamard', 'rowsMultiply', 3, 3, (run, [x, y, z], n) => run(n, x!, y!, 0, z!)),
  ...moved('rmsprop', 'rmsprop', 5, 3, (run, [g, s, p], n) => run(n, 1e-9, 1, 1, g!, s!, p!)),
  ...moved('adam', 'adam', 7, 4, (run, [g, m, v, p], n) => run(n, 1e-9, 0.9, 1, 1, 0, 1, g!, m!, v!, p!)),
  ...cases({
    ...{ name: 'layer-norm', kernel: 'rowsNormalise', arrays: 3 },
    call: (run, [x, y, s], n) => run(n / WIDTH, WIDTH, 1e-5, x!, y!, s!),
  }),
  ...cases({
    ...{ name: 'layer-norm-back', kernel: 'rowsProject', arrays: 4 },
    call: (run, [y, s, v, out], n) => run(n / WIDTH, WIDTH, y!, s!, v!, 0, out!),
  }),
  ...cases({
    ...{ name: 'softmax', kernel: 'rowsSoftmax', arrays: 2 },
    call: (run, [x, y], n) => run(n / 64, 64, x!, y!),
  }),
  ...cases({
    ...{ name: 'softmax-back', kernel: 'rowsSoftmaxBack', arrays: 3 },
    call: (run, [p, v, out], n) => run(n / 64, 64, p!, v!, 0, out!),
  }),
];

const losses = ['mse', 'logistic', 'cross-entropy'].flatMap((name, kind) =>
  DTYPES.map((dtype): BenchCase => ({
    ...{ name: `loss-${name} ${dtype}`, dtype, limit: 'roots', work: N },
    prepare: (core, memory) => {
      const [f, g] = [noise(core, memory, dtype, N), noise(core, memory, dtype, N)];
      const y = noise(core, memory, 'f64', N);
      const run = kernelOf(core, 'loss', dtype) as Call;
      return () => run(kind, N / 16, 16, 1, f.ptr, y.ptr, g.ptr);
    },
  })),
);

const random = [
  ...cases({
    name: 'uniform',
    kernel: 'randomUniform',
    arrays: 1,
    call: (run, [x], n) => run(1, 2, 0, n, 0, 1, x!),
  }),
  ...cases({
    name: 'normal',
    kernel: 'randomNormal',
    arrays: 1,
    call: (run, [x], n) => run(1, 2, 0, n, 0, 1, x!),
  }),
];
const permutation: BenchCase = {
  ...{ name: 'permutation', dtype: 'f64', limit: 'roots', work: N },
  prepare: ({ kernels }, memory) => {
    const out = memory.alloc('i32', N).ptr;
    return () => kernels.randomPermutation(1, 2, N, out);
  },
};

export const elementCases: readonly BenchCase[] = [
  ...[...elementary, ...atan2, ...activations],
  ...[...rows, ...losses, ...random, permutation],
];
