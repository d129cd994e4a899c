import { join } from 'node:path';
import { createResult, reportPage, type Figure, type Result, type Table } from '../report/index.js';
import type { Variant } from '../wasm/engine.js';
import { jsonText } from '../report/result.js';
import { renderSvg } from '../report/svg.js';
import type { Outcome } from './verb.js';
import { outputFolder, writeFileAtomic } from './files.js';

export interface Report {
  readonly title: string;
  readonly lead?: string;
  readonly result: Result;
  readonly figures: readonly Figure[];
  readonly tables: readonly Table[];
  readonly credits?: readonly string[];
}

/** What was written; `drawn` is false when vega is not installed, and only the Vega-Lite files were. */
export interface Written {
  readonly files: readonly string[];
  readonly drawn: boolean;
}

/**
 * Writes `result.json`, `<figure>.vl.json` and `<figure>.svg` of each figure, and `report.html` with everything
 * in one file. Each file appears whole or not at all; `result.json` comes first.
 */
export async function writeReport(dir: string, report: Report): Promise<Written> {
  const folder = await outputFolder(dir);
  const files: string[] = [];
  const write = async (name: string, text: string): Promise<void> => {
    await writeFileAtomic(join(folder, name), text);
    files.push(join(dir, name));
  };
  await write('result.json', jsonText(report.result));
  const figures: (Figure & { svg?: string })[] = [];
  for (const figure of report.figures) {
    await write(`${figure.name}.vl.json`, jsonText(figure.spec));
    const svg = await renderSvg(figure.spec);
    if (svg !== null) await write(`${figure.name}.svg`, svg);
    figures.push(svg === null ? figure : { ...figure, svg });
  }
  await write('report.html', reportPage({ ...report, figures }));
  return { files, drawn: figures.every((figure) => figure.svg !== undefined) };
}

/** What a report says beside the numbers; `variant` is that of the engine, where one computed. */
export interface ReportHead {
  readonly kind: string;
  readonly title: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly variant?: Variant;
  readonly seed?: number;
}

/** The outcome of a verb, and with `--out` also its report; figures are made only then. */
export async function withReport(
  out: string | undefined,
  { kind, title, settings, variant = 'simd', seed }: ReportHead,
  outcome: { readonly json: object; readonly text: string },
  figures: () => readonly Figure[],
  tables: readonly Table[] = [],
): Promise<Outcome> {
  if (out === undefined) return outcome;
  const from = { variant, settings, ...(seed === undefined ? {} : { seed }) };
  const result = createResult(kind, outcome.json, from) as unknown as Result;
  const { files } = await writeReport(out, { title, result, figures: figures(), tables });
  return { json: { ...outcome.json, files }, text: `${outcome.text}\n\n${files.join('\n')}` };
}
