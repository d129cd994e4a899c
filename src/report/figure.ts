// Figures as Vega-Lite documents: plain JSON that opens in Altair, VS Code, Observable or the Vega editor.
import { COLOURS, CONFIG, INK } from './theme.js';

export type VegaLiteSpec = Readonly<Record<string, unknown>>;

export interface Figure {
  /** File name without ending. */
  readonly name: string;
  readonly title: string;
  /** One or two sentences: what is seen, what to look at. */
  readonly caption?: string;
  readonly spec: VegaLiteSpec;
}

export interface Axis {
  /** What is measured, with its unit in brackets, e.g. 'time (epochs)'. */
  readonly label: string;
  readonly scale?: 'linear' | 'log' | 'symlog';
  /** Fixed limits; default: the data's. */
  readonly domain?: readonly [number, number];
  /** Where ticks stand; default: chosen. */
  readonly ticks?: readonly number[];
  /** d3 format of the labels, e.g. '%' or '~s'. */
  readonly format?: string;
  /** Base of a log scale; 2 suits widths. */
  readonly base?: number;
}

export interface Series {
  readonly name: string;
  readonly x: ArrayLike<number>;
  readonly y: ArrayLike<number>;
  /** Band around the curve. */
  readonly low?: ArrayLike<number>;
  readonly high?: ArrayLike<number>;
  /** A second legend by line style, e.g. 'train' and 'test', or 'finite' and 'limit'. */
  readonly style?: string;
  /** Draw markers: few points, each measured by itself. 'only': no curve through them. */
  readonly points?: boolean | 'only';
  /** The yardstick the others are held against: drawn in the text colour. */
  readonly reference?: boolean;
}

/** A straight line across a panel, with its name. */
export interface Rule {
  readonly axis: 'x' | 'y';
  readonly value: number;
  readonly label?: string;
}

export interface Panel {
  readonly title?: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
  readonly rules?: readonly Rule[];
  /** Pixels of the plotting area; default 300 x 200. */
  readonly width?: number;
  readonly height?: number;
}

export interface LineFigure extends Omit<Figure, 'spec'> {
  readonly panels: readonly Panel[];
  /** Panels beside each other; default 2. */
  readonly columns?: number;
}

export const SCHEMA = 'https://vega.github.io/schema/vega-lite/v6.json';
const DASHES: readonly (readonly number[])[] = [[], [6, 4], [2, 3], [9, 3, 2, 3]];

/** Curves with bands, in one panel or several with one legend. RangeError for series of unequal lengths, or none. */
export function lineFigure({ name, title, caption, panels, columns = 2 }: LineFigure): Figure {
  const all = panels.flatMap((panel) => panel.series);
  if (all.length === 0) throw new RangeError(`lineFigure: '${name}' needs at least one series, got none.`);
  const names = [...new Set(all.map((series) => series.name))];
  const references = new Set(all.filter((series) => series.reference).map((series) => series.name));
  let next = 0;
  const colours = names.map((item) => (references.has(item) ? INK : COLOURS[next++ % COLOURS.length]!));
  const styles = [...new Set(all.flatMap((series) => series.style ?? []))];
  const look: Look = { names, colours, styles, perRow: Math.max(6, 3 * columns) };
  const views = panels.map((panel) => panelSpec(panel, look));
  return {
    name,
    title,
    ...(caption === undefined ? {} : { caption }),
    spec: {
      $schema: SCHEMA,
      title,
      config: CONFIG,
      ...(views.length === 1
        ? views[0]
        : {
            concat: views,
            columns,
            bounds: 'flush',
            spacing: { row: 92, column: 76 },
            resolve: { legend: { color: 'shared', strokeDash: 'shared' } },
          }),
    },
  };
}

interface Look {
  readonly names: readonly string[];
  readonly colours: readonly string[];
  readonly styles: readonly string[];
  /** Names in a row of the legend. */
  readonly perRow: number;
}

function panelSpec(panel: Panel, { names, colours, styles, perRow }: Look): VegaLiteSpec {
  const { x, y, series, rules = [], width = 300, height = 200 } = panel;
  const values = series.flatMap((item) => rowsOf(item, panel));
  const banded = series.some((item) => item.low && item.high);
  const legend = { orient: 'bottom', title: null };
  const color = {
    field: 'series',
    type: 'nominal',
    sort: null,
    scale: { domain: names, range: colours },
    legend:
      names.length > 1 ? { ...legend, columns: Math.min(names.length, perRow), symbolOpacity: 1 } : null,
  };
  const strokeDash = {
    field: 'style',
    type: 'nominal',
    sort: null,
    scale: { domain: styles, range: styles.map((_, i) => DASHES[i % DASHES.length]!) },
    legend: styles.length > 1 ? legend : null,
  };
  const dash = styles.length > 0 ? { strokeDash } : {};
  const position = { x: channel('x', x, values, rules), y: channel('y', y, values, rules) };
  const layer: VegaLiteSpec[] = rules.map((rule) => ruleSpec(rule));
  if (panel.title !== undefined) layer.push(titleSpec(panel.title));
  if (banded) {
    layer.push({
      transform: [{ filter: 'isValid(datum.low) && isValid(datum.high)' }],
      mark: { type: 'area', opacity: 0.18, clip: true },
      encoding: {
        x: position.x,
        y: { ...position.y, field: 'low' },
        y2: { field: 'high' },
        color,
        ...(styles.length > 0 ? { detail: { field: 'style' } } : {}),
      },
    });
  }
  layer.push({
    ...(series.some((item) => item.points === 'only') ? { transform: [{ filter: '!datum.loose' }] } : {}),
    mark: { type: 'line', clip: true },
    encoding: { ...position, color, ...dash },
  });
  if (series.some((item) => item.points)) {
    layer.push({
      transform: [{ filter: 'datum.point' }],
      mark: { type: 'point', filled: true, size: 34, opacity: 1 },
      encoding: { ...position, color },
    });
  }
  return {
    width,
    height,
    data: { values },
    layer,
  };
}

