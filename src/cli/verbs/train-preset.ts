// The presets of `train`: the figures of the papers.
import { type BinaryProblem } from '../../scaling/index.js';
import {
  golikovDeepWidths,
  golikovFigure,
  golikovWidths,
  summariseWidths,
  widthPanels,
} from '../../papers/index.js';
import { UsageError } from '../errors.js';
import type { Context, Outcome } from '../verb.js';
import { imageProblem, xorProblem } from './train-data.js';
import type { Follow, TrainVerbOptions } from './train-options.js';
import { writeComparison, writeWidths } from './train-report.js';

export async function fromPreset(
  options: TrainVerbOptions,
  context: Context,
  follow: Follow,
): Promise<Outcome> {
  const { preset, size, data: images, classes, batch, width, depth, optimizer } = options;
  const { seeds, steps, learningRate } = options;
  if (preset !== 'golikov-widths' && (depth > 1 || optimizer))
    throw new UsageError('train: --depth and --optimizer belong to --preset golikov-widths.');
  if (depth === 1 && optimizer) throw new UsageError('train: --optimizer needs --depth 2 or more.');
  const adaptive = (optimizer ?? 'sgd') !== 'sgd';
  const engine = await context.engine();
  const examples = options.examples ?? (images !== undefined && size === 'paper' ? 1024 : 256);
  const data: BinaryProblem =
    images === undefined
      ? xorProblem(examples, 512, 20, 0)
      : await imageProblem(engine, { images, train: examples, ...(classes ? { classes } : {}) });
  const stepsPerEpoch = Math.ceil(examples / (batch ?? examples));
  const wanted =
    steps ?? { 'golikov-figure-1': { ci: 100, paper: 2000 }[size], 'golikov-widths': 50 }[preset!];
  const shared = {
    data,
    size,
    epochs: Math.ceil(wanted / stepsPerEpoch),
    learningRate: learningRate ?? (images === undefined ? 0.3 : 0.02),
    ...(batch === undefined ? {} : { batchSize: batch }),
    ...(seeds === undefined ? {} : { seeds }),
    ...follow,
  };
  const settings = {
    preset,
    size,
    data: images ?? 'xor',
    classes,
    examples,
    batch,
    width,
    seeds,
    steps: wanted,
  };
  if (preset === 'golikov-widths' && depth > 1) {
    const { learningRate: _rate, ...rest } = shared;
    const deep = await golikovDeepWidths(engine, {
      ...(adaptive && learningRate === undefined ? rest : shared),
      hiddenLayers: depth,
      ...(optimizer ? { optimizer } : {}),
    });
    for (const note of deep.notes) context.progress.log(`note: ${note}`);
    return writeWidths(options, context, deep.summaries, deep.panels, { ...settings, depth, optimizer });
  }
  if (preset === 'golikov-widths') {
    const comparison = await golikovWidths(engine, shared);
    const summaries = summariseWidths(comparison);
    return writeWidths(options, context, summaries, widthPanels(comparison, summaries), settings);
  }
  const comparison = await golikovFigure(engine, { ...shared, ...(width === undefined ? {} : { width }) });
  return writeComparison(options, context, comparison, settings, stepsPerEpoch);
}
