// The verbs of `scaling` that train nets of several widths: measure, coord-check, transfer.
import type { Command } from 'commander';
import {
  formatTable,
  lineFigure,
  type Axis,
  type Panel,
  type Series,
  type Table,
} from '../../report/index.js';
import {
  coordinateCheck,
  learningRateTransfer,
  measureExponents,
  type CoordinateCheck,
  type MeasuredName,
  type Measurement,
  type OptimizerKind,
  type RateTransfer,
} from '../../scaling/index.js';
import { outputFolder } from '../files.js';
import { withReport, type ReportHead } from '../report.js';
import {
  listOf,
  oneOf,
  perform,
  realNumber,
  verb,
  wholeNumber,
  type Context,
  type Outcome,
} from '../verb.js';
import { registerLimit } from './scaling-limit.js';
import { pointOf, withPoint, type PointOptions } from './scaling-point.js';
import { registerPlane } from './scaling-plane.js';
import { xorProblem } from './train-data.js';

export function registerScalingRuns(parent: Command): void {
  registerMeasure(parent);
  registerPlane(parent);
  registerCoordinates(parent);
  registerTransfer(parent);
  registerLimit(parent);
}

const OUT = ['--out <dir>', 'folder for result.json, a figure and report.html'] as const;

interface CheckOptions extends PointOptions {
  readonly widths: number[];
  readonly depth: number;
  readonly baseWidth: number;
  readonly seeds: number;
  readonly steps: number;
  readonly optimizer: OptimizerKind;
  readonly out?: string;
}

/** A verb that trains deep nets on the XOR mixture. */
const checkVerb = (
  parent: Command,
  name: string,
  description: string,
  examples: readonly string[],
  { steps, baseWidth, widths }: { steps: number; baseWidth: number; widths: number[] },
): Command =>
  withPoint(verb(parent, name, description, examples))
    .option('--widths <list>', 'widths, at least three', listOf(wholeNumber(1)), widths)
    .option('--depth <n>', 'hidden layers', wholeNumber(1), 1)
    .option('--base-width <d>', 'width of the reference net', wholeNumber(1), baseWidth)
    .option('--seeds <n>', 'nets per width', wholeNumber(2), 3)
    .option('--steps <n>', 'training steps', wholeNumber(1), steps)
    .option('--optimizer <name>', 'sgd, rmsprop or adam', oneOf('sgd', 'rmsprop', 'adam'), 'sgd')
    .option(...OUT);

/** Trains with progress; then table and, with `--out`, figure. */
async function report<T extends object>(
  { out, ...settings }: { readonly out?: string },
  context: Context,
  head: Pick<ReportHead, 'kind' | 'title'>,
  train: (follow: {
    signal: AbortSignal;
    onProgress: (at: { done: number; total: number }) => void;
  }) => Promise<T>,
  show: (result: T) => { readonly table: Table; readonly panels: readonly Panel[]; readonly caption: string },
): Promise<Outcome> {
  const { progress, signal } = context;
  if (out !== undefined) await outputFolder(out);
  progress.start('training', 1);
  const result = await train({ signal, onProgress: ({ done, total }) => progress.update(done / total) });
  progress.finish();
  const { table, panels, caption } = show(result);
  const { variant } = await context.engine();
  return withReport(
    out,
    { ...head, settings: { ...settings }, variant },
    { json: result, text: formatTable(table) },
    () => [
      lineFigure({
        name: head.kind,
        title: table.title,
        caption,
        panels,
        columns: Math.min(3, panels.length),
      }),
    ],
    [table],
  );
}

const fixed = (value: number | null, digits = 3): string => (value === null ? '-' : value.toFixed(digits));
const overWidth = (widths: readonly number[]): Axis => ({ label: 'width', scale: 'log', ticks: widths });

/** An axis of at least a decade: in a closer view what stays of one size would look jagged. */
function atLeastDecade(label: string, values: readonly (readonly number[])[]): Axis {
  const all = values.flat().filter((value) => value > 0 && value < Infinity);
  if (all.length === 0) return { label, scale: 'log' };
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const air = Math.max(1.1, Math.sqrt((10 * low) / high));
  return { label, scale: 'log', domain: [low / air, high * air] };
}

