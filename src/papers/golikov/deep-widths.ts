// The figures of arXiv:2003.05884 for nets with two and three hidden layers.
import { mean } from '../../math/statistics.js';
import { knownFields, type Engine } from '../../wasm/engine.js';
import { checkDeep, type DeepTrace } from '../../scaling/experiments/deep-net.js';
import { deepTask, execute } from '../../scaling/one-hidden/execute.js';
import type { OptimizerKind } from '../../scaling/theory/multipliers.js';
import { runsOf } from '../../scaling/one-hidden/train-one-hidden.js';
import { WIDTHS_OPTIONS, sizeOf, type GolikovWidthsOptions } from './presets.js';
import { golikov2020, type Scaling } from '../../scaling/theory/scalings.js';
import { panelsOver, pointOf, type Point, type WidthPanels, type WidthSummary } from './width-panels.js';

export interface GolikovDeepWidthsOptions extends GolikovWidthsOptions {
  readonly hiddenLayers: number;
  /** Default SGD; with three hidden layers mean field trains only under a normalised optimiser. */
  readonly optimizer?: OptimizerKind;
}

export interface DeepWidths {
  /** One per scaling, over the widths at which every seed finished. */
  readonly summaries: readonly WidthSummary[];
  readonly panels: WidthPanels;
  /** Which runs overflowed. */
  readonly notes: readonly string[];
}

/** Widths end at `2^last`: four of the largest matrices must fit a worker's memory. */
const SIZES = { ci: { last: 10, seeds: 2 }, paper: { last: 13, seeds: 5 } };

/**
 * As `golikovWidths` for nets with several hidden layers of equal width: mean field, NTK, the middle between them and the
 * default, with the rates of the paper's own experiments (`golikov2020`). In the terms of the logit all hidden matrices
 * count as one, which has moved where one of them has, so that they add up to the logit.
 */
export async function golikovDeepWidths(
  engine: Engine,
  options: GolikovDeepWidthsOptions,
): Promise<DeepWidths> {
  knownFields('golikovDeepWidths', options, { ...WIDTHS_OPTIONS, hiddenLayers: true, optimizer: true });
  const { size = 'ci', hiddenLayers, widths: wish, seeds: count, journal, onPlan, ...rest } = options;
  const own = sizeOf('golikovDeepWidths', size, SIZES);
  const widths = wish ?? Array.from({ length: own.last - 6 }, (_, k) => 2 ** (7 + k));
  const seeds =
    typeof count === 'object' ? count : Array.from({ length: count ?? own.seeds }, (_, seed) => seed);
  const adaptive = (options.optimizer ?? 'sgd') !== 'sgd';
  const list: Scaling[] = [
    golikov2020.meanField,
    golikov2020.ntk,
    golikov2020.intermediate('3/4'),
    golikov2020.default,
  ];
  const runs = list.flatMap((scaling) =>
    widths.flatMap((width) =>
      runsOf({
        learningRate: adaptive ? 0.003 : 0.3,
        epochs: 50,
        ...rest,
        scaling,
        width,
        seeds,
        baseWidth: 128,
        dtype: 'f32',
        evaluateAt: 'log',
        keep: { decomposition: true, increments: true },
      }).map((run) => checkDeep(run, hiddenLayers)),
    ),
  );
  const traces = await execute(engine, runs.map(deepTask), { ...rest, journal, onPlan });
  const groups = list.map((scaling, s) => {
    const points = widths.map((width, w) => {
      const from = (s * widths.length + w) * seeds.length;
      return { width, traces: traces.slice(from, from + seeds.length) };
    });
    return {
      scaling,
      points,
      whole: points.filter((point) => point.traces.every(({ overflow }) => !overflow)),
    };
  });
  const summaries = groups.map(({ scaling, whole }) => summarise(scaling.name, whole));
  const training = groups.flatMap(({ scaling, whole }) => {
    const last = whole.at(-1);
    if (last?.width !== widths.at(-1)) return [];
    const [first] = last!.traces;
    const testLoss = first!.epochs.map((_, at) => mean(last!.traces.map((trace) => trace.testLoss[at]!)));
    return [{ name: scaling.name, width: last!.width, epochs: first!.epochs, testLoss }];
  });
  const notes = groups.flatMap(({ scaling, points }) =>
    points.flatMap(({ width, traces: all }) => {
      const at = all.find(({ overflow }) => overflow)?.overflow;
      return at ? [`${scaling.name}, width ${width}: outputs overflow in epoch ${at.epoch}; left out.`] : [];
    }),
  );
  return { summaries, panels: panelsOver(summaries, training), notes };
}

function summarise(
  name: string,
  points: readonly { readonly width: number; readonly traces: readonly DeepTrace[] }[],
): WidthSummary {
  const per = (of: (trace: DeepTrace) => number): Point[] =>
    points.map(({ traces }) => pointOf(traces.map(of)));
  const terms = Object.keys(points[0]?.traces[0]?.groups ?? {}).sort(
    (left, right) => left.length - right.length || (left < right ? -1 : 1),
  );
  return {
    name,
    widths: points.map(({ width }) => width),
    trainLoss: per(({ trainLoss }) => trainLoss[0]!),
    testLoss: per(({ testLoss }) => testLoss.at(-1)!),
    trainAccuracy: per(({ trainAccuracy }) => trainAccuracy[0]!),
    testAccuracy: per(({ testAccuracy }) => testAccuracy.at(-1)!),
    terms: Object.fromEntries(terms.map((term) => [term, per(({ groups }) => groups[term]!)])),
    inputMove: per(({ moves }) => moves[0]!),
    hiddenMove: per(({ moves }) => mean(moves.slice(1, -1))),
    outputMove: per(({ moves }) => moves.at(-1)!),
  };
}
