// Nets with several hidden layers under a scaling, trained by the models of `net`, and what width checks need of them.
import {
  adam,
  createModel,
  dense,
  rmsprop,
  serial,
  sgd,
  Trainer,
  type LayerDocument,
  type LayerParameters,
  type Model,
} from '../../net/index.js';
import { mean, standardDeviation } from '../../math/statistics.js';
import { tensor, type Tensor } from '../../math/tensor.js';
import { defineJob, NumericalError, type Core, type Job } from '../../wasm/engine.js';
import { checkPlace } from '../one-hidden/train.js';
import { logisticLoss } from '../one-hidden/loss.js';
import { multipliers } from '../theory/multipliers.js';
import type { Coordinates, Resume, RunCheckpoint, RunParams, RunTrace } from '../one-hidden/run.js';
import { pushChange } from '../one-hidden/train.js';
import { expandTerms, preActivations, type OutputTerm } from './terms.js';

/** @internal One run of a net with `hiddenLayers` layers of equal width. */
export interface DeepRun extends RunParams {
  readonly hiddenLayers: number;
}

/** What width checks and figures read of a deep net. Entry i of the lists belongs to epoch `epochs[i]`. */
export interface DeepTrace extends Pick<
  RunTrace,
  'epochs' | 'testLoss' | 'testAccuracy' | 'meanAbsLogit' | 'overflow'
> {
  /** After training, on the training set. */
  readonly trainLoss: number[];
  readonly trainAccuracy: number[];
  /** Per hidden layer. */
  readonly coordinates: Coordinates[][];
  /** Outputs on test points at the start, and their mean absolute change since; empty without coordinates. */
  readonly startLogits: number[];
  readonly logitChange: number[];
  /** Variance over test points of the terms of the trained net's output. */
  readonly terms: { readonly moved: readonly number[]; readonly variance: number }[];
  /** The same with all hidden matrices as one, which has moved where one of them has: variances of f0, fa, fv, fw, fav, ... */
  readonly groups: Record<string, number>;
  /** Per matrix after training: mean absolute increment (input: mean length of a row's) over that of the start. */
  readonly moves: number[];
}

/** @internal Messages are epochs done, or checkpoints where `resume` asks for them. */
export const deepJob: Job<DeepRun & { readonly resume?: Resume }, DeepTrace> = defineJob(
  'scaling/deep',
  (core, { resume, ...run }, { send }) => trainDeep(core, run, send, resume),
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
  const { parameters, wasm } = sizeOfDeep({ ...run, hiddenLayers });
  if (wasm > 3.5 * 2 ** 30) {
    throw new RangeError(
      `train: ${hiddenLayers} hidden layers of width ${run.width} have ${parameters.toPrecision(3)} weights and need ${(wasm / 2 ** 30).toPrecision(3)} GiB per net, above 3.5. Use f32 or a smaller width.`,
    );
  }
  if (run.loss !== 'logistic') refuse(`loss '${run.loss}'`);
  if (run.space !== 'auto') refuse(`space '${run.space}'`);
  if (run.scaling.initCorrection !== 'none') refuse(`initCorrection '${run.scaling.initCorrection}'`);
  return { ...run, hiddenLayers };
}

/** Weights, and bytes of wasm memory: parameters, gradient, moments, and for the terms the start and increment of each. */
export function sizeOfDeep({ width, hiddenLayers, dtype, data, keep, optimizer }: DeepRun): {
  readonly parameters: number;
  readonly wasm: number;
} {
  const parameters = width * (data.inputs + 1 + (hiddenLayers - 1) * width);
  const rows = data.yTrain.length + data.yTest.length;
  const copies = 2 + (optimizer === 'sgd' ? 0 : 2) + (keep.decomposition ? 2 : 0);
  const numbers = copies * parameters + 2 * rows * hiddenLayers * width;
  return { parameters, wasm: (dtype === 'f32' ? 4 : 8) * numbers };
}