const stepsOf = (
  rows: readonly { step: number; values: readonly number[] }[],
  widths: readonly number[],
): Series[] => rows.map(({ step, values }) => ({ name: `step ${step}`, x: widths, y: values, points: true }));

const QUANTITIES: Record<MeasuredName, string> = {
  logits: 'Mean |logit|',
  outputKernel: 'Kernel, output layer',
  inputKernel: 'Kernel, input layer',
  kernelChange: 'Relative change of the kernel',
  outputWeights: 'Mean |change| of output weights',
  inputWeights: 'Mean |change| of input rows',
};

interface MeasureVerbOptions extends PointOptions {
  readonly widths?: number[];
  readonly seeds: number;
  readonly steps: number;
  readonly out?: string;
}

function registerMeasure(parent: Command): void {
  withPoint(
    verb(parent, 'measure', 'fits powers of the width and compares them with the theory', [
      'infinite-width scaling measure --q-sigma -3/4 --q-tilde 1/2 --widths 512,1024,2048,4096,8192',
    ]),
  )
    .option('--widths <list>', 'widths, at least three', listOf(wholeNumber(1)))
    .option('--seeds <n>', 'nets per width', wholeNumber(2), 5)
    .option('--steps <n>', 'training steps', wholeNumber(1), 3)
    .option(...OUT)
    .action(
      perform<MeasureVerbOptions>(async (options, context) =>
        report(
          options,
          context,
          { kind: 'measure', title: 'Measured powers of the width' },
          async (follow) => {
            const { widths, seeds, steps } = options;
            const scaling = pointOf(options);
            const more = { scaling, seeds, steps, ...(widths ? { widths } : {}) };
            return measureExponents(await context.engine(), { ...more, ...follow });
          },
          showPowers,
        ),
      ),
    );
}

function showPowers({ name, widths, slopes, verdict }: Measurement): {
  table: Table;
  panels: Panel[];
  caption: string;
} {
  const rows = slopes.map((row) => [
    ...[row.quantity, row.step, fixed(row.slope), fixed(row.standardError), fixed(row.theory), row.verdict],
  ]);
  const columns = ['quantity', 'step', 'power', 'error', 'theory', 'verdict'];
  const panels = [...new Set(slopes.map(({ quantity }) => quantity))].map((quantity) => {
    const own = slopes.filter((row) => row.quantity === quantity);
    const y = atLeastDecade(
      'geometric mean over nets',
      own.map(({ values }) => values),
    );
    return { title: QUANTITIES[quantity], x: overWidth(widths), y, series: stepsOf(own, widths) };
  });
  return {
    table: { name: 'powers', title: `${name}: ${verdict} with the theory`, columns, rows },
    panels,
    caption: 'Quantities of nets over their width after each training step; the table has the fitted powers.',
  };
}

function registerCoordinates(parent: Command): void {
  checkVerb(
    parent,
    'coord-check',
    'whether coordinates keep their size as nets widen',
    [
      'infinite-width scaling coord-check --scaling muP',
      'infinite-width scaling coord-check --scaling meanField --depth 3 --widths 64,128,256,512 --out check',
    ],
    { steps: 4, baseWidth: 64, widths: [64, 256, 1024, 4096] },
  )
    .option('--learning-rate <eta>', 'rate of the reference net', realNumber(0), 0.3)
    .action(
      perform<CheckOptions & { learningRate: number }>(async (options, context) =>
        report(
          options,
          context,
          { kind: 'coordinates', title: 'Coordinate check' },
          async (follow) => {
            const { widths, depth, baseWidth, seeds, steps, learningRate, optimizer } = options;
            return coordinateCheck(await context.engine(), {
              ...{ widths, baseWidth, seeds, steps, learningRate, optimizer, ...follow },
              scaling: pointOf(options),
              data: xorProblem(64, 64, 20, 0),
              hiddenLayers: depth,
            });
          },
          showCoordinates,
        ),
      ),
    );
}

