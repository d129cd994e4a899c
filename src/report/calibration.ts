import { lineFigure, type Figure, type Panel } from './figure.js';

export interface CalibrationCurve {
  readonly name: string;
  /** What was announced per group, 0..1: mean confidence, or the nominal level of an interval. */
  readonly expected: ArrayLike<number>;
  /** What happened, 0..1: the accuracy, or the share of targets inside the interval. */
  readonly observed: ArrayLike<number>;
  /** Rows per group: draws the 95 % band of what could be the true frequency (Wilson 1927). */
  readonly counts?: ArrayLike<number>;
}

export interface CalibrationFigure extends Omit<Figure, 'spec'> {
  readonly curves: readonly CalibrationCurve[];
  readonly xLabel?: string;
  readonly yLabel?: string;
}

/** Announced against observed frequencies; the diagonal is perfect calibration. */
export function calibrationFigure(figure: CalibrationFigure): Figure {
  const { curves, xLabel = 'announced probability', yLabel = 'observed frequency', ...rest } = figure;
  const axis = { domain: [0, 1], ticks: [0, 0.2, 0.4, 0.6, 0.8, 1] } as const;
  const panel: Panel = {
    x: { label: xLabel, ...axis },
    y: { label: yLabel, ...axis },
    width: 260,
    height: 260,
    series: [
      { name: 'perfect', x: [0, 1], y: [0, 1], reference: true },
      ...curves.map(({ name, expected, observed, counts }) => ({
        name,
        x: expected,
        y: observed,
        points: true,
        ...(counts ? band(observed, counts) : {}),
      })),
    ],
  };
  return lineFigure({ ...rest, panels: [panel] });
}

/** Wilson's interval of every share. */
function band(shares: ArrayLike<number>, counts: ArrayLike<number>): { low: number[]; high: number[] } {
  const ends = (sign: number): number[] =>
    Array.from(shares, (share, i) => {
      const w = 1.96 ** 2 / counts[i]!;
      const half = Math.sqrt(w * share * (1 - share) + (w * w) / 4);
      return (share + w / 2 + sign * half) / (1 + w);
    });
  return { low: ends(-1), high: ends(1) };
}

/**
 * How often a value falls inside central intervals of a Gaussian of each level.
 * `z` are standardised errors `(target - mean) / std`; `levels` are paired with the half-widths `quantiles` in
 * standard deviations (defaults: 10 %, 20 %, ..., 90 %, 95 %, 99 %).
 */
export function intervalCoverage(
  z: ArrayLike<number>,
  intervals: readonly (readonly [level: number, halfWidth: number])[] = GAUSSIAN_INTERVALS,
): { expected: number[]; observed: number[] } {
  if (z.length === 0) throw new RangeError('intervalCoverage: expected at least one error, got none.');
  const sizes = Array.from(z, Math.abs);
  return {
    expected: intervals.map(([level]) => level),
    observed: intervals.map(([, half]) => sizes.filter((size) => size <= half).length / sizes.length),
  };
}

// Standard normal quantiles at (1 + level) / 2.
const GAUSSIAN_INTERVALS = [
  [0.1, 0.12566134685507402],
  [0.2, 0.2533471031357997],
  [0.3, 0.38532046640756773],
  [0.4, 0.5244005127080407],
  [0.5, 0.6744897501960817],
  [0.6, 0.8416212335729143],
  [0.7, 1.0364333894937896],
  [0.8, 1.2815515655446004],
  [0.9, 1.6448536269514722],
  [0.95, 1.959963984540054],
  [0.99, 2.5758293035489004],
] as const;
