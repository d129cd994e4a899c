/**
 * What papers show, made again: presets of their experiments and their figures as data.
 * @module
 */
export {
  comparisonPanels,
  type FigurePanel,
  type FigureSeries,
  type PanelOptions,
} from './golikov/panels.js';
export {
  golikovFigure,
  golikovWidths,
  type GolikovFigureOptions,
  type GolikovWidthsOptions,
} from './golikov/presets.js';
export { summariseWidths, widthPanels, type WidthPanels, type WidthSummary } from './golikov/width-panels.js';
export { golikovDeepWidths, type DeepWidths, type GolikovDeepWidthsOptions } from './golikov/deep-widths.js';
