import {
  asResult,
  calibrationFigure,
  createResult,
  formatNumber,
  formatTable,
  heatMap,
  intervalCoverage,
  lineFigure,
  phasePlane,
  reportPage,
  version,
} from 'infinite-width';
import { describe, expect, it } from 'vitest';

type Json = { [key: string]: Json } & { at(index: number): Json };
const specOf = (figure: { spec: unknown }): Json => figure.spec as Json;
const axis = { label: 'x' };
const curve = { name: 'a', x: [1, 2, 3], y: [1, 0.5, 0.25] };

describe('line figures', () => {
  it('keep series in order, references in ink, one legend for all panels', () => {
    const panel = { x: axis, y: axis, series: [{ ...curve, name: 'ref', reference: true }, curve] };
    const spec = specOf(lineFigure({ name: 'f', title: 'T', panels: [panel, panel] }));
    const color = spec['concat']!.at(0)['layer']!.at(-1)['encoding']!['color']!;
    expect(color['scale']).toEqual({ domain: ['ref', 'a'], range: ['#1c1c1c', '#0072b2'] });
    expect(spec['resolve']!['legend']!['color']).toBe('shared');
  });

  it('leave out what a log axis cannot show, and fit its limits to the data', () => {
    const series = [{ name: 'a', x: [0, 1, 10], y: [5, 0, 20], low: [1, 1, -3], high: [9, 9, 40] }];
    const log = { label: 'y', scale: 'log' as const };
    const spec = specOf(lineFigure({ name: 'f', title: 'T', panels: [{ x: log, y: log, series }] }));
    expect(spec['data']!['values']).toEqual([{ series: 'a', x: 10, y: 20, low: 2, high: 40 }]);
    const [min, max] = spec['layer']!.at(-1)['encoding']!['y']!['scale']!['domain'] as unknown as number[];
    expect(min).toBeGreaterThan(1.5);
    expect(min).toBeLessThan(2);
    expect(max).toBeGreaterThan(40);
    expect(max).toBeLessThan(50);
  });

  it('refuse lists of different lengths and empty figures', () => {
    const panel = { x: axis, y: axis, series: [{ name: 'a', x: [1], y: [1, 2] }] };
    expect(() => lineFigure({ name: 'f', title: 'T', panels: [panel] })).toThrow(/'a'.*1, 2/);
    expect(() => lineFigure({ name: 'f', title: 'T', panels: [] })).toThrow(RangeError);
  });
});

describe('maps and planes', () => {
  it('place each value of a heat map between the half-way edges', () => {
    const map = heatMap({
      name: 'h',
      title: 'T',
      x: { label: 'x', values: [1, 2, 4] },
      y: { label: 'y', values: [0, 1] },
      z: [1, 2, 3, 4, NaN, 6],
      zLabel: 'z',
    });
    const values = specOf(map)['data']!['values'] as unknown as Record<string, number>[];
    expect(values.map(({ z }) => z)).toEqual([1, 2, 3, 4, 6]);
    expect(values[1]).toMatchObject({ x: 1.5, y: -0.5 });
    expect(values[2]!['x2']).toBeGreaterThan(5);
  });

  it('refuse wrong sizes and orders', () => {
    const map = { name: 'h', title: 'T', zLabel: 'z', y: { label: 'y', values: [0] } };
    expect(() => heatMap({ ...map, x: { label: 'x', values: [1, 2] }, z: [1] })).toThrow(/2 x 1/);
    expect(() => heatMap({ ...map, x: { label: 'x', values: [2, 1] }, z: [1, 1] })).toThrow(/ascend/);
  });

  it('draw regions, lines and points of a plane', () => {
    const domain = [0, 1] as const;
    const plane = phasePlane({
      name: 'p',
      title: 'T',
      x: { label: 'x', domain },
      y: { label: 'y', domain },
      shapes: [
        {
          name: 'region',
          corners: [
            [0, 0],
            [1, 0],
            [0, 1],
          ],
        },
        {
          name: 'line',
          corners: [
            [0, 0],
            [1, 1],
          ],
          label: null,
        },
        { name: 'point', corners: [[0.5, 0.5]] },
      ],
    });
    type Marked = { mark: { type: string } };
    const layers = specOf(plane)['layer'] as unknown as (Marked | { layer: Marked[] })[];
    const marks = layers.flatMap((one) => ('layer' in one ? one.layer : [one])).map(({ mark }) => mark.type);
    // Each group of labels twice: the halo behind it first.
    expect(marks).toEqual(['line', 'line', 'point', 'text', 'text', 'text', 'text']);
  });
});

