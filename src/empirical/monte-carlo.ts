// Kernels of anything that has a finite model, by averaging empirical kernels over draws of the weights.
import { usesFunctions } from '../layers/registry.js';
import { foldIn, randomKey } from '../math/random.js';
import { asTensor, type Tensor, type TensorLike } from '../math/tensor.js';
import type { KernelGet, KernelName, KernelResult } from '../kernel/index.js';
import { checkNames } from '../kernel/tiles/checks.js';
import { parseNet, type NetDocument } from '../net/document.js';
import type { Layer } from '../layers/vocabulary.js';
import { createModel } from '../net/model.js';
import { defineJob, knownFields, type Engine, type Fields, type Job } from '../wasm/engine.js';
import { empiricalNngp, empiricalNtk } from './kernels.js';

export interface MonteCarloOptions<G extends KernelGet = readonly ['nngp', 'ntk']> {
  /** Most draws of the weights; default 256. */
  readonly samples?: number;
  /** Whole number from 0 to 2^32; default 0. The same seed gives the same bits for any number of workers. */
  readonly seed?: number;
  /** Which kernels; default both. */
  readonly get?: G;
  /** Edge weights (n, v, v) of aggregate layers for x1 and x2; default: the identity. */
  readonly pattern1?: TensorLike | null;
  readonly pattern2?: TensorLike | null;
  /** Stops once the standard error is below this share of the root mean square of the kernel (all kernels asked for). */
  readonly targetRelativeError?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
}

export interface MonteCarloEstimate {
  readonly kernel: Tensor;
  /** Standard error of every entry of the mean. */
  readonly standardError: Tensor;
}
/** Estimates of the kernels asked for, and how many draws they are made of. */
export type MonteCarloResult<G extends KernelGet = readonly ['nngp', 'ntk']> = {
  readonly [K in keyof KernelResult<G>]: MonteCarloEstimate;
} & { readonly samples: number };

interface ChunkParams {
  readonly net: Layer;
  readonly x1: Tensor;
  readonly x2: Tensor | null;
  readonly get: readonly KernelName[];
  readonly seeds: readonly number[];
  readonly patterns: { readonly pattern1?: Tensor; readonly pattern2?: Tensor };
}
/** Mean and sum of squared deviations over the draws of one chunk. */
interface Moments {
  readonly count: number;
  readonly mean: Float64Array<ArrayBuffer>;
  readonly squares: Float64Array<ArrayBuffer>;
}
type Chunk = Partial<Record<KernelName, Moments>>;

/** Draws per job, and jobs between two looks at the stopping rule: fixed, so that results do not depend on workers. */
const CHUNK = 4;
const WAVE = 8;

/** @internal */
export const monteCarloJob: Job<ChunkParams, Chunk> = defineJob(
  'empirical/monteCarlo',
  async (core, params, { breathe }) => {
    const { net, x1, x2, get, seeds, patterns } = params;
    let chunk: Chunk = {};
    for (const seed of seeds) {
      const dtype = x1.data instanceof Float32Array ? 'f32' : 'f64';
      const model = createModel(core, net, { inputShape: x1.shape.slice(1), seed, dtype });
      try {
        const draw: Chunk = {};
        const call = { ...patterns, dropoutKey: foldIn(randomKey(seed), 'masks') };
        for (const name of get) {
          const { data } = (name === 'ntk' ? empiricalNtk : empiricalNngp)(model, x1, x2, call);
          draw[name] = { count: 1, mean: Float64Array.from(data), squares: new Float64Array(data.length) };
        }
        chunk = merge(chunk, draw);
        await breathe();
      } finally {
        model.dispose();
      }
    }
    return chunk;
  },
  ({ net }) => usesFunctions(net),
);

