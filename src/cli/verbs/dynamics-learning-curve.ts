// `dynamics learning-curve`: the test error of a kernel over the number of samples.
import type { Command } from 'commander';
import { readCsv } from '../../data/csv.js';
import { learningCurve, type LearningCurve, type LearningCurveOptions } from '../../learning-curve/index.js';
import { mean, standardDeviation } from '../../math/statistics.js';
import { tensor, type Tensor } from '../../math/tensor.js';
import type { NetDocument } from '../../net/index.js';
import { formatTable, lineFigure, type Figure, type Series, type Table } from '../../report/index.js';
import { UsageError } from '../errors.js';
import { readJson, readTensor, readText } from '../files.js';
import { withReport } from '../report.js';
import { listOf, oneOf, realNumber, verb, wholeNumber, type Context } from '../verb.js';
import { performReport } from './dynamics-shared.js';

interface CurveOptions {
  readonly kernel?: string;
  readonly net?: string;
  readonly x?: string;
  readonly y?: string;
  readonly csv?: string;
  readonly target?: string;
  readonly get: 'nngp' | 'ntk';
  readonly samples?: number[];
  readonly ridge: number;
  readonly draws: number;
  readonly beyond?: number[];
  readonly seed: number;
  readonly out?: string;
}

export function registerLearningCurve(parent: Command): void {
  verb(parent, 'learning-curve', 'the test error of a kernel over the number of samples', [
    'infinite-width dynamics learning-curve --csv wine.csv --target class --ridge 0.01',
    'infinite-width dynamics learning-curve --net net.json --x x.npy --y y.npy --samples 16,64,256 --out curve',
    'infinite-width dynamics learning-curve --kernel k.npz:ntk --y y.npy --beyond 2000',
  ])
    .option('--csv <file>', 'table of numbers and one target column, instead of --x and --y')
    .option(
      '--target <column>',
      'of --csv: numbers, or class names (errors of one-hot targets, summed over classes)',
    )
    .option('--kernel <file>', 'kernel (n, n) of the labelled samples, instead of a net')
    .option('--net <file>', 'Net document (JSON); default: two hidden ReLU layers')
    .option('--x <file>', 'samples (n, ...)')
    .option('--y <file>', 'targets (n) or (n, outputs)')
    .option('--get <kernel>', 'nngp or ntk', oneOf('nngp', 'ntk'), 'ntk')
    .option(
      '--samples <list>',
      'numbers of train samples; default eight sizes up to half',
      listOf(wholeNumber(1)),
    )
    .option('--ridge <r>', 'added to the diagonal of the train kernel', realNumber(0), 0)
    .option('--draws <n>', 'random train sets per size, measured on the rest', wholeNumber(0), 4)
    .option(
      '--beyond <list>',
      'numbers of samples to extrapolate to, up to four times those there are',
      listOf(wholeNumber(1)),
    )
    .option('--seed <n>', 'of the random train sets', wholeNumber(), 0)
    .option('--out <dir>', 'folder for result.json, the figure and report.html')
    .action(
      performReport<CurveOptions>(async (options, context) => {
        const problem = await curveProblem(options, context);
        const { samples, ridge, draws, beyond, seed, get } = options;
        const engine = await context.engine();
        context.progress.start('learning curve', 1);
        const settings = {
          ridge,
          draws,
          get,
          ...(samples ? { samples } : {}),
          ...(beyond ? { beyond } : {}),
        };
        const curve = await learningCurve(engine, {
          ...{ ...problem, ...settings, seed, signal: context.signal },
          onProgress: ({ done, total }) => context.progress.update(done / total),
        });
        context.progress.finish();
        const table = curveTable(curve);
        const { leaveOneOut, interval, gcv } = curve.whole;
        const lines = [
          `all ${curve.pool}: leave-one-out ${leaveOneOut.toPrecision(4)} (${interval.map((v) => v.toPrecision(3)).join(' to ')}), cross-validation ${gcv.toPrecision(4)}`,
          ...curve.beyond.map(
            (p) => `beyond, ${p.samples}: ${p.test.toPrecision(4)} +- ${p.deviation.toPrecision(2)}`,
          ),
          ...curve.cautions.map((caution) => `caution: ${caution}`),
        ];
        const { eigenvalues, energy, ...rest } = curve;
        return withReport(
          options.out,
          {
            kind: 'learning-curve',
            title: 'Error over the number of samples',
            variant: engine.variant,
            seed,
            settings,
          },
          {
            json: { ...rest, eigenvalues: [...eigenvalues], energy: [...energy] },
            text: [formatTable(table), ...lines].join('\n'),
          },
          () => [curveFigure(curve)],
          [table],
        );
      }),
    );
}

const HE = { wStd: Math.SQRT2, bStd: 0.1 };
const DEFAULT_NET: NetDocument = [
  { layer: 'dense', units: 512, ...HE },
  { layer: 'relu' },
  { layer: 'dense', units: 512, ...HE },
  { layer: 'relu' },
  { layer: 'dense', units: 1, ...HE },
];

