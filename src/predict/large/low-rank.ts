// A low-rank factor of a kernel never stored: K ~ F F' from k of its columns, chosen at random in blocks with probability
// proportional to what the factor still leaves of the diagonal. Chen, Epperly, Tropp & Webber 2023 (2207.06503), alg. 4.
// F F' is the Nystrom approximation on the chosen samples; K - F F' is positive semidefinite.
import { foldIn, randomKey, uniformAt } from '../../math/random.js';
import type { Engine, RunOptions } from '../../wasm/engine.js';
import { factorise, notDefinite, product, transpose, whiten } from '../linear.js';

/** F (n, rank) as blocks of columns, each (n, width). */
export interface Columns {
  readonly rank: number;
  readonly blocks: readonly { readonly data: Float64Array; readonly width: number }[];
}

export interface LowRank extends Columns {
  /** The chosen samples. */
  readonly pivots: readonly number[];
  /** (rank, rank) lower triangular: F = K(:, pivots) L'^-1. */
  readonly lower: Float64Array;
  /** Diagonal of K - F F'. */
  readonly left: Float64Array;
}

/** A symmetric matrix known by its diagonal and any of its columns. */
export interface ColumnSource {
  readonly engine: Engine;
  readonly size: number;
  readonly diagonal: Float64Array;
  /** The rows of these samples, (samples, size). */
  columns(samples: readonly number[], run: RunOptions): Promise<Float64Array>;
}

export const WIDEST = 128;

/** Bytes of F and of the work on it. */
export const lowRankBytes = (n: number, rank: number): number => 8 * (n * rank + 3 * n * WIDEST + rank ** 2);

/** F with at most `rank` columns; fewer when nothing is left of the diagonal. n rank^2 flops, n rank kernel entries. */
export async function lowRank(
  system: ColumnSource,
  rank: number,
  seed: number,
  run: RunOptions & { readonly onProgress?: (done: number, total: number) => void } = {},
): Promise<LowRank> {
  const { engine, size: n } = system;
  const left = system.diagonal.slice();
  const trace = left.reduce((sum, value) => sum + value, 0);
  const blocks: { data: Float64Array; width: number }[] = [];
  const pivots: number[] = [];
  const heads: Float64Array[] = []; // L_t of every block
  const wanted = Math.min(rank, n);
  const step = Math.min(WIDEST, Math.max(1, Math.ceil(wanted / 8)));
  const key = foldIn(randomKey(seed), 'low-rank');
  while (pivots.length < wanted) {
    const chosen = draw(
      left,
      Math.min(step, wanted - pivots.length),
      key,
      pivots.length,
      trace * n * 2 ** -51,
    );
    if (chosen.length === 0) break;
    const width = chosen.length;
    const rows = await system.columns(chosen, run);
    let residual = transpose(rows, width, n);
    for (const block of blocks) {
      const head = pick(block, chosen);
      const part = await product(engine, block.data, head, [n, width, block.width], { transB: true, ...run });
      residual = residual.map((value, i) => value - part[i]!);
    }
    const { lower } = await factorise(engine, core(residual, chosen, width), width, run);
    const data = await whiten(
      engine,
      { lower, size: width, jitter: 0, condition: 1 },
      residual,
      'whole',
      run,
    );
    for (let i = 0; i < n; i++) {
      let sum = 0;
      for (let c = 0; c < width; c++) sum += data[i * width + c]! ** 2;
      left[i] = Math.max(0, left[i]! - sum);
    }
    for (const index of chosen) left[index] = 0;
    blocks.push({ data, width });
    heads.push(lower);
    pivots.push(...chosen);
    run.onProgress?.(pivots.length, wanted);
  }
  if (pivots.length === 0) throw notDefinite(0, [0, 0], 0);
  return { rank: pivots.length, pivots, blocks, lower: assemble(blocks, heads, pivots), left };
}

