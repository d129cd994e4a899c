// Timing on machines that are shared and change their clock: every sample of a case has samples of its roofline right
// before and after it, and what is reported is the median of those ratios. The clock should be CPU time where there is one.
import { NumericalError, type Core, type FloatType } from '../wasm/engine.js';
import type { BenchCase, Limit } from './case.js';

/** Milliseconds from some origin. */
export type Clock = () => number;

export interface CaseResult {
  readonly name: string;
  readonly dtype: FloatType;
  readonly limit: Limit;
  /** Milliseconds of one run, median over the samples. */
  readonly milliseconds: number;
  /** Work per second in units of 10^9: GFLOP/s, GB/s or 10^9 elements per second. */
  readonly rate: number;
  /** Median of rate / roofline. */
  readonly ratio: number;
  /** Standard error of `ratio` relative to it, from the spread of the samples. */
  readonly noise: number;
  readonly samples: number;
  /** How many times faster than the JavaScript loops. */
  readonly overNaive?: number;
  readonly goal?: { readonly ratio: number; readonly of?: string };
}

export interface MeasureOptions {
  readonly clock: Clock;
  /** Samples per case, default 11. */
  readonly samples?: number;
  /** Least milliseconds of one sample, default 15. */
  readonly sampleMs?: number;
  readonly signal?: AbortSignal;
  readonly onDone?: (result: CaseResult, done: number, total: number) => void;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Standard error of the median, relative: 1.25 * 1.48 MAD / sqrt(n). */
function noiseOf(values: readonly number[]): number {
  const centre = median(values);
  const mad = median(values.map((x) => Math.abs(x - centre)));
  return (1.86 * mad) / Math.sqrt(values.length) / centre;
}

/** Seconds of `turns` calls. */
function time(run: () => void, turns: number, clock: Clock): number {
  const begin = clock();
  for (let i = 0; i < turns; i++) run();
  return (clock() - begin) / 1000;
}

/** How many calls fill `milliseconds`, after enough of them for the engine's optimising compiler. */
function calibrate(run: () => void, milliseconds: number, clock: Clock): number {
  for (let turns = 1; ; turns *= 2) {
    const seconds = time(run, turns, clock);
    if (seconds * 1000 >= milliseconds / 2)
      return Math.max(1, Math.ceil((turns * milliseconds) / (seconds * 1000)));
    if (turns > 1e9) throw new NumericalError('bench: the clock does not advance.');
  }
}

const STREAM_BYTES = 2 ** 26; // more than the caches of one core

/** One run of the roofline of a kind, and its work. */
function rooflineOf(core: Core, limit: Limit, dtype: FloatType): BenchCase {
  const width = dtype === 'f32' ? 4 : 2;
  const turns = 20_000;
  if (limit === 'bytes') {
    return {
      name: 'memory',
      dtype,
      limit,
      work: STREAM_BYTES,
      prepare: (_, memory) => {
        const from = memory.zeros('f64', STREAM_BYTES / 8).ptr;
        const out = memory.zeros('f64', 2).ptr;
        return () => core.kernels.rooflineStream(STREAM_BYTES, from, out);
      },
    };
  }
  const kind = limit === 'flops' ? 'madd' : 'sqrt';
  return {
    name: kind,
    dtype,
    limit,
    work: turns * width * (limit === 'flops' ? 24 : 4),
    prepare: (_, memory) => {
      const at = memory.alloc(dtype, 128 * width);
      core.heap.fill(at, 0.5); // no overflow, no subnormal numbers
      const loop = core.kernels[`roofline${kind === 'madd' ? 'Madd' : 'Sqrt'}_${dtype}`] as (
        n: number,
        at: number,
      ) => void;
      return () => loop(turns, at.ptr);
    },
  };
}

/** Times one case between samples of its roofline. */
export function measure(core: Core, test: BenchCase, options: MeasureOptions): CaseResult {
  const { clock, samples = 11, sampleMs = 15 } = options;
  return core.heap.scope((memory) => {
    const roof = rooflineOf(core, test.limit, test.dtype);
    const roofRun = roof.prepare(core, memory);
    const run = test.prepare(core, memory);
    const roofTurns = calibrate(roofRun, sampleMs / 3, clock);
    const turns = calibrate(run, sampleMs, clock);
    const roofRate = (): number => (roof.work * roofTurns) / time(roofRun, roofTurns, clock);
    const seconds: number[] = [];
    const ratios: number[] = [];
    let before = roofRate();
    for (let i = 0; i < samples; i++) {
      const each = time(run, turns, clock) / turns;
      const after = roofRate();
      seconds.push(each);
      ratios.push((2 * test.work) / each / (before + after));
      before = after;
    }
    const typical = median(seconds);
    return {
      name: test.name,
      dtype: test.dtype,
      limit: test.limit,
      milliseconds: typical * 1000,
      rate: test.work / typical / 1e9,
      ratio: median(ratios),
      noise: noiseOf(ratios),
      samples,
      ...overNaive(test, typical, options),
      ...(test.goal ? { goal: test.goal } : {}),
    };
  });
}

function overNaive(
  test: BenchCase,
  seconds: number,
  { clock, sampleMs = 15 }: MeasureOptions,
): { overNaive?: number } {
  if (!test.naive) return {};
  const { run, work = test.work } = test.naive();
  const turns = calibrate(run, sampleMs, clock);
  const each = median([0, 1, 2].map(() => time(run, turns, clock) / turns));
  return { overNaive: (each * test.work) / work / seconds };
}

/** All cases in turn, giving other work a chance between them. */
export async function measureAll(
  core: Core,
  cases: readonly BenchCase[],
  options: MeasureOptions,
): Promise<CaseResult[]> {
  const results: CaseResult[] = [];
  for (const test of cases) {
    options.signal?.throwIfAborted();
    results.push(measure(core, test, options));
    options.onDone?.(results.at(-1)!, results.length, cases.length);
    await new Promise((resolve) => setTimeout(resolve));
  }
  return results;
}

/** The rooflines themselves, for the description of the machine: GFLOP/s, GB/s, 10^9 roots per second. */
export function rooflines(core: Core, options: MeasureOptions): Record<string, number> {
  const kinds: [string, Limit, FloatType][] = [
    ['flopsF32', 'flops', 'f32'],
    ['flopsF64', 'flops', 'f64'],
    ['rootsF32', 'roots', 'f32'],
    ['rootsF64', 'roots', 'f64'],
    ['bytes', 'bytes', 'f64'],
  ];
  return Object.fromEntries(
    kinds.map(([key, limit, dtype]) => [key, measure(core, rooflineOf(core, limit, dtype), options).rate]),
  );
}
