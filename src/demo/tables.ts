// The tables of the main job.
import { intervalCoverage, type Table } from '../report/index.js';
import type { ComparedCurve } from '../scaling/index.js';
import type { ClassifierResult } from './classifiers.js';
import { LABELS } from './figures.js';
import type { RegressionResult } from './regression.js';

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

export function classifierTable({ pair, train, test, comparison }: ClassifierResult): Table {
  const row = (curve: ComparedCurve): (string | number)[] => {
    const at = curve.epochs.length - 1;
    const name =
      curve.kind === 'reference' ? 'reference' : (LABELS[curve.scaling.name] ?? curve.scaling.name);
    return [
      name,
      curve.width ?? '∞',
      curve.trainLoss.mean[at]!,
      curve.testLoss.mean[at]!,
      percent(curve.testAccuracy.mean[at]!),
      curve.meanAbsLogit.mean[0]!,
      curve.meanAbsLogit.mean[at]!,
      curve.relativeKernel.mean[at]!,
    ];
  };
  return {
    name: 'classifiers',
    title: `Digits ${pair[0]} and ${pair[1]}, ${train} to train, ${test} to test: after ${comparison.reference.epochs.at(-1)} epochs`,
    columns: [
      'scaling',
      'width',
      'train loss',
      'test loss',
      'accuracy',
      '|logit| at start',
      '|logit|',
      'kernel ratio',
    ],
    rows: [comparison.reference, ...comparison.curves].map(row),
    ...(comparison.notes.length > 0 ? { note: comparison.notes.join(' ') } : {}),
  };
}

export function exactTable({ exact, train, test }: RegressionResult): Table {
  return {
    name: 'exact',
    title: `Ten digits, ${train} to train, ${test} to test: infinitely wide net, in closed form`,
    columns: ['trained', 'steps', 'accuracy', 'rmse', 'predictive std'],
    rows: exact.map((row) => [
      row.method === 'ntk' ? 'all layers' : 'last layer',
      row.time,
      percent(row.accuracy),
      row.rmse,
      row.std,
    ]),
  };
}

export function widthTable({ widths, slope, finiteTrain, steps }: RegressionResult): Table {
  return {
    name: 'widths',
    title: `Finite nets trained for ${steps} steps on ${finiteTrain} digits, against the exact solution`,
    columns: ['width', 'nets', 'accuracy', 'of their mean', 'gap', 'variance ratio'],
    rows: widths.map((row) => [
      row.width,
      row.nets,
      percent(row.accuracy),
      percent(row.ensembleAccuracy),
      row.gap,
      row.varianceRatio,
    ]),
    note: `gap falls as width^${slope.slope.toFixed(2)} (standard error ${slope.standardError.toFixed(2)}).`,
  };
}

export function calibrationTable({ standardised }: RegressionResult): Table {
  const { expected, observed } = intervalCoverage(standardised);
  const shown = expected.flatMap((level, i) => ([0.5, 0.9, 0.95, 0.99].includes(level) ? [i] : []));
  return {
    name: 'calibration',
    title: 'Intervals of the Gaussian-process posterior on the test digits',
    columns: ['nominal level', 'targets inside'],
    rows: shown.map((i) => [percent(expected[i]!), percent(observed[i]!)]),
    note: 'One-hot targets are not Gaussian: central intervals are too wide, outer ones about right.',
  };
}
