// The three figures of the study.
import { lineFigure, type Figure, type Panel, type Series, type Table } from '../../report/index.js';
import { mean, standardDeviation } from '../../math/statistics.js';
import type { ErrorRow, TunedWidths } from './kernels.js';
import type { StudyResult } from './study.js';
import { FAMILIES, type Family } from './training.js';

const ERROR = { format: '.1~%' } as const;
const NAMES: Readonly<Record<Family, string>> = {
  ntk: 'NTK',
  standard: 'standard, N grows',
  improved: 'improved, N fixed',
};

export function studyFigures(result: StudyResult): Figure[] {
  return [
    ...(result.errors.length > 0 ? [scatterFigure(result), errorFigure(result)] : []),
    ...(result.tuned.length > 0 ? [tunedFigure(result.tuned)] : []),
    ...(result.training.length > 0 ? [trainingFigure(result)] : []),
  ];
}

/** Columns of rows as a series sorted as given. */
const seriesOf = <R>(
  name: string,
  rows: readonly R[],
  x: (row: R) => number,
  y: (row: R) => number,
): Series => ({
  name,
  x: rows.map(x),
  y: rows.map(y),
});

/** Rows of one group by `key`, in order of appearance. */
function groups<R>(rows: readonly R[], key: (row: R) => string): [string, R[]][] {
  const found = new Map<string, R[]>();
  for (const row of rows) found.set(key(row), [...(found.get(key(row)) ?? []), row]);
  return [...found];
}

/** What its depth is called. */
const depthOf = ({ architecture, depth }: ErrorRow): string =>
  architecture === 'WRN-LN' ? `blocks ${depth}` : `depth ${depth}`;

/** Error of the standard kernel against that of the NTK: one point per depth, width (or draw of widths) and train size. */
function scatterFigure({ errors, randomErrors }: StudyResult): Figure {
  const all: [string, readonly ErrorRow[]][] = groups(errors, ({ architecture }) => architecture);
  if (randomErrors.length > 0) all.push(['FC, random widths', randomErrors]);
  // One order in the legend, whichever panel has them first.
  const inOrder = [...errors, ...randomErrors].sort((a, b) => a.depth - b.depth);
  const depths = groups(inOrder, depthOf).map(([name]) => name);
  const panels = all.map(([title, rows]): Panel => {
    const values = rows.flatMap(({ ntk, standard }) => [ntk, standard]);
    const ends = [Math.min(...values), Math.max(...values)];
    return {
      title,
      x: { label: 'test error, NTK', ...ERROR },
      y: { label: 'test error, improved standard', ...ERROR },
      series: [
        ...depths.map((name): Series => ({
          ...seriesOf(
            name,
            rows.filter((row) => depthOf(row) === name),
            ({ ntk }) => ntk,
            ({ standard }) => standard,
          ),
          points: 'only',
        })),
        { name: 'equal', x: ends, y: ends, reference: true },
      ],
      height: 260,
    };
  });
  return lineFigure({
    name: 'figure-1',
    title: 'Kernel prediction errors of both parametrisations',
    caption: `One point per depth, width and train size. ${summary(errors)} With random layer widths (fully connected): ${summary(randomErrors)}`,
    panels,
  });
}

