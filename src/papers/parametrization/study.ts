// The study of arXiv:2001.07301 as a list of units of work, each remembered by name so that a stopped study goes on.
import type { Engine } from '../../wasm/engine.js';
import { ARCHITECTURES, type Architecture } from './architectures.js';
import { firstOf, resplit, type StudyData } from './data.js';
import {
  parametrisationErrors,
  randomWidthErrors,
  tunedWidths,
  type ErrorRow,
  type TunedWidths,
} from './kernels.js';
import type { Follow, StudyMemory } from './memory.js';
import type { StudySizes } from './sizes.js';
import { FAMILIES, trainedNets, type TrainingRow } from './training.js';
import { errorWork, kernelWork, trainingWork, tuningWork } from './work.js';

export type StudyPart = 'figure-1' | 'figure-2' | 'figure-3';
export const STUDY_PARTS: readonly StudyPart[] = ['figure-1', 'figure-2', 'figure-3'];

export interface StudyResult {
  readonly errors: readonly ErrorRow[];
  readonly randomErrors: readonly ErrorRow[];
  /** One per split; none where figure 2 was not asked for. */
  readonly tuned: readonly TunedWidths[];
  readonly training: readonly TrainingRow[];
}

export interface StudyOptions {
  readonly sizes: StudySizes;
  readonly architectures?: readonly Architecture[];
  readonly parts?: readonly StudyPart[];
  readonly seed?: number;
  /** Keeps what is done, so that a stopped study goes on. */
  readonly memory?: StudyMemory;
  readonly signal?: AbortSignal;
  /** `done` of `total` in units of estimated work, without that which the memory had; `name`: what runs now. */
  readonly onProgress?: (progress: { done: number; total: number; name: string }) => void;
}

interface Unit {
  readonly name: string;
  readonly work: number;
  readonly run: (follow: Follow) => Promise<unknown>;
  readonly keep: (value: never) => void;
}

/** Runs the study. Kernels are held whole: (train + test) x train numbers of 8 bytes, three times. */
export async function improvedStandardStudy(
  engine: Engine,
  data: StudyData,
  options: StudyOptions,
): Promise<StudyResult> {
  const { memory, signal, onProgress, parts = STUDY_PARTS } = options;
  const result = { errors: [] as ErrorRow[], randomErrors: [] as ErrorRow[], training: [] as TrainingRow[] };
  const tuned: TunedWidths[] = [];
  const units = [
    ...(parts.includes('figure-1') ? errorUnits(engine, data, options, result) : []),
    ...(parts.includes('figure-2') ? tuningUnits(engine, data, options, tuned) : []),
    ...(parts.includes('figure-3') ? trainingUnits(engine, data, options, result.training) : []),
  ];
  const found = await Promise.all(units.map(async ({ name }) => (await memory?.load(name)) ?? null));
  const total = units.reduce((sum, { work }, i) => sum + (found[i] === null ? work : 0), 0);
  let done = 0;
  for (const [i, { name, work, run, keep }] of units.entries()) {
    let value = found[i];
    if (value === null) {
      const onPart = (part: number): void => onProgress?.({ done: done + part * work, total, name });
      onPart(0);
      signal?.throwIfAborted();
      value = await run({ signal, memory, name, onPart });
      await memory?.keep(name, value);
      done += work;
    }
    keep(value as never);
  }
  onProgress?.({ done: total, total, name: '' });
  return { ...result, tuned };
}

function errorUnits(
  engine: Engine,
  data: StudyData,
  { sizes, architectures = ARCHITECTURES, seed = 0 }: StudyOptions,
  result: { errors: ErrorRow[]; randomErrors: ErrorRow[] },
): Unit[] {
  const { diagReg, draws } = sizes;
  const units: Unit[] = [];
  for (const kind of architectures) {
    const pooled = kind === 'Conv-GAP' || kind === 'WRN-LN';
    const part = pooled ? firstOf(data, sizes.pooled.train, sizes.pooled.test) : data;
    const { depths, trainSizes } = pooled ? sizes.pooled : sizes;
    const widths = kind === 'WRN-LN' ? sizes.widening : sizes.widths;
    const own = { diagReg, widths, trainSizes: within(trainSizes, part) };
    for (const depth of kind === 'WRN-LN' ? [4] : depths)
      units.push({
        name: `errors-${kind}-${depth}`,
        work: 3 * kernelWork(kind, depth, part) + (1 + widths.length) * errorWork(own.trainSizes, part),
        run: (follow) => parametrisationErrors(engine, kind, depth, part, { ...own, ...follow }),
        keep: (rows: ErrorRow[]) => result.errors.push(...rows),
      });
  }
  const trainSizes = within(sizes.trainSizes, data);
  for (const depth of sizes.randomDepths)
    units.push({
      name: `random-${depth}`,
      work: (1 + draws) * (kernelWork('FC', depth, data) + errorWork(trainSizes, data)),
      run: (follow) =>
        randomWidthErrors(engine, depth, data, { trainSizes, diagReg, draws, seed, ...follow }),
      keep: (rows: ErrorRow[]) => result.randomErrors.push(...rows),
    });
  return units;
}

function tuningUnits(
  engine: Engine,
  data: StudyData,
  { sizes, seed = 0 }: StudyOptions,
  tuned: TunedWidths[],
): Unit[] {
  const { diagReg } = sizes;
  const { splits, ...tune } = sizes.tune;
  const tuneOn = Math.min(tune.tuneOn, data.trainLabels.length);
  const trainSizes = within(sizes.trainSizes, data);
  const own = { ...tune, tuneOn, trainSizes, diagReg };
  return Array.from({ length: splits }, (_, split) => ({
    name: `tuned-${split}`,
    work:
      (1 + tune.restarts) * tune.maxSteps * tuningWork(tune.depth, tuneOn) +
      3 * (kernelWork('FC', tune.depth, data) + errorWork(trainSizes, data)),
    run: (follow) =>
      tunedWidths(engine, tune.depth, resplit(engine, data, seed, split), { ...own, ...follow }),
    keep: (value: TunedWidths) => tuned.push(value),
  }));
}

function trainingUnits(
  engine: Engine,
  data: StudyData,
  { sizes, architectures = ARCHITECTURES }: StudyOptions,
  rows: TrainingRow[],
): Unit[] {
  return sizes.training
    .filter(({ architecture }) => architectures.includes(architecture))
    .flatMap(({ architecture, widths, ...rest }) => {
      const pooled = sizes.pooled;
      const part = architecture === 'FC' ? data : firstOf(data, pooled.train + rest.validation, pooled.test);
      const samples = part.trainLabels.length;
      const train = Math.min(rest.train, Math.max(1, samples - rest.validation));
      const own = { ...rest, train, validation: Math.min(rest.validation, samples - train) };
      if (own.validation === 0 && own.rates.length > 1)
        throw new RangeError(
          `study: ${samples} train images leave none to choose among ${own.rates.length} learning rates. Give more images.`,
        );
      return FAMILIES.flatMap((family) =>
        widths.map((width): Unit => ({
          name: `nets-${architecture}-${family}-${width}`,
          work: trainingWork(architecture, width, own, part),
          run: (follow) =>
            trainedNets(engine, {
              kind: architecture,
              family,
              width,
              data: part,
              size: { ...own, ...follow },
            }),
          keep: (row: TrainingRow) => rows.push(row),
        })),
      );
    });
}

function within(trainSizes: readonly number[], { trainLabels }: StudyData): number[] {
  const fitting = trainSizes.filter((n) => n <= trainLabels.length);
  return fitting.length > 0 ? fitting : [trainLabels.length];
}
