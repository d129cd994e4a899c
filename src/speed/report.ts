// The bench document, its table, and the comparison of two of them.
import type { CaseResult } from './measure.js';

export interface BenchReport {
  readonly kind: 'infinite-width bench';
  readonly version: string;
  readonly date: string;
  readonly machine: Readonly<Record<string, string | number>>;
  readonly variant: string;
  /** 10^9 per second: flops and roots by dtype, bytes of the memory stream. */
  readonly rooflines: Readonly<Record<string, number>>;
  readonly cases: readonly CaseResult[];
}

const UNITS = { flops: 'GFLOP/s', bytes: 'GB/s' } as const;
const percent = (x: number): string => `${(100 * x).toFixed(1)} %`;

/** The ratio a goal speaks of: to the roofline, or to another case of the same run; null if that was not run. */
export function goalRatio(result: CaseResult, all: readonly CaseResult[]): number | null {
  const of = result.goal?.of;
  if (of === undefined) return result.ratio;
  const other = all.find((one) => one.name === of);
  return other ? result.ratio / other.ratio : null;
}

export function benchTable({ cases }: BenchReport): string {
  const rows = [['case', 'time', 'rate', 'of roofline', '+-', 'goal', 'over JS loops']];
  for (const one of cases) {
    const got = goalRatio(one, cases);
    const goal =
      one.goal && got !== null
        ? `${got >= one.goal.ratio ? 'met' : 'short'}: ${got.toFixed(2)} / ${one.goal.ratio.toFixed(2)}${one.goal.of ? ' of gemm' : ''}`
        : '';
    rows.push([
      one.name,
      one.milliseconds < 1
        ? `${(one.milliseconds * 1000).toFixed(1)} us`
        : `${one.milliseconds.toFixed(2)} ms`,
      // A rate in elements is better read as the time of one.
      one.limit === 'roots'
        ? `${(1 / one.rate).toFixed(2)} ns each`
        : `${one.rate.toFixed(2)} ${UNITS[one.limit]}`,
      one.ratio.toFixed(3),
      percent(one.noise),
      goal,
      one.overNaive ? `${one.overNaive.toFixed(1)}x` : '',
    ]);
  }
  return table(rows);
}

export interface Change {
  readonly name: string;
  /** New ratio to the roofline over the old one, minus 1. */
  readonly change: number;
  /** Standard error of `change`. */
  readonly noise: number;
  readonly verdict: 'faster' | 'slower' | 'same';
}

/**
 * What the samples of one run cannot show: how much a ratio differs from one process to the next (where memory lies,
 * when the engine compiles), as a standard deviation. Six runs on one quiet machine; docs/bench.md has the check.
 */
const BETWEEN_RUNS = { flops: 0.012, roots: 0.012, bytes: 0.05 } as const;

/**
 * Case by case, how the ratio to the roofline changed: clock speed and neighbours cancel. A change counts beyond three
 * standard errors, of the samples of both runs and between runs, and beyond 3 %.
 */
export function compareBench(before: BenchReport, after: BenchReport): Change[] {
  const old = new Map(before.cases.map((one) => [one.name, one]));
  return after.cases.flatMap((one) => {
    const was = old.get(one.name);
    if (!was) return [];
    const change = one.ratio / was.ratio - 1;
    const noise = Math.sqrt(one.noise ** 2 + was.noise ** 2 + 2 * BETWEEN_RUNS[one.limit] ** 2);
    const sure = Math.abs(change) > Math.max(0.03, 3 * noise);
    return [{ name: one.name, change, noise, verdict: sure ? (change > 0 ? 'faster' : 'slower') : 'same' }];
  });
}

export function compareTable(changes: readonly Change[]): string {
  const signed = (x: number): string => `${x < 0 ? '' : '+'}${percent(x)}`;
  return table([
    ['case', 'change', '+-', ''],
    ...changes.map(({ name, change, noise, verdict }) => [name, signed(change), percent(noise), verdict]),
  ]);
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Checks a parsed document; TypeError when it is something else. */
export function asBenchReport(value: unknown, where: string): BenchReport {
  const report = value as Partial<BenchReport> | null;
  if (report?.kind !== 'infinite-width bench' || !Array.isArray(report.cases)) {
    throw new TypeError(`${where}: expected a document written by 'infinite-width bench --json'.`);
  }
  return report as BenchReport;
}