/** Error of the standard kernel against width, the NTK's beside it: the points of the scatter with their width. */
function errorFigure({ errors }: StudyResult): Figure {
  const panels = groups(errors, ({ architecture }) => architecture).map(([kind, rows]): Panel => {
    const most = rows.reduce((size, { train }) => Math.max(size, train), 0);
    const largest = rows.filter(({ train }) => train === most);
    const wide = kind === 'WRN-LN';
    const lines = groups(largest, depthOf);
    return {
      title: kind,
      x: {
        label: wide ? 'widening factor k' : 'width N of every layer',
        scale: 'log',
        base: 2,
        format: '~s',
      },
      y: { label: `test error, ${most} train samples`, ...ERROR },
      series: lines.flatMap(([name, line]) => [
        {
          ...seriesOf(
            name,
            line,
            (row) => row.width!,
            (row) => row.standard,
          ),
          style: 'improved standard',
        },
        {
          ...seriesOf(
            name,
            line,
            (row) => row.width!,
            (row) => row.ntk,
          ),
          style: 'NTK',
        },
      ]),
    };
  });
  return lineFigure({
    name: 'figure-1-widths',
    title: 'Kernel prediction error against width',
    caption:
      'The NTK does not depend on the width of a net in NTK parametrisation; in the improved standard one it does.',
    panels,
  });
}

/** How the errors of both kernels compare. */
export function summary(rows: readonly ErrorRow[]): string {
  if (rows.length === 0) return 'no rows.';
  const gaps = rows.map(({ ntk, standard }) => standard - ntk);
  const average = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  const within = gaps.filter((gap) => Math.abs(gap) <= 0.01).length / gaps.length;
  const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;
  return `Error of the standard kernel minus that of the NTK: ${percent(average)} on average over ${rows.length} points, within 1 % at ${percent(within)} of them.`;
}

/** Means over the splits, with bands of one standard deviation. */
function tunedFigure(tuned: readonly TunedWidths[]): Figure {
  const { start, widths, rows: sizes } = tuned[0]!;
  const trains = sizes.map(({ train }) => train);
  const size = { label: 'train samples', scale: 'log', ticks: trains } as const;
  const layers = widths.map((_, l) => l + 1);
  const banded = (
    name: string,
    x: readonly number[],
    values: readonly (readonly number[])[],
    more: Partial<Series> = {},
  ): Series => {
    const [centre, spread] = [
      values.map((list) => mean(list)),
      values.map((list) => standardDeviation(list)),
    ];
    const band =
      tuned.length > 1
        ? { low: centre.map((v, i) => v - spread[i]!), high: centre.map((v, i) => v + spread[i]!) }
        : {};
    return { name, x, y: centre, points: true, ...band, ...more };
  };
  const errors = (field: 'ntk' | 'constant' | 'tuned'): number[][] =>
    trains.map((_, r) => tuned.map(({ rows }) => rows[r]![field]));
  const density = (end: 0 | 1): string => mean(tuned.map((one) => one.density[end])).toFixed(2);
  return lineFigure({
    name: 'figure-2',
    title: `Tuned layer widths, fully connected, ${layers.length} hidden layers`,
    caption: `Widths from 1 to 8192 tuned by gradients of the leave-one-out log predictive density (train samples only), ${density(0)} before and ${density(1)} nats per sample after. Means over ${tuned.length} splits of the data; bands: one standard deviation over them.`,
    panels: [
      {
        x: size,
        y: { label: 'test error', ...ERROR },
        series: [
          banded('NTK', trains, errors('ntk'), { reference: true }),
          banded(`standard, N = ${start}`, trains, errors('constant')),
          banded('standard, tuned N', trains, errors('tuned')),
        ],
      },
      {
        x: { label: 'hidden layer', ticks: layers },
        y: { label: 'base width N', scale: 'log', format: '~s' },
        series: [
          { name: `standard, N = ${start}`, x: layers, y: layers.map(() => start), points: true },
          ...tuned.map(({ widths: found }, split): Series => ({
            name: 'standard, tuned N',
            style: `split ${split + 1}`,
            x: layers,
            y: found,
            points: true,
          })),
        ],
      },
    ],
  });
}