function rowsOf(series: Series, { x, y }: Panel): Record<string, unknown>[] {
  const { x: xs, y: ys, low, high } = series;
  if (xs.length !== ys.length || (low && low.length !== ys.length) || (high && high.length !== ys.length)) {
    throw new RangeError(
      `lineFigure: series '${series.name}' needs equally many x, y, low and high, got ${[xs, ys, low, high].map((list) => list?.length ?? '-').join(', ')}.`,
    );
  }
  // A log axis has no place for zero: such points are left out, and bands are cut at a tenth of the curve.
  const fits = (value: number, axis: Axis): boolean =>
    Number.isFinite(value) && (axis.scale !== 'log' || value > 0);
  const rows: Record<string, unknown>[] = [];
  for (let i = 0; i < xs.length; i++) {
    if (!fits(xs[i]!, x) || !fits(ys[i]!, y)) continue;
    const row: Record<string, unknown> = { series: series.name, x: round(xs[i]!), y: round(ys[i]!) };
    if (series.style !== undefined) row['style'] = series.style;
    if (low && high) {
      row['low'] = round(y.scale === 'log' ? Math.max(low[i]!, ys[i]! / 10) : low[i]!);
      row['high'] = round(high[i]!);
    }
    if (series.points) row['point'] = true;
    if (series.points === 'only') row['loose'] = true;
    rows.push(row);
  }
  return rows;
}

function channel(
  field: 'x' | 'y',
  axis: Axis,
  rows: readonly Record<string, unknown>[],
  rules: readonly Rule[],
): VegaLiteSpec {
  const log = axis.scale === 'log';
  const domain = axis.domain ?? (log ? logDomain(field, rows, rules) : undefined);
  const ticks = axis.ticks ?? (log && domain ? logTicks(domain) : undefined);
  const format = axis.format ?? (log || ticks?.every(Number.isInteger) ? '~g' : undefined);
  return {
    field,
    type: 'quantitative',
    title: axis.label,
    scale: {
      type: axis.scale ?? 'linear',
      ...(log && axis.base ? { base: axis.base } : {}),
      ...(domain ? { domain, nice: false } : log ? {} : { zero: false }),
    },
    axis: {
      ...(ticks ? { values: ticks } : { tickCount: 5 }),
      ...(format ? { format } : {}),
      labelOverlap: 'greedy',
    },
  };
}

/** The range of the data and rules with a little air; whole decades would leave half of a panel empty. */
function logDomain(
  field: 'x' | 'y',
  rows: readonly Record<string, unknown>[],
  rules: readonly Rule[],
): [number, number] | undefined {
  const fields = field === 'x' ? ['x'] : ['y', 'low', 'high'];
  const found = [
    ...rows.flatMap((row) => fields.map((name) => row[name])),
    ...rules.filter((rule) => rule.axis === field).map((rule) => rule.value),
  ].filter((value): value is number => typeof value === 'number' && value > 0 && Number.isFinite(value));
  if (found.length === 0) return undefined;
  const [min, max] = found.reduce(([a, b], value) => [Math.min(a, value), Math.max(b, value)], [Infinity, 0]);
  if (min === max) return [min / 2, max * 2];
  const air = field === 'x' ? 1 : (max / min) ** 0.04;
  return [round(min / air), round(max * air)];
}

/** Ticks at 1, 2, 5 within about one decade, at 1, 3 within two, at powers of ten beyond. */
function logTicks([min, max]: readonly [number, number]): number[] {
  const decades = Math.log10(max / min);
  const steps = decades <= 1.6 ? [1, 2, 5] : decades <= 2.4 ? [1, 3] : [1];
  const every = Math.max(1, Math.ceil(decades / 7));
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(min)); power <= Math.log10(max); power++) {
    if (power % every !== 0) continue;
    for (const step of steps) {
      const tick = Number(`${step}e${power}`);
      if (tick >= min * (1 - 1e-9) && tick <= max * (1 + 1e-9)) ticks.push(tick);
    }
  }
  return ticks;
}

/** Six significant digits are more than a picture shows. */
const round = (value: number): number => Number(value.toPrecision(6));

/** As a mark: a Vega title stands higher where axis labels stick out, and panels in a row would not line up. */
function titleSpec(text: string): VegaLiteSpec {
  return {
    data: { values: [{}] },
    mark: { type: 'text', text, align: 'left', baseline: 'bottom', fontSize: 12, color: INK },
    encoding: { x: { value: 0 }, y: { value: -9 } },
  };
}

function ruleSpec({ axis, value, label }: Rule): VegaLiteSpec {
  const at = { [axis]: { datum: value } };
  const line = {
    mark: { type: 'rule', color: INK, opacity: 0.55, strokeDash: [3, 3] },
    encoding: at,
  };
  if (label === undefined) return line;
  const text =
    axis === 'y'
      ? {
          mark: { type: 'text', align: 'right', baseline: 'bottom', dy: -3, dx: -3 },
          encoding: { ...at, x: { value: 'width' } },
        }
      : {
          mark: { type: 'text', align: 'left', baseline: 'top', dy: 3, dx: 4 },
          encoding: { ...at, y: { value: 0 } },
        };
  return {
    data: { values: [{}] },
    layer: [line, { ...text, mark: { ...text.mark, text: label, fontSize: 10.5, color: INK, opacity: 0.8 } }],
  };
}