async function curveProblem(
  options: CurveOptions,
  context: Pick<Context, 'memoryBytes'>,
): Promise<Pick<LearningCurveOptions, 'kernel' | 'net' | 'x' | 'y'>> {
  const { kernel, net, x, y, csv, target } = options;
  const given = [kernel, x, csv].filter((value) => value !== undefined);
  if (given.length !== 1)
    throw new UsageError('learning-curve: give one of --csv, --x and --kernel. See --help for examples.');
  const document = net === undefined ? DEFAULT_NET : ((await readJson(net)) as NetDocument);
  if (csv !== undefined) {
    if (target === undefined) throw new UsageError('--target is missing: the column of --csv to predict.');
    return { net: document, ...(await table(csv, target)) };
  }
  if (y === undefined) throw new UsageError('--y is missing: the targets.');
  const targets = await readTensor(y, context);
  if (kernel === undefined) return { net: document, x: await readTensor(x!, context), y: targets };
  if (net !== undefined) throw new UsageError('--net has no use beside --kernel: leave one of them out.');
  return { kernel: await readTensor(kernel, context), y: targets };
}

/** Standardised columns, and the target: numbers less their mean, or one column per class less its share. */
async function table(file: string, target: string): Promise<{ x: Tensor; y: Tensor }> {
  const text = await readText(file);
  let parsed = readCsv(text, { name: file, categorical: await textColumns(text, target) });
  const at = parsed.columns.indexOf(target);
  if (at < 0)
    throw new UsageError(
      `--target: no column '${target}' in ${file}. Columns: ${parsed.columns.join(', ')}.`,
    );
  const [rows, columns] = parsed.data.shape as [number, number];
  const column = (c: number): number[] =>
    Array.from({ length: rows }, (_, r) => parsed.data.data[r * columns + c]!);
  const classes = parsed.categories[target]?.length;
  const features = Array.from({ length: columns }, (_, c) => c).filter((c) => c !== at);
  const scaled = features.map((c) => {
    const values = column(c);
    const [centre, spread] = [mean(values), standardDeviation(values) || 1];
    return values.map((value) => (value - centre) / spread);
  });
  const x = tensor(
    Float64Array.from(
      { length: rows * features.length },
      (_, i) => scaled[i % features.length]![Math.floor(i / features.length)]!,
    ),
    [rows, features.length],
  );
  const labels = column(at);
  const width = classes ?? 1;
  const raw = Array.from({ length: width }, (_, k) =>
    labels.map((value) => (classes ? Number(value === k) : value)),
  );
  const centred = raw.map((values) => {
    const centre = mean(values);
    return values.map((value) => value - centre);
  });
  const y = tensor(
    Float64Array.from({ length: rows * width }, (_, i) => centred[i % width]![Math.floor(i / width)]!),
    [rows, width],
  );
  return { x, y };
}

/** The target, where it holds anything but numbers. */
async function textColumns(text: string, target: string): Promise<string[]> {
  try {
    readCsv(text);
    return [];
  } catch {
    return [target];
  }
}

function curveTable({ points }: LearningCurve): Table {
  const measured = points.some((point) => point.measured);
  return {
    name: 'learning-curve',
    title: 'Squared error on samples left out, summed over outputs',
    columns: [
      'samples',
      'predicted',
      ...(measured ? ['measured', '+-', 'leave-one-out', 'cross-validation'] : []),
      'train',
      'learned',
    ],
    rows: points.map(({ samples, test, train, learned, measured: m }) => [
      ...[samples, test],
      ...(m ? [m.test, m.standardError, m.leaveOneOut, m.gcv] : []),
      ...[train, learned],
    ]),
  };
}

function curveFigure({ points, pool, whole, beyond }: LearningCurve): Figure {
  const n = points.map(({ samples }) => samples);
  const measured = points.filter((point) => point.measured);
  const at = measured.map(({ samples }) => samples);
  const tests = measured.map((point) => point.measured!);
  const series: Series[] = [
    { name: 'predicted from the eigenvalues', x: n, y: points.map(({ test }) => test), reference: true },
  ];
  if (measured.length > 0)
    series.push(
      {
        ...{ name: 'measured', x: at, y: tests.map(({ test }) => test), points: true },
        low: tests.map(({ test, standardError }) => test - 2 * standardError),
        high: tests.map(({ test, standardError }) => test + 2 * standardError),
      },
      {
        name: 'leave-one-out',
        x: [...at, pool],
        y: [...tests.map((m) => m.leaveOneOut), whole.leaveOneOut],
        points: true,
      },
    );
  if (beyond.length > 0)
    series.push({
      ...{
        name: 'beyond the samples there are',
        x: beyond.map(({ samples }) => samples),
        y: beyond.map(({ test }) => test),
        points: true,
      },
      low: beyond.map(({ test, deviation }) => Math.max(test - deviation, test / 10)),
      high: beyond.map(({ test, deviation }) => test + deviation),
    });
  return lineFigure({
    name: 'learning-curve',
    title: 'Test error of kernel regression over the number of samples',
    caption:
      'Bands: two standard errors of the measured mean; one standard deviation beyond the samples there are.',
    panels: [
      {
        x: { label: 'train samples', scale: 'log' },
        y: { label: 'squared error', scale: 'log' },
        series,
        ...{ width: 460, height: 280 },
      },
    ],
  });
}