const COORDINATES = { hidden: 'size', hiddenChange: 'change', output: 'output' } as const;

function showCoordinates({ name, widths, slopes, verdict }: CoordinateCheck): {
  table: Table;
  panels: Panel[];
  caption: string;
} {
  const rows = slopes.map(({ coordinate, layer, step, slope, standardError }) => [
    ...[coordinate, String(layer), step, fixed(slope), fixed(standardError)],
  ]);
  const columns = ['coordinate', 'layer', 'step', 'power', 'error'];
  const keys = [...new Set(slopes.map(({ coordinate, layer }) => `${coordinate} ${layer}`))];
  const panels = keys.map((key) => {
    const own = slopes.filter(({ coordinate, layer }) => `${coordinate} ${layer}` === key);
    const { coordinate, layer } = own[0]!;
    return {
      title: `Layer ${layer}, ${COORDINATES[coordinate]}`,
      x: overWidth(widths),
      y: atLeastDecade(
        'mean |coordinate|',
        own.map(({ values }) => values),
      ),
      series: stepsOf(own, widths),
    };
  });
  return {
    table: { name: 'coordinates', title: `${name}: ${verdict}`, columns, rows },
    panels,
    caption:
      'Mean absolute pre-activations, their change since the start, and outputs: flat lines keep their size as nets widen.',
  };
}

function registerTransfer(parent: Command): void {
  checkVerb(
    parent,
    'transfer',
    'whether the best learning rate of a small net is that of a large one',
    [
      'infinite-width scaling transfer --scaling muP --depth 3 --out transfer',
      'infinite-width scaling transfer --scaling default --depth 3 --rates 0.1,0.2,0.4,0.8,1.6',
    ],
    { steps: 10, baseWidth: 64, widths: [64, 128, 256, 512] },
  )
    .option(
      '--rates <list>',
      'rates of the reference net, at least three',
      listOf(realNumber(0)),
      Array.from({ length: 11 }, (_, k) => Number((0.1 * Math.SQRT2 ** k).toPrecision(3))),
    )
    .action(
      perform<CheckOptions & { rates: number[] }>(async (options, context) =>
        report(
          options,
          context,
          { kind: 'transfer', title: 'Learning-rate transfer' },
          async (follow) => {
            const { widths, depth, baseWidth, seeds, steps, rates, optimizer } = options;
            return learningRateTransfer(await context.engine(), {
              ...{ widths, baseWidth, seeds, optimizer, ...follow },
              scaling: pointOf(options),
              data: xorProblem(64, 16, 8, 0),
              epochs: steps,
              learningRates: rates,
              hiddenLayers: depth,
            });
          },
          showTransfer,
        ),
      ),
    );
}

function showTransfer({ name, widths, learningRates, losses, best, shift, verdict }: RateTransfer): {
  table: Table;
  panels: Panel[];
  caption: string;
} {
  const rows = widths.map((width, w) => {
    const finite = losses[w]!.filter(Number.isFinite);
    return [width, fixed(best[w]!), finite.length > 0 ? Math.min(...finite) : NaN];
  });
  const power = shift === null ? 'no two optima within the sweep' : `best rate like width^${fixed(shift)}`;
  const series = widths.map((width, w) => {
    const at = learningRates.map((_, r) => r).filter((r) => Number.isFinite(losses[w]![r]!));
    return {
      name: `d = ${width}`,
      x: at.map((r) => learningRates[r]!),
      y: at.map((r) => losses[w]![r]!),
      points: true,
    };
  });
  const panel = {
    x: { label: 'learning rate of the reference', scale: 'log' } as const,
    y: { label: 'training loss', scale: 'log' } as const,
    ...{ series, width: 420, height: 260 },
  };
  return {
    table: {
      name: 'transfer',
      title: `${name}: ${verdict}, ${power}`,
      columns: ['width', 'best rate', 'least loss'],
      rows,
    },
    panels: [panel],
    caption:
      'Training loss after the last step over the learning rate; rates at which a net overflowed are left out.',
  };
}
