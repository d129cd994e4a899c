import { SCHEMA, type Figure, type VegaLiteSpec } from './figure.js';
import { CONFIG } from './theme.js';

export interface HeatMapAxis {
  readonly label: string;
  /** Cell centres, ascending. */
  readonly values: ArrayLike<number>;
}

export interface HeatMap extends Omit<Figure, 'spec'> {
  readonly x: HeatMapAxis;
  readonly y: HeatMapAxis;
  /** Row by row: `z[j * x.values.length + i]` belongs to `(x.values[i], y.values[j])`; NaN leaves a hole. */
  readonly z: ArrayLike<number>;
  readonly zLabel: string;
  /** `diverging` puts white at zero. */
  readonly colours?: 'sequential' | 'diverging';
  readonly zScale?: 'linear' | 'log';
  readonly zDomain?: readonly [number, number];
  readonly width?: number;
  readonly height?: number;
}

/** A function of two numbers as colour; each cell reaches half-way to its neighbours. */
export function heatMap(map: HeatMap): Figure {
  const { name, title, caption, x, y, z, zLabel, colours = 'sequential', zScale = 'linear' } = map;
  const { width = 330, height = 330 } = map;
  const columns = x.values.length;
  if (z.length !== columns * y.values.length || z.length === 0) {
    throw new RangeError(`heatMap: z needs ${columns} x ${y.values.length} values, got ${z.length}.`);
  }
  const xEdges = edges(x);
  const yEdges = edges(y);
  const values: Record<string, number>[] = [];
  let limit = 0;
  for (let j = 0; j < y.values.length; j++) {
    for (let i = 0; i < columns; i++) {
      const value = z[j * columns + i]!;
      if (!Number.isFinite(value) || (zScale === 'log' && value <= 0)) continue;
      limit = Math.max(limit, Math.abs(value));
      values.push({
        x: xEdges[i]!,
        x2: beyond(xEdges, i),
        y: yEdges[j]!,
        y2: beyond(yEdges, j),
        z: round(value),
      });
    }
  }
  const domain = map.zDomain ?? (colours === 'diverging' ? [-limit, limit] : undefined);
  const side = (field: string, label: string, ends: readonly number[]): VegaLiteSpec => ({
    field,
    type: 'quantitative',
    title: label,
    scale: { domain: [ends[0], ends.at(-1)], nice: false, zero: false },
    axis: { tickCount: 6, grid: false },
  });
  const colour = {
    field: 'z',
    type: 'quantitative',
    title: zLabel,
    scale: {
      type: zScale,
      scheme: colours === 'diverging' ? 'blueorange' : 'viridis',
      ...(domain ? { domain } : {}),
    },
  };
  return {
    name,
    title,
    ...(caption === undefined ? {} : { caption }),
    spec: {
      $schema: SCHEMA,
      title,
      config: CONFIG,
      width,
      height,
      data: { values },
      mark: { type: 'rect', clip: true },
      encoding: {
        x: side('x', x.label, xEdges),
        x2: { field: 'x2' },
        y: side('y', y.label, yEdges),
        y2: { field: 'y2' },
        color: { ...colour, legend: { gradientLength: Math.min(200, height), tickCount: 5 } },
      },
    },
  };
}

/** The far edge of cell `i`, a little beyond: the next cell covers the overlap, and no seam shows between them. */
function beyond(ends: readonly number[], i: number): number {
  return round(ends[i + 1]! + 0.05 * (ends[i + 1]! - ends[i]!));
}

function edges({ values, label }: HeatMapAxis): number[] {
  const inner: number[] = [];
  for (let i = 1; i < values.length; i++) {
    if (!(values[i]! > values[i - 1]!)) {
      throw new RangeError(
        `heatMap: values of '${label}' must ascend, got ${values[i - 1]} before ${values[i]}.`,
      );
    }
    inner.push((values[i - 1]! + values[i]!) / 2);
  }
  const half =
    inner.length > 0 ? [inner[0]! - values[0]!, values[values.length - 1]! - inner.at(-1)!] : [0.5, 0.5];
  return [values[0]! - half[0]!, ...inner, values[values.length - 1]! + half[1]!].map(round);
}

const round = (value: number): number => Number(value.toPrecision(6));
