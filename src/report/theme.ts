// One look for all figures.

/** Okabe and Ito's colours, told apart with every common colour blindness; yellow left out (too pale on white). */
export const COLOURS: readonly string[] = [
  '#0072b2', // blue
  '#d55e00', // vermilion
  '#009e73', // green
  '#cc79a7', // purple
  '#e69f00', // orange
  '#56b4e9', // sky
  '#7f7f7f', // grey
];
/** Text, axes and reference curves; pages replace it by their own text colour. */
export const INK = '#1c1c1c';
const FONT = 'Helvetica, Arial, "Liberation Sans", sans-serif';

/** The Vega-Lite config of every figure. */
export const CONFIG: Readonly<Record<string, unknown>> = {
  background: 'white',
  padding: 12,
  font: FONT,
  aria: false, // a label per mark makes files large; the page names each figure as a whole
  view: { stroke: null },
  axis: {
    labelColor: INK,
    titleColor: INK,
    domainColor: INK,
    tickColor: INK,
    domainOpacity: 0.6,
    tickOpacity: 0.6,
    gridColor: INK,
    gridOpacity: 0.09,
    labelFontSize: 11,
    titleFontSize: 12,
    titleFontWeight: 'normal',
    titlePadding: 7,
    tickSize: 4,
    labelPadding: 3,
    labelFlush: false,
  },
  legend: {
    labelColor: INK,
    titleColor: INK,
    labelFontSize: 11.5,
    titleFontSize: 11.5,
    titleFontWeight: 'normal',
    symbolSize: 180,
    symbolStrokeWidth: 2.2,
    symbolType: 'stroke',
    columnPadding: 18,
    labelLimit: 260,
    layout: { bottom: { anchor: 'start', margin: 28 } },
  },
  title: {
    color: INK,
    subtitleColor: INK,
    fontSize: 13,
    fontWeight: 'bold',
    anchor: 'start',
    frame: 'group',
    offset: 10,
    subtitleFontSize: 11.5,
    subtitlePadding: 4,
  },
  line: { strokeWidth: 1.9, strokeCap: 'round', strokeJoin: 'round' },
  range: { category: COLOURS },
};
