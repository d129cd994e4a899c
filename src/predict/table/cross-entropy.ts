// Class probabilities as a net trained on the cross-entropy gives them: softmax of the outputs of the function-space flow,
// stopped early. Lee et al. 2019 (1902.06720), section 2.3: df/dt = -Theta dL/df.
import type { Engine, RunOptions } from '../../wasm/engine.js';
import { gradientFlow } from '../flow.js';
import { log } from '../../math/elementary.js';
import { classProbabilities, leastFloor } from './loo.js';
import { argmax, block, fiveFolds, gather } from './rows.js';

const TIMES = 9; // powers of four tried, in units of 1 / mean diagonal of the kernel
const ROUGH = 1e-4; // error of logits: enough to choose a time
const FINE = 1e-6;

export interface FlowFit {
  /** When training stops, in steps at learning rate 1. */
  readonly time: number;
  /** (rows, outputs): logits of a point x are Theta(x, rows) weights. */
  readonly weights: Float64Array;
  /** Of rows left out of five folds, at that time. */
  readonly foldAccuracy: number;
}

/**
 * Trains on all rows for the time at which left-out rows of five folds have the best log probability (one integration
 * per fold gives all times), or for `time`.
 */
export async function fitFlow(
  engine: Engine,
  kernel: Float64Array,
  {
    labels,
    outputs,
    time,
    run,
  }: {
    readonly labels: readonly number[];
    readonly outputs: number;
    readonly time: number | null;
    readonly run: RunOptions;
  },
): Promise<FlowFit> {
  const rows = labels.length;
  let mean = 0;
  for (let i = 0; i < rows; i++) mean += kernel[i * (rows + 1)]! / rows;
  const times = time === null ? Array.from({ length: TIMES }, (_, k) => 4 ** k / mean) : [time];
  const onehot = new Float64Array(rows * outputs);
  labels.forEach((label, i) => (onehot[i * outputs + label] = 1));
  const flowOf = (train: readonly number[], tolerance: number) =>
    gradientFlow(engine, {
      ntk: block(kernel, rows, train, train),
      y: { data: gather(onehot, train, outputs), shape: [train.length, outputs] },
      loss: 'crossEntropy',
      rtol: tolerance,
      atol: tolerance,
    });
  const score = new Float64Array(times.length);
  const hits = new Float64Array(times.length);
  const p = new Float64Array(outputs);
  const shares = Array.from({ length: outputs }, (_, k) => labels.filter((l) => l === k).length / rows);
  const link = { slope: 1, floor: leastFloor(rows), shares };
  for (const { left, rest } of fiveFolds(rows)) {
    const { test } = await flowOf(rest, ROUGH)(times, {
      ...run,
      ntkTestTrain: block(kernel, rows, left, rest),
    });
    for (let k = 0; k < times.length; k++) {
      left.forEach((row, i) => {
        const at = (k * left.length + i) * outputs;
        classProbabilities(link, { mean: test!.data, offset: at, variance: 0 }, p);
        score[k]! += log(p[labels[row]!]!);
        hits[k]! += +(argmax(test!.data, at, outputs) === labels[row]);
      });
    }
  }
  const best = argmax(score, 0, times.length);
  const all = Array.from({ length: rows }, (_, i) => i);
  const { coefficients } = await flowOf(all, FINE)([times[best]!], run);
  return {
    time: times[best]!,
    weights: coefficients!.data as Float64Array,
    foldAccuracy: hits[best]! / rows,
  };
}
