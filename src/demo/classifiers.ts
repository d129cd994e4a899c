// A hard pair of digits under five scalings: wide nets, the reference net they are extrapolated from, and the limits.
import { compareScalings, scalings, type Comparison } from '../scaling/index.js';
import type { Engine } from '../wasm/engine.js';
import { digitsSplit } from './problem.js';
import type { Watch } from './regression.js';

export interface ClassifierOptions {
  readonly pair: readonly [number, number];
  readonly train: number;
  readonly baseWidth: number;
  readonly widths: readonly number[];
  readonly seeds: number;
  readonly epochs: number;
  readonly learningRate: number;
  readonly particles: number;
  readonly seed: number;
}

export interface ClassifierResult {
  readonly pair: readonly [number, number];
  readonly train: number;
  readonly test: number;
  readonly comparison: Comparison;
}

/** Mean-field, NTK, sym-default, default and initialisation-corrected mean-field nets, with full-batch SGD. */
export async function runClassifiers(
  engine: Engine,
  options: ClassifierOptions,
  watch: Watch,
): Promise<ClassifierResult> {
  const { pair, train, seed, seeds, ...rest } = options;
  const split = await digitsSplit(engine, { classes: pair, train, seed });
  const signs = (labels: Int32Array): number[] => Array.from(labels, (label) => (label === pair[1] ? 1 : -1));
  let total = 0;
  const comparison = await compareScalings(engine, {
    ...rest,
    data: {
      xTrain: split.xTrain,
      yTrain: signs(split.trainLabels),
      xTest: split.xTest,
      yTest: signs(split.testLabels),
    },
    scalings: [scalings.meanField, scalings.icMeanField, scalings.ntk, scalings.symDefault, scalings.default],
    seeds: Array.from({ length: seeds }, (_, i) => seed + i),
    dtype: 'f32',
    evaluateAt: 'log',
    signal: watch.signal,
    onProgress: (progress) => {
      if (total !== progress.total)
        watch.step('classifiers under five scalings, and their limits', (total = progress.total));
      watch.update(progress.done);
    },
  });
  return { pair, train, test: split.testLabels.length, comparison };
}
