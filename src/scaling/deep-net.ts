// Nets with several hidden layers under a scaling, trained by the models of `net`, and what width checks need of them.
import { adam, createModel, rmsprop, serial, sgd, dense, Trainer, type LayerDocument } from '../net/index.js';
import { evaluateLoss, prepareTargets } from '../net/losses.js';
import { mean, standardDeviation } from '../math/statistics.js';
import { tensor, type Tensor } from '../math/tensor.js';
import { defineJob, NumericalError, type Core, type Job } from '../wasm/engine.js';
import { multipliers } from './multipliers.js';
import type { Coordinates, RunParams, RunTrace } from './run.js';
import { expandTerms, preActivations } from './terms.js';

/** @internal One run of a net with `hiddenLayers` layers of equal width. */
export interface DeepRun extends RunParams {
  readonly hiddenLayers: number;
}

/** @internal What width checks read. Entry i of the lists belongs to evaluation i. */
export interface DeepTrace extends Pick<RunTrace, 'meanAbsLogit' | 'overflow'> {
  /** After training, on the training set. */
  readonly trainLoss: number[];
  /** Per hidden layer. */
  readonly coordinates: Coordinates[][];
  /** Variance over test points of the terms of the trained net's output. */
  readonly terms: { readonly moved: readonly number[]; readonly variance: number }[];
}

/** @internal Messages are epochs done. */
export const deepJob: Job<DeepRun, DeepTrace> = defineJob('scaling/deep', (core, run, { send }) =>
  trainDeep(core, run, send),
);

/** @internal The run, or a RangeError that names what deep nets do not take. */
export function checkDeep(run: RunParams, hiddenLayers: number): DeepRun {
  if (!Number.isInteger(hiddenLayers) || hiddenLayers < 1)
    throw new RangeError(`train: hiddenLayers must be a whole number >= 1, got ${hiddenLayers}`);
  const refuse = (option: string): never => {
    throw new RangeError(
      `train: ${option} exists for one hidden layer only, got hiddenLayers ${hiddenLayers}. Leave it out.`,
    );
  };
  if (run.loss !== 'logistic') refuse(`loss '${run.loss}'`);
  if (run.space !== 'auto') refuse(`space '${run.space}'`);
  if (run.scaling.initCorrection !== 'none') refuse(`initCorrection '${run.scaling.initCorrection}'`);
  return { ...run, hiddenLayers };
}

function trainDeep(core: Core, run: DeepRun, report: (epoch: number) => void): DeepTrace {
  const { data, epochs, keep } = run;
  const { weights, rates } = multipliers(run.scaling, run.width / run.baseWidth, run);
  const x = tensor(data.xTrain, [data.yTrain.length, data.inputs]);
  const y = tensor(data.yTrain, [data.yTrain.length, 1]);
  const test = tensor(data.xTest, [data.yTest.length, data.inputs]);
  using model = createModel(core, documentOf(run), {
    inputShape: [data.inputs],
    seed: run.seed,
    dtype: run.dtype,
    init: run.init.law === 'uniform' ? 'uniform' : 'gaussian',
    multipliers: weights,
  });
  const start = keep.decomposition ? model.parameters : null;
  const before = keep.coordinates ? preActivations(model, test) : null;
  const { batchSize, shuffle, seed, learningRate } = run;
  const optimizer = { sgd, adam, rmsprop }[run.optimizer](learningRate);
  const trainer = new Trainer(model, { x, y, loss: 'logistic', optimizer, rates, batchSize, shuffle, seed });
  const trace: DeepTrace = { meanAbsLogit: [], coordinates: [], trainLoss: [], terms: [], overflow: null };
  const due = new Set(run.evaluateAt);
  const show = (epoch: number): void => {
    if (!due.has(epoch)) return;
    trace.meanAbsLogit.push(meanAbs(model.forward(test)));
    if (before) trace.coordinates.push(sizes(preActivations(model, test), before));
  };
  try {
    show(0);
    for (let epoch = 1; epoch <= epochs; epoch++) {
      for (let step = 0; step < trainer.stepsPerEpoch; step++) trainer.next();
      show(epoch);
      report(epoch);
    }
    const targets = prepareTargets('train', 'logistic', y, data.yTrain.length, 1);
    const { loss } = evaluateLoss(core, 'logistic', model.forward(x).data, targets, 1);
    // The last update is not followed by a step that would notice.
    if (!Number.isFinite(loss)) return { ...trace, overflow: { epoch: epochs, step: trainer.step } };
    trace.trainLoss.push(loss);
    const terms = start ? expandTerms(model, test, start) : [];
    for (const { moved, values } of terms)
      trace.terms.push({ moved, variance: standardDeviation(Array.from(values.data), 0) ** 2 });
    return trace;
  } catch (error) {
    if (!(error instanceof NumericalError)) throw error;
    return { ...trace, overflow: { epoch: Math.floor(trainer.epoch), step: trainer.step } };
  } finally {
    trainer.dispose();
  }
}

function documentOf({ hiddenLayers, width, activation, init }: DeepRun): LayerDocument {
  const options = { parametrization: 'standard', wStd: init.gain };
  const hidden = Array.from({ length: hiddenLayers }, () => [
    dense(width, options),
    activation as LayerDocument,
  ]);
  return serial(...hidden.flat(), dense(1, options));
}

const meanAbs = ({ data }: Tensor): number => mean(Array.from(data, Math.abs));

/** Of the hidden layers: the last one is the output. */
const sizes = (now: readonly Tensor[], before: readonly Tensor[]): Coordinates[] =>
  now.slice(0, -1).map((z, l) => ({
    hidden: meanAbs(z),
    change: mean(Array.from(z.data, (value, i) => Math.abs(value - before[l]!.data[i]!))),
  }));
