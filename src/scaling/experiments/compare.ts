// Finite nets under several scalings, at several widths, beside their infinite-width limits and the reference net.
import { pow } from '../../math/elementary.js';
import { mean, standardDeviation } from '../../math/statistics.js';
import { knownFields, type Engine, type Fields } from '../../wasm/engine.js';
import { classify } from '../theory/classify.js';
import { execute, limitTask, trainTask } from '../one-hidden/execute.js';
import type { RunJournal } from '../one-hidden/journal.js';
import { limitRuns, type LimitOptions, type LimitParams } from '../one-hidden/limit.js';
import { limitPlan } from '../theory/limit-plan.js';
import { TRAINING_OPTIONS, runsOf, type TrainingOptions } from '../one-hidden/train-one-hidden.js';
import {
  scaling as complete,
  scalings as named,
  type Scaling,
  type ScalingSpec,
} from '../theory/scalings.js';
import type { RunParams, RunTrace } from '../one-hidden/run.js';

export interface CompareOptions extends Omit<TrainingOptions, 'seeds'> {
  readonly scalings: readonly ScalingSpec[];
  /** Widths of the scaled nets, each at least the base width. */
  readonly widths: readonly number[];
  /** Seeds, or how many; default 3. */
  readonly seeds?: number | readonly number[];
  /** Also simulate each scaling's limit; default true. */
  readonly limit?: boolean;
  readonly particles?: LimitOptions['particles'];
  /** Keep the traces of single runs in the result. */
  readonly keepTraces?: boolean;
  /** Where finished runs and checkpoints are kept, so that the same call goes on where an earlier one was stopped. */
  readonly journal?: RunJournal | undefined;
  /** Called once before the first run: how many there are, how many are left, and the bytes the largest takes in a worker. */
  readonly onPlan?: ((plan: { runs: number; left: number; bytes: number }) => void) | undefined;
}

/** Quantities of a trace over epochs. */
export const CURVE_QUANTITIES = [
  'trainLoss',
  'testLoss',
  'trainAccuracy',
  'testAccuracy',
  'meanAbsLogit',
  'kernel',
  'relativeKernel',
  'logitOverKernel',
  'logitOverOutputKernel',
  'logitOverInputKernel',
] as const;
export type CurveQuantity = (typeof CURVE_QUANTITIES)[number];

/** Mean and (population) standard deviation over seeds, one entry per epoch of `epochs`. */
export type Curves = { readonly [K in CurveQuantity]: { readonly mean: number[]; readonly std: number[] } };

export interface ComparedCurve extends Curves {
  readonly name: string;
  readonly kind: 'reference' | 'finite' | 'limit';
  readonly scaling: Scaling;
  /** null for limits. */
  readonly width: number | null;
  readonly epochs: number[];
  readonly seeds: number;
  /** The earliest overflow among the seeds, if any; curves stop before it. */
  readonly overflow: { readonly epoch: number; readonly step: number } | null;
  /** Limits whose logits diverge or vanish are shown at this width factor; null: the limit itself. */
  readonly closure: number | null;
  readonly traces?: readonly RunTrace[];
}

export interface Comparison {
  readonly baseWidth: number;
  readonly learningRate: number;
  readonly reference: ComparedCurve;
  /** One per scaling and width, then one per scaling's limit, in the order of the options. */
  readonly curves: readonly ComparedCurve[];
  /** What was left out and why. */
  readonly notes: readonly string[];
}

interface Group {
  readonly curve: Pick<ComparedCurve, 'name' | 'kind' | 'scaling' | 'width' | 'closure'>;
  readonly runs: readonly RunParams[];
  readonly limits: readonly LimitParams[];
  /** What limit kernels are multiplied by, to be those of the width of the closure. */
  readonly kernelScale: number;
}

const COMPARE_OPTIONS: Fields<CompareOptions> = {
  scalings: true,
  widths: true,
  limit: true,
  particles: true,
  keepTraces: true,
  journal: true,
  onPlan: true,
  ...TRAINING_OPTIONS,
};

/**
 * Trains the reference net, every scaling at every width and simulates every limit, all as jobs on the engine's pool;
 * results do not depend on the number of workers. RangeError for shapes, sizes or options that do not fit; nets that
 * overflow end early and say so.
 */
