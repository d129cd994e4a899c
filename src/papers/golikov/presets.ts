// The experiments of arXiv:2006.06574 and arXiv:2003.05884, at a size for seconds and at that of the papers.
import { knownFields, type Engine, type Fields } from '../../wasm/engine.js';
import { compareScalings, type CompareOptions, type Comparison } from '../../scaling/experiments/compare.js';
import { LONG_CALL, type BinaryProblem, type LongCall } from '../../scaling/one-hidden/train-one-hidden.js';
import { scalings } from '../../scaling/theory/scalings.js';

/** What both experiments take; sizes left out are those of `size`. */
interface PresetOptions
  extends
    LongCall,
    Pick<CompareOptions, 'journal' | 'onPlan' | 'batchSize' | 'shuffle' | 'seeds' | 'epochs'> {
  readonly data: BinaryProblem;
  readonly size?: 'ci' | 'paper';
  /** Rate of the reference net: 0.3 for the XOR mixture (default), 0.02 for images. */
  readonly learningRate?: number;
}

export interface GolikovFigureOptions extends Omit<PresetOptions, 'epochs'> {
  /** `ci`: width 1024, 3 seeds, 100 steps. `paper`: width 65536, 10 seeds, 2000 steps: hours. */
  readonly size?: 'ci' | 'paper';
  readonly width?: number;
  readonly epochs?: number;
  readonly limit?: boolean;
}

export function sizeOf<T>(
  where: string,
  size: 'ci' | 'paper',
  sizes: { readonly ci: T; readonly paper: T },
): T {
  if (size !== 'ci' && size !== 'paper')
    throw new RangeError(`${where}: size must be 'ci' or 'paper', got '${String(size)}'`);
  return sizes[size];
}

/** @internal */
export const WIDTHS_OPTIONS: Fields<GolikovWidthsOptions> = {
  ...{ data: true, size: true, widths: true, seeds: true, epochs: true, learningRate: true },
  ...{ batchSize: true, shuffle: true },
  journal: true,
  onPlan: true,
  ...LONG_CALL,
};
const { widths: _widths, ...FIGURE } = WIDTHS_OPTIONS;

/**
 * Figure 1 (right), figure 2 and appendix F of arXiv:2006.06574: a reference of width 128 and six wide nets scaled
 * from it, in f32. Appendix F is the same with batches (`batchSize`) or more examples. RangeError for shapes, sizes or
 * options that do not fit.
 */
export async function golikovFigure(engine: Engine, options: GolikovFigureOptions): Promise<Comparison> {
  knownFields('golikovFigure', options, { ...FIGURE, width: true, limit: true });
  const { size = 'ci', width, limit = false, ...rest } = options;
  const own = sizeOf('golikovFigure', size, {
    ci: { widths: [1024], seeds: 3, epochs: 100 },
    paper: { widths: [65536], seeds: 10, epochs: 2000 },
  });
  return compareScalings(engine, {
    ...own,
    learningRate: 0.3,
    ...rest,
    ...(width === undefined ? {} : { widths: [width] }),
    scalings: [
      scalings.meanField,
      scalings.icMeanField,
      scalings.icMeanFieldMask,
      scalings.ntk,
      scalings.symDefault,
      scalings.default,
    ],
    baseWidth: 128,
    limit,
    dtype: 'f32',
    evaluateAt: 'log',
    keepTraces: size === 'paper',
    keep: { testLogits: size === 'paper' },
  });
}

export interface GolikovWidthsOptions extends Omit<PresetOptions, 'epochs'> {
  /** `ci`: widths 128 to 4096, 3 seeds. `paper`: 128 to 65536, 5 seeds. 50 epochs. */
  readonly size?: 'ci' | 'paper';
  readonly widths?: readonly number[];
  readonly epochs?: number;
}

/**
 * The figures of arXiv:2003.05884 for one hidden layer: mean field, NTK, the middle between them and the default over
 * widths, with the terms of the logit and the increments of the weights. See `widthPanels`. Errors as of
 * `golikovFigure`.
 */
export async function golikovWidths(engine: Engine, options: GolikovWidthsOptions): Promise<Comparison> {
  knownFields('golikovWidths', options, WIDTHS_OPTIONS);
  const { size = 'ci', ...rest } = options;
  const own = sizeOf('golikovWidths', size, { ci: { last: 12, seeds: 3 }, paper: { last: 16, seeds: 5 } });
  return compareScalings(engine, {
    seeds: own.seeds,
    widths: Array.from({ length: own.last - 6 }, (_, k) => 2 ** (7 + k)),
    epochs: 50,
    learningRate: 0.3,
    ...rest,
    scalings: [scalings.meanField, scalings.ntk, scalings.intermediate('3/4'), scalings.default],
    baseWidth: 128,
    limit: false,
    dtype: 'f32',
    evaluateAt: 'log',
    keepTraces: true,
    keep: { decomposition: true, increments: true },
  });
}
