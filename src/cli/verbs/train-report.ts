// What `train` writes: result, figures and report.
import { createResult, lineFigure, type Figure, type Table } from '../../report/index.js';
import { type Comparison } from '../../scaling/index.js';
import { comparisonPanels, type WidthPanels, type WidthSummary } from '../../papers/index.js';
import { writeReport } from '../report.js';
import type { Context, Outcome } from '../verb.js';
import type { TrainVerbOptions } from './train-options.js';

/** Traces stay out of the files: they are as long as all runs together. */
const withoutTraces = (comparison: Comparison): Comparison => {
  const bare = ({ traces: _traces, ...curve }: Comparison['reference']): Comparison['reference'] => curve;
  return { ...comparison, reference: bare(comparison.reference), curves: comparison.curves.map(bare) };
};

function titleOf({ curves, baseWidth }: Comparison): string {
  const widths = [...new Set(curves.flatMap(({ width }) => width ?? []))];
  return `Nets of width ${widths.join(', ')} beside the reference of width ${baseWidth}`;
}

export async function writeComparison(
  options: TrainVerbOptions,
  context: Context,
  comparison: Comparison,
  settings: Record<string, unknown>,
  stepsPerEpoch?: number,
): Promise<Outcome> {
  context.progress.finish();
  for (const note of comparison.notes) context.progress.log(`note: ${note}`);
  const figure = lineFigure({
    name: 'comparison',
    title: titleOf(comparison),
    columns: 3,
    panels: comparisonPanels(comparison, stepsPerEpoch === undefined ? {} : { stepsPerEpoch }),
  });
  const table = finalTable(comparison);
  const { variant } = await context.engine();
  const shown = settings['keepTraces'] === true ? comparison : withoutTraces(comparison);
  const result = createResult('train', { ...shown }, { variant, settings });
  const { files } = await writeReport(options.out, {
    title: 'Scalings compared',
    result,
    figures: [figure],
    tables: [table],
  });
  return { json: { ...shown, files }, text: files.join('\n') };
}

function finalTable({ reference, curves }: Comparison): Table {
  return {
    name: 'final',
    title: 'After training',
    columns: ['curve', 'width', 'train loss', 'test loss', 'test accuracy', 'mean |f|', 'K/K0'],
    rows: [reference, ...curves].map((curve) => [
      curve.name,
      curve.width ?? 'limit',
      curve.trainLoss.mean.at(-1) ?? NaN,
      curve.testLoss.mean.at(-1) ?? NaN,
      curve.testAccuracy.mean.at(-1) ?? NaN,
      curve.meanAbsLogit.mean.at(-1) ?? NaN,
      curve.relativeKernel.mean.at(-1) ?? NaN,
    ]),
  };
}

export async function writeWidths(
  options: TrainVerbOptions,
  context: Context,
  summaries: readonly WidthSummary[],
  { losses, terms, increments }: WidthPanels,
  settings: Record<string, unknown>,
): Promise<Outcome> {
  context.progress.finish();
  const figures: Figure[] = [
    lineFigure({ name: 'losses', title: 'Losses over width', panels: losses, columns: 3 }),
    lineFigure({ name: 'terms', title: 'Terms of the logit over width', panels: terms }),
    lineFigure({ name: 'increments', title: 'Moves of the weights over width', panels: increments }),
  ];
  const { variant } = await context.engine();
  const data = { scalings: summaries };
  const result = createResult('train-widths', data, { variant, settings });
  const report = { title: 'Scalings over width', result, figures, tables: [] };
  const { files } = await writeReport(options.out, report);
  return { json: { ...data, files }, text: files.join('\n') };
}
