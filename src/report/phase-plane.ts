import { SCHEMA, type Figure, type VegaLiteSpec } from './figure.js';
import { COLOURS, CONFIG, INK } from './theme.js';

/** A polygon, segment or point of a plane of exponents. */
export interface PlaneShape {
  readonly name: string;
  /** One corner: a point; two: a segment; more: a filled polygon. */
  readonly corners: readonly (readonly [x: number, y: number])[];
  /** Written beside the shape; default: its name. `null`: nothing. */
  readonly label?: string | null;
  /** Where the label stands; default: the middle of the corners. */
  readonly labelAt?: readonly [x: number, y: number];
  /** Shapes of one group share a colour. */
  readonly group?: string;
}

export interface PhasePlane extends Omit<Figure, 'spec'> {
  readonly x: { readonly label: string; readonly domain: readonly [number, number] };
  readonly y: { readonly label: string; readonly domain: readonly [number, number] };
  readonly shapes: readonly PlaneShape[];
  /** A measured quantity under the shapes: `values[j][i]` in a cell around `(x[i], y[j])`; null leaves a hole. */
  readonly heat?: {
    readonly label: string;
    /** Values from -reach to reach have colours of their own; default: the largest. */
    readonly reach?: number;
    readonly x: readonly number[];
    readonly y: readonly number[];
    readonly values: readonly (readonly (number | null)[])[];
  };
  readonly width?: number;
  readonly height?: number;
}

/** Regions, lines and points in a plane, each with its name: phase diagrams, the plane of scalings. */
export function phasePlane({
  name,
  title,
  caption,
  x,
  y,
  shapes,
  heat,
  width = 460,
  height = 380,
}: PhasePlane): Figure {
  const groups = [...new Set(shapes.map((shape) => shape.group ?? shape.name))];
  const colour = (shape: PlaneShape): string =>
    COLOURS[groups.indexOf(shape.group ?? shape.name) % COLOURS.length]!;
  const channel = (field: string, { label, domain }: PhasePlane['x']): VegaLiteSpec => ({
    field,
    type: 'quantitative',
    title: label,
    scale: { domain, nice: false, zero: false },
    axis: { tickCount: 7 },
  });
  const position = { x: channel('x', x), y: channel('y', y) };
  const corners = shapes.map((shape) => ({
    shape,
    values: shape.corners.map(([cornerX, cornerY], order) => ({ x: cornerX, y: cornerY, order })),
  }));
  // A filled line closes itself; an area mark would need both edges.
  const filled = corners
    .filter(({ values }) => values.length > 2)
    .map(({ shape, values }) => ({
      data: { values: [...values, { ...values[0]!, order: values.length }] },
      mark: {
        type: 'line',
        strokeWidth: 0.8,
        fill: colour(shape),
        fillOpacity: heat ? 0 : 0.22,
        color: colour(shape),
        clip: true,
      },
      encoding: { ...position, order: { field: 'order' } },
    }));
  const lines = corners
    .filter(({ values }) => values.length === 2)
    .map(({ shape, values }) => ({
      data: { values },
      mark: { type: 'line', strokeWidth: 2.6, color: colour(shape), clip: true },
      encoding: { ...position, order: { field: 'order' } },
    }));
  const points = corners
    .filter(({ values }) => values.length === 1)
    .map(({ shape, values }) => ({
      data: { values },
      mark: {
        type: 'point',
        filled: true,
        size: 90,
        opacity: 1,
        color: colour(shape),
        stroke: 'white',
        strokeWidth: 1,
      },
      encoding: position,
    }));
  const labels = shapes
    .filter((shape) => shape.label !== null)
    .map((shape) => ({
      ...centre(shape),
      text: shape.label ?? shape.name,
      dy: shape.corners.length > 2 || shape.labelAt ? 0 : -11,
    }));
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
      layer: [
        ...(heat ? [heatLayer(heat, position)] : []),
        ...filled,
        ...lines,
        ...points,
        ...[...new Set(labels.map(({ dy }) => dy))].map((dy) => ({
          data: { values: labels.filter((label) => label.dy === dy) },
          encoding: { ...position, text: { field: 'text' } },
          // Twice: what lies behind a label is lightened first.
          layer: [{ stroke: 'white', strokeWidth: 3, opacity: 0.8 }, {}].map((halo) => ({
            mark: { type: 'text', color: INK, fontSize: 11.5, dy, ...halo },
          })),
        })),
      ],
    },
  };
}

function heatLayer(
  { label, x, y, values, reach: wish }: PhasePlane['heat'] & object,
  position: { readonly x: VegaLiteSpec; readonly y: VegaLiteSpec },
): VegaLiteSpec {
  const half = (list: readonly number[]): number => (list.length > 1 ? (list[1]! - list[0]!) / 2 : 0.5);
  const [dx, dy] = [half(x), half(y)];
  const reach =
    wish ?? values.flat().reduce<number>((most, value) => Math.max(most, Math.abs(value ?? 0)), 0);
  return {
    data: {
      values: values.flatMap((row, j) =>
        row.flatMap((value, i) =>
          value === null
            ? []
            : [
                {
                  x: x[i]! - dx,
                  x2: x[i]! + dx,
                  y: y[j]! - dy,
                  y2: y[j]! + dy,
                  z: Number(value.toPrecision(4)),
                },
              ],
        ),
      ),
    },
    mark: { type: 'rect', clip: true, opacity: 0.55 },
    encoding: {
      x: position.x,
      x2: { field: 'x2' },
      y: position.y,
      y2: { field: 'y2' },
      color: {
        field: 'z',
        type: 'quantitative',
        title: label,
        scale: { scheme: 'purpleorange', domain: [-reach || -1, reach || 1], clamp: true, reverse: true },
        legend: { orient: 'bottom', gradientLength: 300, titleLimit: 400, tickCount: 5 },
      },
    },
  };
}

function centre({ corners, labelAt }: PlaneShape): { x: number; y: number } {
  if (labelAt) return { x: labelAt[0], y: labelAt[1] };
  const mean = (axis: 0 | 1): number =>
    corners.reduce((sum, corner) => sum + corner[axis], 0) / corners.length;
  return { x: mean(0), y: mean(1) };
}