function trainDeep(
  core: Core,
  run: DeepRun,
  report: (message: number | RunCheckpoint) => void,
  resume?: Resume,
): DeepTrace {
  const { data, epochs, keep } = run;
  const { weights, rates } = multipliers(run.scaling, run.width / run.baseWidth, {
    optimizer: run.optimizer,
  });
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
  const trace: DeepTrace = {
    ...{ epochs: [], testLoss: [], testAccuracy: [], meanAbsLogit: [], coordinates: [] },
    ...{ startLogits: [], logitChange: [] },
    ...{ trainLoss: [], trainAccuracy: [], terms: [], groups: {}, moves: [], overflow: null },
  };
  const due = new Set(run.evaluateAt);
  const show = (epoch: number): void => {
    if (!due.has(epoch)) return;
    const f = model.forward(test);
    const { loss, accuracy } = logisticLoss(f.data, data.yTest);
    if (!Number.isFinite(loss)) throw new NumericalError('train: outputs overflow');
    trace.epochs.push(epoch);
    trace.testLoss.push(loss);
    trace.testAccuracy.push(accuracy);
    trace.meanAbsLogit.push(meanAbs(f));
    if (before) {
      trace.coordinates.push(sizes(preActivations(model, test), before));
      pushChange(f.data, trace.startLogits, trace.logitChange);
    }
  };
  const from = resume?.from;
  if (from) {
    checkPlace(from, epochs);
    Object.assign(trace, structuredClone(from.trace));
    restore(trainer, from);
  }
  let saved = performance.now();
  try {
    if (!from) show(0);
    for (let epoch = (from?.epoch ?? 0) + 1; epoch <= epochs; epoch++) {
      for (let step = 0; step < trainer.stepsPerEpoch; step++) trainer.next();
      show(epoch);
      report(epoch);
      if (resume && performance.now() - saved >= 1000 * resume.everySeconds) {
        report({ epoch, trace: structuredClone(trace), state: stateOf(trainer) });
        saved = performance.now();
      }
    }
    return ended(trace, run, model, { x, test, start, steps: trainer.step });
  } catch (error) {
    if (!(error instanceof NumericalError)) throw error;
    return { ...trace, overflow: { epoch: Math.floor(trainer.epoch), step: trainer.step } };
  } finally {
    trainer.dispose();
  }
}

/** The trace with what is read of the trained net. */
function ended(
  trace: DeepTrace,
  { data, epochs, keep, hiddenLayers }: DeepRun,
  model: Model,
  { x, test, start, steps }: { x: Tensor; test: Tensor; start: LayerParameters[] | null; steps: number },
): DeepTrace {
  const { loss, accuracy } = logisticLoss(model.forward(x).data, data.yTrain);
  // The last update is not followed by a step that would notice.
  if (!Number.isFinite(loss)) return { ...trace, overflow: { epoch: epochs, step: steps } };
  trace.trainLoss.push(loss);
  trace.trainAccuracy.push(accuracy);
  const terms = start ? expandTerms(model, test, start) : [];
  for (const { moved, values } of terms) trace.terms.push({ moved, variance: variance(values.data) });
  if (start) Object.assign(trace.groups, groupTerms(terms, hiddenLayers));
  if (start && keep.increments) trace.moves.push(...movesOf(start, model.parameters));
  return trace;
}

/** Parameters, and the optimiser's vectors by their places. */
function stateOf(trainer: Trainer): RunCheckpoint['state'] {
  const { parameters, optimizer } = trainer.checkpoint();
  return { parameters, ...Object.fromEntries(optimizer.entries()) };
}

function restore(trainer: Trainer, { epoch, state: { parameters, ...rest } }: RunCheckpoint): void {
  const optimizer = Object.keys(rest).map((_, i) => rest[i]!);
  trainer.restore({ step: epoch * trainer.stepsPerEpoch, parameters: parameters!, optimizer });
}

function documentOf({ hiddenLayers, width, activation, init }: DeepRun): LayerDocument {
  const options = { parametrization: 'standard' as const, wStd: init.gain };
  const hidden = Array.from({ length: hiddenLayers }, () => [
    dense(width, options),
    activation as LayerDocument,
  ]);
  return serial(...hidden.flat(), dense(1, options));
}

const variance = (values: ArrayLike<number>): number => standardDeviation(Array.from(values), 0) ** 2;

/** Variances of the sums of the terms in which the output matrix (a), some hidden ones (v) and the input matrix (w) moved. */
function groupTerms(terms: readonly OutputTerm[], last: number): Record<string, number> {
  const sums: Record<string, Float64Array> = {};
  for (const { moved, values } of terms) {
    const hidden = moved.some((l) => l > 0 && l < last);
    const name =
      `${moved.includes(last) ? 'a' : ''}${hidden ? 'v' : ''}${moved.includes(0) ? 'w' : ''}` || '0';
    const sum = (sums[`f${name}`] ??= new Float64Array(values.data.length));
    values.data.forEach((value, i) => (sum[i]! += value));
  }
  return Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, variance(sum)]));
}

function movesOf(start: readonly LayerParameters[], now: readonly LayerParameters[]): number[] {
  return start.map(({ w: before }, l) => {
    const [inputs, units] = before.shape as [number, number];
    const change = before.data.map((value, i) => now[l]!.w.data[i]! - value);
    const size = (values: ArrayLike<number>): number => {
      let sum = 0;
      if (l > 0) for (let i = 0; i < values.length; i++) sum += Math.abs(values[i]!);
      else
        for (let r = 0; r < units; r++) {
          let square = 0;
          for (let k = 0; k < inputs; k++) square += values[k * units + r]! ** 2;
          sum += Math.sqrt(square);
        }
      return sum;
    };
    return size(change) / size(before.data);
  });
}

const meanAbs = ({ data }: Tensor): number => mean(Array.from(data, Math.abs));

/** Of the hidden layers: the last one is the output. */
const sizes = (now: readonly Tensor[], before: readonly Tensor[]): Coordinates[] =>
  now.slice(0, -1).map((z, l) => ({
    hidden: meanAbs(z),
    change: mean(Array.from(z.data, (value, i) => Math.abs(value - before[l]!.data[i]!))),
  }));
