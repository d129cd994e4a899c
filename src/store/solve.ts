// Regression on a stored kernel: (K + rho I) w = y by Cholesky in tiles that are read chunk by chunk, or by conjugate gradients
// whose products are block rows, computed here or by the workers of a queue.
import { NumericalError, type Engine, type RunOptions } from '../wasm/engine.js';
import { matmul } from '../math/matmul.js';
import { conjugateGradients, type CgCheckpoint } from '../predict/large/conjugate-gradients.js';
import { lowRank, type ColumnSource } from '../predict/large/low-rank.js';
import { lowRankInverse } from '../predict/large/solved.js';
import { placeBlock, tiledFactor } from '../predict/large/tiled.js';
import { rankOf } from '../predict/large/regressor.js';
import { StoreError } from './errors.js';
import type { KernelRun } from './kernel-run.js';
import { missingTiles } from './kernel-tiles.js';

export interface SolveOptions extends RunOptions {
  readonly kernel: 'nngp' | 'ntk';
  /** Added to the diagonal: this times its mean. */
  readonly diagReg: number;
  readonly solver: 'cg' | 'tiled';
  /** `cg`: largest |y - M w| / |y|; default 1e-8. */
  readonly tolerance?: number;
  /** `cg`: samples of the preconditioner. */
  readonly rank?: number;
  readonly seed?: number;
  /** `cg`: K B for B (n, r); default: block by block on the engine. */
  readonly multiply?: (b: Float64Array) => Promise<Float64Array>;
  readonly checkpoint?: CgCheckpoint;
  readonly onShare?: (share: number, stage: 'factor' | 'solve') => void;
}

export interface Solved {
  /** (n, r) */
  readonly weights: Float64Array;
  readonly added: number;
  /** Largest |y - M w| / |y| over the columns. */
  readonly residual: number;
  readonly iterations: number | null;
  readonly rank: number | null;
}

/** Weights w of shape (n, r) with (K + rho I) w = y. RangeError for other shapes, StoreError where tiles are missing. */
export async function solveStored(
  engine: Engine,
  run: KernelRun,
  y: Float64Array,
  r: number,
  options: SolveOptions,
): Promise<Solved> {
  const { shape, symmetric } = run.document;
  const [n] = shape as [number];
  if (!symmetric || shape.length > 2)
    throw new StoreError(
      `store: ${run.store.name} holds no kernel of a data set with itself, as solving needs.`,
    );
  if (y.length !== n * r || !y.every(Number.isFinite))
    throw new RangeError(`solve: expected ${n} rows of finite targets, got ${y.length / r}.`);
  if (!(options.diagReg >= 0 && options.diagReg < Infinity))
    throw new RangeError(`solve: diagReg must be a finite number >= 0, got ${options.diagReg}.`);
  const missing = await missingTiles(run);
  if (missing.length > 0)
    throw new StoreError(
      `store: ${run.store.name} lacks ${missing.length} of ${run.places.length} tiles. Resume the run first.`,
    );
  const diagonal = await diagonalOf(run, options.kernel);
  const added = (options.diagReg * diagonal.reduce((sum, value) => sum + value, 0)) / n;
  const multiply =
    options.multiply ?? ((b) => storedMultiply(engine, run, options.kernel, b, options.signal));
  const system: System = { n, r, y, diagonal, added, multiply };
  return options.solver === 'cg'
    ? byGradients(engine, run, system, options)
    : byCholesky(engine, run, system, options);
}

interface System {
  readonly n: number;
  readonly r: number;
  readonly y: Float64Array;
  readonly diagonal: Float64Array;
  readonly added: number;
  readonly multiply: (b: Float64Array) => Promise<Float64Array>;
}

async function chunkOf(run: KernelRun, kernel: 'nngp' | 'ntk', i: number, j: number): Promise<Float64Array> {
  const array = run.arrays.get(kernel);
  if (!array)
    throw new StoreError(`store: ${run.store.name} holds no ${kernel}. Compute it with --get ${kernel}.`);
  const chunk = await array.read([i, j]);
  if (!chunk)
    throw new StoreError(
      `store: ${run.store.name}${array.key([i, j])} is not there. Verify the run and resume it.`,
    );
  return Float64Array.from(chunk.data);
}

async function diagonalOf(run: KernelRun, kernel: 'nngp' | 'ntk'): Promise<Float64Array> {
  const { tile, shape } = run.document;
  const out = new Float64Array(shape[0]!);
  for (let i = 0; i * tile < out.length; i++) {
    const chunk = await chunkOf(run, kernel, i, i);
    const side = Math.sqrt(chunk.length);
    for (let k = 0; k < side; k++) out[i * tile + k] = chunk[k * (side + 1)]!;
  }
  return out;
}

