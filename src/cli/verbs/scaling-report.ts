// What the verbs of `scaling` that train over widths share: options, progress, tables and figures.
import {
  formatTable,
  lineFigure,
  type Axis,
  type Panel,
  type Series,
  type Table,
} from '../../report/index.js';
import { outputFolder } from '../files.js';
import { withReport, type ReportHead } from '../report.js';
import type { Context, Outcome } from '../verb.js';

export const OUT = ['--out <dir>', 'folder for result.json, a figure and report.html'] as const;

/** A result as table and figure. */
export interface Shown {
  readonly table: Table;
  readonly panels: readonly Panel[];
  readonly caption: string;
}

/** Trains with progress; then table and, with `--out`, figure. */
export async function trainAndReport<T extends object>(
  { out, ...settings }: { readonly out?: string },
  context: Context,
  head: Pick<ReportHead, 'kind' | 'title'>,
  train: (follow: {
    signal: AbortSignal;
    onProgress: (at: { done: number; total: number }) => void;
  }) => Promise<T>,
  show: (result: T) => Shown,
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

export const fixed = (value: number | null, digits = 3): string =>
  value === null ? '-' : value.toFixed(digits);
export const overWidth = (widths: readonly number[]): Axis => ({
  label: 'width',
  scale: 'log',
  ticks: widths,
});

/** An axis of at least a decade: in a closer view what stays of one size would look jagged. */
export function atLeastDecade(label: string, values: readonly (readonly number[])[]): Axis {
  const all = values.flat().filter((value) => value > 0 && value < Infinity);
  if (all.length === 0) return { label, scale: 'log' };
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const air = Math.max(1.1, Math.sqrt((10 * low) / high));
  return { label, scale: 'log', domain: [low / air, high * air] };
}

export const stepsOf = (
  rows: readonly { step: number; values: readonly number[] }[],
  widths: readonly number[],
): Series[] => rows.map(({ step, values }) => ({ name: `step ${step}`, x: widths, y: values, points: true }));