describe('calibration', () => {
  it('counts coverage of central intervals', () => {
    // Evenly spread quantiles of a standard normal are covered as announced.
    const z = [
      -1.6448536, -1.0364334, -0.6744898, -0.3853205, -0.1256613, 0.1256613, 0.3853205, 0.6744898, 1.0364334,
      1.6448536,
    ];
    const { expected, observed } = intervalCoverage(z);
    expect(expected[0]).toBe(0.1);
    expect(observed[0]).toBe(0.2);
    expect(observed[5]).toBe(0.6);
    expect(observed.at(-1)).toBe(1);
    expect(() => intervalCoverage([])).toThrow(RangeError);
    const figure = calibrationFigure({ name: 'c', title: 'T', curves: [{ name: 'gp', expected, observed }] });
    expect(JSON.stringify(figure.spec)).toContain('perfect');
    // Wilson's interval of 8 hits of 10: 0.490 to 0.943.
    const banded = calibrationFigure({
      name: 'c',
      title: 'T',
      curves: [{ name: 'bins', expected: [0.7], observed: [0.8], counts: [10] }],
    });
    expect(JSON.stringify(banded.spec)).toMatch(/0\.490\d*.*0\.943\d*/);
  });
});

describe('results, tables and pages', () => {
  const result = createResult('test', { z: [1] }, { variant: 'simd', seed: 3, settings: { width: 64 } });

  it('know their format and origin', () => {
    expect(asResult(JSON.parse(JSON.stringify(result)))).toEqual(result);
    expect(result.provenance).toMatchObject({ package: 'infinite-width', version, variant: 'simd', seed: 3 });
    expect(() => asResult({ schema: 'infinite-width/result@9' })).toThrow(/result@1.*result@9/);
    expect(() => asResult(null)).toThrow(TypeError);
  });

  it('print numbers with four digits and align columns', () => {
    expect([0, 12, 0.5, 1234.567, 1e-9, 1e9 + 0.5, -Infinity, NaN].map((n) => formatNumber(n))).toEqual([
      '0',
      '12',
      '0.5000',
      '1235',
      '1.00e-9',
      '1.00e+9',
      '-∞',
      '-',
    ]);
    const table = {
      name: 't',
      title: 'T',
      columns: ['name', 'n'],
      rows: [
        ['größe', 5],
        ['b', 12],
      ],
    };
    expect(formatTable(table).split('\n')).toEqual(['T', 'name    n', '─────  ──', 'größe   5', 'b      12']);
  });

  it('hold everything in one page and escape what comes from outside', () => {
    const svg =
      '<svg width="10" height="5"><rect width="10" height="5" fill="white"/><g id="a"/><path stroke="#1c1c1c"/></svg>';
    const figure = { name: 'f', title: '<b>', spec: {}, svg };
    const page = reportPage({
      title: 'a < b & c',
      result: { ...result, data: { text: '</script>' } },
      figures: [figure, { ...figure, name: 'g' }],
      tables: [{ name: 't', title: 'T', columns: ['<i>'], rows: [[0.5]] }],
    });
    expect(page).toContain('<h1>a &lt; b &amp; c</h1>');
    expect(page).toContain('<th class="number">&lt;i&gt;</th>');
    expect(page).toContain('stroke="currentColor"');
    expect(page).not.toContain('fill="white"');
    expect(page).toContain('id="f0-a"');
    expect(page).toContain('id="f1-a"');
    expect(page.match(/<\/script>/g)).toHaveLength(1);
    expect(page).not.toMatch(/(src|href)="https?:/);
    const without = reportPage({
      title: 'T',
      result,
      figures: [{ name: 'f', title: 'T', spec: {} }],
      tables: [],
    });
    expect(without).toContain('f.vl.json');
  });
});