/** Chan, Golub & LeVeque (1983): moments of two sets from the moments of each. */
function merge(left: Chunk, right: Chunk): Chunk {
  const merged: Chunk = {};
  for (const name of Object.keys(right) as KernelName[]) {
    const [a, b] = [left[name], right[name]!];
    if (!a) {
      merged[name] = b;
      continue;
    }
    const count = a.count + b.count;
    const mean = a.mean.map((value, i) => value + ((b.mean[i]! - value) * b.count) / count);
    const squares = a.squares.map(
      (value, i) => value + b.squares[i]! + ((b.mean[i]! - a.mean[i]!) ** 2 * a.count * b.count) / count,
    );
    merged[name] = { count, mean, squares };
  }
  return merged;
}

const MONTE_CARLO_OPTIONS: Fields<MonteCarloOptions> = {
  samples: true,
  seed: true,
  get: true,
  pattern1: true,
  pattern2: true,
  targetRelativeError: true,
  signal: true,
  onProgress: true,
};

/**
 * NNGP and NTK as means over finite nets of the widths written in `net`, with standard errors. Unbiased for the finite
 * widths; the infinite-width kernel differs by O(1/width). Dropout layers in mode 'train' draw masks. x2 = null means x1
 * with itself.
 */
export async function monteCarloKernel<const G extends KernelGet = readonly ['nngp', 'ntk']>(
  engine: Engine,
  net: NetDocument,
  x1: TensorLike,
  x2: TensorLike | null = null,
  options: MonteCarloOptions<G> = {},
): Promise<MonteCarloResult<G>> {
  knownFields('monteCarloKernel', options, MONTE_CARLO_OPTIONS);
  const { samples = 256, seed = 0, targetRelativeError = 0, signal } = options;
  const get = checkNames(options.get);
  if (!Number.isSafeInteger(samples) || samples < 2) {
    throw new RangeError(`monteCarloKernel: samples must be a whole number >= 2, got ${samples}.`);
  }
  if (!Number.isSafeInteger(seed) || seed < 0 || seed > 2 ** 32) {
    throw new RangeError(`monteCarloKernel: seed must be a whole number from 0 to 2^32, got ${seed}.`);
  }
  const first = asTensor(x1, 'monteCarloKernel: x1');
  const second = x2 === null ? null : asTensor(x2, 'monteCarloKernel: x2');
  const patterns = Object.fromEntries(
    (['pattern1', 'pattern2'] as const)
      .filter((name) => options[name])
      .map((name) => [name, asTensor(options[name]!, `monteCarloKernel: ${name}`)]),
  );
  const shared = { net: parseNet(net), x1: first, x2: second, get, patterns };
  let all: Chunk = {};
  let done = 0;
  while (done < samples) {
    const list: ChunkParams[] = [];
    for (let i = 0; i < WAVE && done < samples; i++) {
      const count = Math.min(CHUNK, samples - done);
      const seeds = Array.from({ length: count }, (_, j) => seed * 2 ** 20 + done + j);
      list.push({ ...shared, seeds });
      done += count;
    }
    for (const chunk of await engine.map(monteCarloJob, list, { signal })) all = merge(all, chunk);
    options.onProgress?.({ done, total: samples });
    if (targetRelativeError > 0 && get.every((name) => relativeError(all[name]!) <= targetRelativeError))
      break;
  }
  const shape = [first.shape[0]!, (second ?? first).shape[0]!];
  const estimates = get.map((name) => {
    const { mean, squares, count } = all[name]!;
    const error = squares.map((value) => Math.sqrt(value / (count - 1) / count));
    return [name, { kernel: { data: mean, shape }, standardError: { data: error, shape } }];
  });
  return { ...Object.fromEntries(estimates), samples: done } as unknown as MonteCarloResult<G>;
}

function relativeError({ mean, squares, count }: Moments): number {
  if (count < 2) return Infinity;
  const error = squares.reduce((sum, value) => sum + value / (count - 1) / count, 0);
  const size = mean.reduce((sum, value) => sum + value * value, 0);
  return Math.sqrt(error / Math.max(size, 1e-300));
}