/** `count` different samples, with probabilities proportional to `weight`; fewer when less than `floor` is left. */
function draw(
  weight: Float64Array,
  count: number,
  key: readonly [number, number],
  stream: number,
  floor: number,
): number[] {
  const now = weight.slice();
  const chosen: number[] = [];
  for (let c = 0; c < count; c++) {
    const total = now.reduce((sum, value) => sum + value, 0);
    if (!(total > floor)) break;
    let target = total * uniformAt(key, stream + c);
    let at = now.findIndex((value) => (target -= value) < 0);
    if (at < 0) at = now.findLastIndex((value) => value > 0); // rounding of the running sum
    chosen.push(at);
    now[at] = 0;
  }
  return chosen;
}

/** Some rows of a block. */
export const pick = ({ data, width }: Columns['blocks'][number], rows: readonly number[]): Float64Array => {
  const out = new Float64Array(rows.length * width);
  rows.forEach((row, i) => out.set(data.subarray(row * width, (row + 1) * width), i * width));
  return out;
};

/** The chosen rows of the residual columns, made definite by a jitter of rounding size: F F' stays below K. */
function core(residual: Float64Array, chosen: readonly number[], width: number): Float64Array {
  const out = new Float64Array(width * width);
  let trace = 0;
  for (let i = 0; i < width; i++) {
    for (let j = 0; j <= i; j++) out[i * width + j] = out[j * width + i] = residual[chosen[i]! * width + j]!;
    trace += out[i * (width + 1)]!;
  }
  for (let i = 0; i < width; i++) out[i * (width + 1)]! += 1e-13 * trace;
  return out;
}

/** L from the rows of F at earlier blocks and the factor of each block. */
function assemble(
  blocks: LowRank['blocks'],
  heads: readonly Float64Array[],
  pivots: readonly number[],
): Float64Array {
  const k = pivots.length;
  const lower = new Float64Array(k * k);
  let from = 0;
  blocks.forEach(({ width }, t) => {
    let column = 0;
    for (const block of blocks.slice(0, t + 1)) {
      const rows = pivots.slice(from, from + width);
      const part = block === blocks[t] ? heads[t]! : pick(block, rows);
      for (let i = 0; i < width; i++)
        for (let j = 0; j < block.width; j++)
          if (block !== blocks[t] || j <= i) lower[(from + i) * k + column + j] = part[i * block.width + j]!;
      column += block.width;
    }
    from += width;
  });
  return lower;
}

/** F' B for B (n, r), as (rank, r). */
export async function down(
  { engine, size: n }: Pick<ColumnSource, 'engine' | 'size'>,
  { blocks, rank }: Columns,
  b: Float64Array,
  r: number,
  run: RunOptions,
): Promise<Float64Array> {
  const out = new Float64Array(rank * r);
  let from = 0;
  for (const { data, width } of blocks) {
    out.set(await product(engine, data, b, [width, r, n], { transA: true, ...run }), from * r);
    from += width;
  }
  return out;
}

/** F C for C (rank, r), as (n, r). */
export async function up(
  { engine, size: n }: Pick<ColumnSource, 'engine' | 'size'>,
  { blocks }: Columns,
  c: Float64Array,
  r: number,
  run: RunOptions,
): Promise<Float64Array> {
  const out = new Float64Array(n * r);
  let from = 0;
  for (const { data, width } of blocks) {
    const part = await product(engine, data, c.subarray(from * r, (from + width) * r), [n, r, width], run);
    for (let i = 0; i < out.length; i++) out[i]! += part[i]!;
    from += width;
  }
  return out;
}

/** F'F + shift I. */
export async function inner(
  system: Pick<ColumnSource, 'engine' | 'size'>,
  factor: Columns,
  shift: number,
  run: RunOptions,
): Promise<Float64Array> {
  const { rank, blocks } = factor;
  const out = new Float64Array(rank * rank);
  let from = 0;
  for (const { data, width } of blocks) {
    const part = await down(system, factor, data, width, run);
    for (let i = 0; i < rank; i++) out.set(part.subarray(i * width, (i + 1) * width), i * rank + from);
    from += width;
  }
  for (let i = 0; i < rank; i++) out[i * (rank + 1)]! += shift;
  return out;
}
