// The same training over a grid of widths and seeds.
import { checkDeep, deepJob, type DeepTrace } from './deep-net.js';
import { runJobs, runAll, runsOf, type TrainingOptions } from '../one-hidden/train-one-hidden.js';
import type { Engine } from '../../wasm/engine.js';
import type { RunParams, RunTrace } from '../one-hidden/run.js';
import type { ScalingSpec } from '../theory/scalings.js';

/** What the width checks share. */
export type Sweep = Omit<TrainingOptions, 'seeds'> & {
  readonly scaling: ScalingSpec;
  /** At least three. */
  readonly widths: readonly number[];
  /** How many; at least 2. */
  readonly seeds: number;
};

/** @internal Traces `[seed][width]` of nets with one hidden layer. */
export async function sweep(engine: Engine, name: string, options: Sweep): Promise<RunTrace[][]> {
  return grid(options, await runAll(engine, runs(name, options), options));
}

/** @internal The same for any depth. */
export async function deepSweep(
  engine: Engine,
  name: string,
  hiddenLayers: number,
  options: Sweep,
): Promise<DeepTrace[][]> {
  const list = runs(name, options).map((run) => checkDeep(run, hiddenLayers));
  return grid(options, await runJobs(engine, deepJob, list, options));
}

function runs(name: string, { seeds, widths, ...options }: Sweep): RunParams[] {
  if (!Number.isInteger(seeds) || seeds < 2)
    throw new RangeError(`${name}: standard errors need at least 2 seeds, got ${seeds}`);
  if (new Set(widths).size < 3)
    throw new RangeError(`${name}: expected at least three different widths, got [${widths.join(', ')}]`);
  const list = Array.from({ length: seeds }, (_, seed) => seed);
  return widths.flatMap((width) => runsOf({ ...options, width, seeds: list }));
}

const grid = <T>({ seeds, widths }: Sweep, traces: readonly T[]): T[][] =>
  Array.from({ length: seeds }, (_, seed) => widths.map((_, w) => traces[w * seeds + seed]!));