export async function compareScalings(engine: Engine, options: CompareOptions): Promise<Comparison> {
  knownFields('compareScalings', options, COMPARE_OPTIONS);
  const { scalings, widths, limit = true, particles, keepTraces = false, seeds: wish, ...rest } = options;
  const seeds = typeof wish === 'object' ? wish : Array.from({ length: wish ?? 3 }, (_, seed) => seed);
  if (seeds.length === 0) throw new RangeError('compareScalings: expected at least one seed, got none');
  if (widths.length === 0) throw new RangeError('compareScalings: expected at least one width, got none');
  const { baseWidth = 128, learningRate = 0.02 } = options;
  const shared: TrainingOptions = { ...rest, seeds };
  const notes: string[] = [];
  const finite = (spec: ScalingSpec, width: number, kind: 'reference' | 'finite'): Group => {
    const scaling = complete(spec);
    const name = kind === 'reference' ? 'reference' : scaling.name;
    return {
      curve: { name, kind, scaling, width, closure: null },
      runs: runsOf({ ...shared, scaling: spec, width }),
      limits: [],
      kernelScale: 1,
    };
  };
  const groups: Group[] = [finite(named.default, baseWidth, 'reference')];
  for (const spec of scalings) {
    const { status } = classify(spec);
    if (status !== 'stable')
      notes.push(`${complete(spec).name} is ${status}: expect overflow or no change as width grows.`);
    for (const width of widths) groups.push(finite(spec, width, 'finite'));
  }
  const largest = Math.max(...widths) / baseWidth;
  for (const spec of limit ? scalings : []) {
    try {
      const { sign, power } = limitPlan(spec);
      const closure = sign === 0 ? 'hard' : largest;
      const limits = limitRuns(spec, {
        ...shared,
        closure,
        ...(particles === undefined ? {} : { particles }),
      });
      const scaling = complete(spec);
      const name = `${scaling.name}, limit`;
      groups.push({
        curve: { name, kind: 'limit', scaling, width: null, closure: closure === 'hard' ? null : closure },
        runs: [],
        limits,
        kernelScale: closure === 'hard' ? 1 : pow(closure, power),
      });
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      notes.push(error.message);
    }
  }
  const tasks = groups.map(({ runs, limits }) => [...runs.map(trainTask), ...limits.map(limitTask)]);
  const traces = await execute(engine, tasks.flat(), options);
  const curves = groups.map((group, k) => summarise(group, traces.splice(0, tasks[k]!.length), keepTraces));
  for (const { name, width, overflow } of curves) {
    if (!overflow) continue;
    const which = width === null ? name : `${name}, width ${width}`;
    notes.push(
      `${which}: outputs overflow in epoch ${overflow.epoch}, step ${overflow.step}; its curves end before.`,
    );
  }
  return { baseWidth, learningRate, reference: curves[0]!, curves: curves.slice(1), notes };
}

function summarise(
  { curve, kernelScale }: Group,
  traces: readonly RunTrace[],
  keepTraces: boolean,
): ComparedCurve {
  const overflow = traces
    .map((trace) => trace.overflow)
    .filter((at) => at !== null)
    .sort((left, right) => left.epoch - right.epoch || left.step - right.step)[0];
  const curves = curvesOf(traces);
  // Limits whose kernels diverge or vanish are shown at the width of their closure.
  const scaled = (quantity: CurveQuantity, factor: number): Curves[CurveQuantity] => ({
    mean: curves[quantity].mean.map((value) => factor * value),
    std: curves[quantity].std.map((value) => factor * value),
  });
  return {
    ...curve,
    ...curves,
    kernel: scaled('kernel', kernelScale),
    logitOverKernel: scaled('logitOverKernel', 1 / kernelScale),
    logitOverOutputKernel: scaled('logitOverOutputKernel', 1 / kernelScale),
    logitOverInputKernel: scaled('logitOverInputKernel', 1 / kernelScale),
    epochs: shortest(traces),
    seeds: traces.length,
    overflow: overflow ?? null,
    ...(keepTraces ? { traces } : {}),
  };
}

const shortest = (traces: readonly RunTrace[]): number[] =>
  traces.reduce((best, { epochs }) => (epochs.length < best.length ? epochs : best), traces[0]!.epochs);

/** Statistics over seeds, for as many epochs as all seeds reached. */
export function curvesOf(traces: readonly RunTrace[]): Curves {
  const length = shortest(traces).length;
  const of = (quantity: CurveQuantity, trace: RunTrace, at: number): number => {
    if (quantity !== 'kernel') return trace[quantity][at]!;
    const [a, w] = [trace.outputKernel[at]!, trace.inputKernel[at]!];
    return a.reduce((sum, value, i) => sum + value + w[i]!, 0) / a.length;
  };
  return Object.fromEntries(
    CURVE_QUANTITIES.map((quantity) => {
      const values = Array.from({ length }, (_, at) => traces.map((trace) => of(quantity, trace, at)));
      const centre = values.map(mean);
      const spread = (list: number[], at: number): number =>
        Number.isFinite(centre[at]!) ? standardDeviation(list, 0) : 0;
      return [quantity, { mean: centre, std: values.map(spread) }];
    }),
  ) as Curves;
}