function trainingFigure({ training }: StudyResult): Figure {
  const panels = groups(training, ({ architecture }) => architecture).flatMap(([kind, all]): Panel[] => {
    const x = { label: 'width', scale: 'log', base: 2, format: '~s' } as const;
    const of = (family: Family): typeof all => all.filter((row) => row.family === family);
    const families = FAMILIES.filter((family) => of(family).length > 0);
    return [
      {
        title: `${kind}: test error of trained nets`,
        x,
        y: { label: 'test error', ...ERROR },
        series: families.flatMap((family) => [
          {
            ...seriesOf(
              NAMES[family],
              of(family),
              (row) => row.width,
              (row) => row.error,
            ),
            low: of(family).map((row) => row.error - row.errorDeviation),
            high: of(family).map((row) => row.error + row.errorDeviation),
            style: 'trained nets',
          },
          {
            ...seriesOf(
              NAMES[family],
              of(family),
              (row) => row.width,
              (row) => row.kernelError,
            ),
            style: 'their kernel',
          },
        ]),
      },
      {
        title: `${kind}: distance from the kernel's prediction`,
        x,
        y: { label: '|net - kernel| / |kernel|', scale: 'log', format: '~g' },
        series: families.map((family) => ({
          ...seriesOf(
            NAMES[family],
            of(family),
            (row) => row.width,
            (row) => row.gap,
          ),
          points: true,
          style: 'trained nets',
        })),
      },
    ];
  });
  return lineFigure({
    name: 'figure-3',
    title: 'Nets of finite width trained in both parametrisations',
    caption:
      'Bands: one standard error over nets. Dashed: gradient descent on the kernel from the starts of the same nets, as many steps at the same rate, which a validation set chose.',
    panels,
  });
}

/** Numbers per architecture and per training run. */
export function studyTables({ errors, randomErrors, training, tuned }: StudyResult): Table[] {
  const average = (rows: readonly ErrorRow[], field: 'ntk' | 'standard'): number =>
    rows.reduce((sum, row) => sum + row[field], 0) / rows.length;
  const all = [
    ...groups(errors, ({ architecture }) => architecture),
    ['FC, random widths', randomErrors] as const,
  ];
  return [
    ...(errors.length === 0
      ? []
      : [
          {
            name: 'errors',
            title: 'Kernel prediction errors, all depths, widths and train sizes',
            columns: [
              'architecture',
              'points',
              'NTK',
              'standard',
              'best standard - NTK',
              'worst standard - NTK',
            ],
            rows: all
              .filter(([, rows]) => rows.length > 0)
              .map(([name, rows]) => {
                const gaps = rows.map(({ ntk, standard }) => standard - ntk);
                const extremes = [Math.min(...gaps), Math.max(...gaps)];
                return [name, rows.length, average(rows, 'ntk'), average(rows, 'standard'), ...extremes];
              }),
          },
        ]),
    ...(tuned.length === 0 ? [] : [tunedTable(tuned)]),
    ...(training.length === 0
      ? []
      : [
          {
            name: 'training',
            title: 'Trained nets',
            columns: ['architecture', 'parametrisation', 'width', 'rate', 'test error', 'kernel', 'distance'],
            rows: training.map((row) => [
              row.architecture,
              NAMES[row.family],
              row.width,
              row.learningRate,
              row.error,
              row.kernelError,
              row.gap,
            ]),
          },
        ]),
  ];
}

/** Test errors of figure 2: mean and standard deviation over the splits. */
function tunedTable(tuned: readonly TunedWidths[]): Table {
  const over = (row: number, field: 'ntk' | 'constant' | 'tuned'): [number, number] => {
    const list = tuned.map(({ rows }) => rows[row]![field]);
    return [mean(list), standardDeviation(list)];
  };
  return {
    name: 'tuned',
    title: `Tuned widths, ${tuned.length} splits: test error and its standard deviation over them`,
    columns: ['train', 'NTK', '+-', `N = ${tuned[0]!.start}`, '+-', 'tuned', '+-'],
    rows: tuned[0]!.rows.map(({ train }, r) => [
      train,
      ...over(r, 'ntk'),
      ...over(r, 'constant'),
      ...over(r, 'tuned'),
    ]),
  };
}