/** Rows of block row i of K B: a sum over its chunks in their order. */
export async function blockRow(
  engine: Engine,
  run: KernelRun,
  kernel: 'nngp' | 'ntk',
  [b, i]: readonly [vectors: Float64Array, row: number],
  signal?: AbortSignal,
): Promise<Float64Array> {
  const [n1, n2] = run.document.shape as [number, number];
  const { tile } = run.document;
  const r = b.length / n2;
  const height = Math.min(tile, n1 - i * tile);
  const out = new Float64Array(height * r);
  for (let j = 0; j * tile < n2; j++) {
    signal?.throwIfAborted();
    const data = await chunkOf(run, kernel, i, j);
    const width = data.length / height;
    const right = b.slice(j * tile * r, (j * tile + width) * r) as Float64Array<ArrayBuffer>;
    const part = await matmul(
      engine,
      { data: data as Float64Array<ArrayBuffer>, shape: [height, width] },
      { data: right, shape: [width, r] },
    );
    for (let k = 0; k < out.length; k++) out[k]! += part.data[k]!;
  }
  return out;
}

/** K B by block rows, as many at a time as the engine has workers. */
async function storedMultiply(
  engine: Engine,
  run: KernelRun,
  kernel: 'nngp' | 'ntk',
  b: Float64Array,
  signal?: AbortSignal,
): Promise<Float64Array> {
  const { shape, tile } = run.document;
  const out = new Float64Array(b.length);
  const r = b.length / shape[0]!;
  const rows = Math.ceil(shape[0]! / tile);
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let i = next++; i < rows; i = next++)
      out.set(await blockRow(engine, run, kernel, [b, i], signal), i * tile * r);
  };
  await Promise.all(Array.from({ length: Math.max(1, engine.workers) }, lane));
  return out;
}

/** K B + rho B. */
const shifted =
  ({ multiply, added }: System) =>
  async (b: Float64Array): Promise<Float64Array> =>
    (await multiply(b)).map((value, i) => value + added * b[i]!);

async function byGradients(
  engine: Engine,
  run: KernelRun,
  system: System,
  options: SolveOptions,
): Promise<Solved> {
  const { n, r, y, diagonal, added } = system;
  const { signal, seed = 0, tolerance = 1e-8, kernel, onShare, checkpoint } = options;
  if (!(tolerance > 0 && tolerance < 1))
    throw new RangeError(`solve: tolerance must be in (0, 1), got ${tolerance}.`);
  const source: ColumnSource = {
    ...{ engine, size: n, diagonal },
    columns: (samples) => rowsOf(run, kernel, samples),
  };
  const factor = await lowRank(source, rankOf(n, options), seed, {
    signal,
    onProgress: (done, total) => onShare?.(done / total, 'factor'),
  });
  const left = factor.left.reduce((sum, value) => sum + value, 0);
  const precondition = await lowRankInverse(source, factor, added + left / n, { signal });
  const { x, iterations, residual } = await conjugateGradients(
    shifted(system),
    (block, width) => precondition(block, width, { signal }),
    y,
    [n, r],
    { signal, tolerance, maxIterations: 1000, checkpoint, onProgress: (share) => onShare?.(share, 'solve') },
  );
  return { weights: x, added, residual, iterations, rank: factor.rank };
}

/** Rows of the kernel, (samples, n), chunk by chunk. */
async function rowsOf(
  run: KernelRun,
  kernel: 'nngp' | 'ntk',
  samples: readonly number[],
): Promise<Float64Array> {
  const { tile, shape } = run.document;
  const n = shape[0]!;
  const out = new Float64Array(samples.length * n);
  for (const i of new Set(samples.map((sample) => Math.floor(sample / tile)))) {
    const own = [...samples.entries()].filter(([, sample]) => Math.floor(sample / tile) === i);
    for (let j = 0; j * tile < n; j++) {
      const chunk = await chunkOf(run, kernel, i, j);
      const width = Math.min(tile, n - j * tile);
      for (const [at, sample] of own) {
        const row = (sample - i * tile) * width;
        out.set(chunk.subarray(row, row + width), at * n + j * tile);
      }
    }
  }
  return out;
}

async function byCholesky(
  engine: Engine,
  run: KernelRun,
  system: System,
  options: SolveOptions,
): Promise<Solved> {
  const { n, r, y, added } = system;
  const { signal, kernel, onShare } = options;
  const { tile } = run.document;
  const factor = await tiledFactor(
    engine,
    n,
    async (tiles) => {
      for (let i = 0; i * tile < n; i++)
        for (let j = 0; j <= i; j++) {
          signal?.throwIfAborted();
          const chunk = await chunkOf(run, kernel, i, j);
          const width = Math.min(tile, n - j * tile);
          if (i === j) for (let k = 0; k < width; k++) chunk[k * (width + 1)]! += added;
          placeBlock(tiles, chunk, [i * tile, j * tile], width);
        }
    },
    { signal, onProgress: ({ done, total }) => onShare?.(done / total, 'factor') },
  );
  const weights = await factor.solve(y, r, { signal });
  const image = await shifted({ ...system, added: added + factor.jitter })(weights);
  let residual = 0;
  for (let c = 0; c < r; c++) {
    let [gap, size] = [0, 0];
    for (let i = 0; i < n; i++) {
      gap += (y[i * r + c]! - image[i * r + c]!) ** 2;
      size += y[i * r + c]! ** 2;
    }
    residual = Math.max(residual, size > 0 ? Math.sqrt(gap / size) : 0);
  }
  if (!(residual < 1e-3))
    throw new NumericalError(`solve: the residual is ${residual.toExponential(2)}. Raise diagReg.`);
  return { weights, added: added + factor.jitter, residual, iterations: null, rank: null };
}
