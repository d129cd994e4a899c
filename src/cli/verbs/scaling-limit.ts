// `scaling limit`: the infinitely wide net itself.
import type { Command } from 'commander';
import { formatTable, lineFigure, type Panel, type Table } from '../../report/index.js';
import { curvesOf } from '../../scaling/experiments/compare.js';
import { limitModel, type LimitResult } from '../../scaling/index.js';
import { TRAINING_PANELS } from '../../papers/golikov/panels.js';
import { outputFolder } from '../files.js';
import { withReport } from '../report.js';
import { perform, realNumber, verb, wholeNumber } from '../verb.js';
import { pointOf, withPoint, type PointOptions } from './scaling-point.js';
import { xorProblem } from './train-data.js';

export function registerLimit(parent: Command): void {
  withPoint(
    verb(parent, 'limit', 'simulates the infinitely wide net itself, on the XOR mixture', [
      'infinite-width scaling limit --scaling meanField --epochs 100 --learning-rate 0.3',
      'infinite-width scaling limit --scaling symDefault --closure 64 --seeds 4 --out limit',
    ]),
  )
    .option('--epochs <n>', 'full-batch steps', wholeNumber(1), 100)
    .option('--learning-rate <eta>', 'rate of the reference net', realNumber(0), 0.3)
    .option('--base-width <d>', 'width of the reference net', wholeNumber(1), 128)
    .option('--seeds <n>', 'independent simulations', wholeNumber(1), 2)
    .option('--particles <n>', 'units where features move', wholeNumber(2), 4096)
    .option('--closure <wf>', 'gradient of logits at this width factor instead of the limit', realNumber(1))
    .option('--out <dir>', 'folder for result.json, a figure and report.html')
    .action(
      perform<LimitVerbOptions>(async ({ out, ...options }, context) => {
        const { epochs, learningRate, baseWidth, seeds, particles, closure } = options;
        const { progress, signal } = context;
        if (out !== undefined) await outputFolder(out);
        progress.start('simulating', 1);
        const result = await limitModel(await context.engine(), pointOf(options), {
          data: xorProblem(256, 512, 20, 0),
          epochs,
          learningRate,
          baseWidth,
          particles,
          seeds: Array.from({ length: seeds }, (_, seed) => seed),
          evaluateAt: 'log',
          ...(closure === undefined ? {} : { closure }),
          signal,
          onProgress: ({ done, total }) => progress.update(done / total),
        });
        progress.finish();
        const { table, failure, note } = limitReport(result);
        if (note) progress.log(`note: ${note}`);
        const { variant } = await context.engine();
        const outcome = await withReport(
          out,
          { kind: 'limit', title: 'Infinitely wide net', settings: { ...options }, variant },
          { json: result, text: formatTable(table) },
          () => [lineFigure({ name: 'limit', title: table.title, panels: limitPanels(result) })],
          [table],
        );
        return failure ? { ...outcome, failure } : outcome;
      }),
    );
}

interface LimitVerbOptions extends PointOptions {
  readonly epochs: number;
  readonly learningRate: number;
  readonly baseWidth: number;
  readonly seeds: number;
  readonly particles: number;
  readonly closure?: number;
  readonly out?: string;
}

/** Means over simulations with bands of a standard deviation; infinite losses of diverging logits are left out. */
function limitPanels({ traces }: LimitResult): Panel[] {
  const curves = curvesOf(traces);
  return TRAINING_PANELS.map(([title, label, scale, parts]) => ({
    title,
    x: { label: 'epoch + 1', scale: 'log' },
    y: { label, scale },
    series: parts.map(([quantity, style]) => {
      const { mean, std } = curves[quantity];
      const at = [...mean.keys()].filter((i) => mean[i]! < Infinity && (scale === 'linear' || mean[i]! > 0));
      return {
        name: 'limit',
        ...(style === undefined ? {} : { style }),
        x: at.map((i) => traces[0]!.epochs[i]! + 1),
        y: at.map((i) => mean[i]!),
        low: at.map((i) => mean[i]! - std[i]!),
        high: at.map((i) => mean[i]! + std[i]!),
      };
    }),
  }));
}

/** Means over independent simulations with their standard errors, and whether the numbers can be trusted. */
function limitReport({ name, kind, power, traces }: LimitResult): {
  readonly table: Table;
  readonly failure?: string;
  readonly note?: string;
} {
  const curves = curvesOf(traces);
  const n = traces.length;
  const error = (std: number): number | null => (n > 1 ? std / Math.sqrt(n - 1) : null);
  const rows = curves.trainLoss.mean.map((_, i) => [
    traces[0]!.epochs[i]!,
    ...(['trainLoss', 'testLoss', 'testAccuracy', 'meanAbsLogit', 'relativeKernel'] as const).flatMap(
      (key) => [fixed(curves[key].mean[i]!), fixed(error(curves[key].std[i]!))],
    ),
  ]);
  const columns = ['train loss', 'test loss', 'accuracy', 'mean |f|', 'K/K0'].flatMap((column) => [
    column,
    '±',
  ]);
  const title = `${name}: ${kind}, logits times wf^${power}; means of ${n} simulations ± standard error`;
  const table: Table = { name: 'limit', title, columns: ['epoch', ...columns], rows };
  const first = traces.find(({ overflow }) => overflow);
  if (first) {
    const { epoch, step } = first.overflow!;
    const where = `epoch ${epoch}, step ${step} (seed ${first.seed})`;
    return {
      table,
      failure: `limit: outputs overflow in ${where}; the numbers before it are above. Use a smaller --learning-rate.`,
    };
  }
  const [start, end] = [curves.trainLoss.mean[0]!, curves.trainLoss.mean.at(-1)!];
  return end > 10 * start && end < Infinity
    ? {
        table,
        note: `the training loss rose from ${start.toPrecision(3)} to ${end.toPrecision(3)}: this rate is too large.`,
      }
    : { table };
}

function fixed(value: number | null, digits = 4): string {
  if (value === null) return '-';
  if (value === Infinity) return 'inf';
  return Math.abs(value) < 1e6 ? value.toFixed(digits) : value.toExponential(2);
}
