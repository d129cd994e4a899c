// The training loop of one-hidden-layer classifiers, the same for finite nets and for limit models.
import { foldIn, permutation, randomKey } from '../math/random.js';
import { NumericalError, type Core, type FloatType } from '../wasm/engine.js';
import type { HiddenActivation } from './activation.js';
import { FiniteModel } from './finite-model.js';
import { plainObjective, type Objective, type TrainingLoss } from './loss.js';
import type { Multipliers, OptimizerKind } from './multipliers.js';
import type { Scaling } from './scalings.js';

/** Data as jobs take it: row-major inputs and labels -1 or 1. */
export interface BinaryData {
  readonly inputs: number;
  readonly xTrain: Float64Array;
  readonly yTrain: Float64Array;
  readonly xTest: Float64Array;
  readonly yTest: Float64Array;
}

/** One training run, complete and plain. */
export interface RunParams {
  readonly data: BinaryData;
  readonly scaling: Scaling;
  readonly width: number;
  readonly baseWidth: number;
  readonly seed: number;
  /** Explicit unscaled weights instead of the seed's: input `(width, inputs)`, output `(width)`. */
  readonly weights?: { readonly input: ArrayLike<number>; readonly output: ArrayLike<number> };
  /** Explicit factors instead of the scaling's. */
  readonly factors?: Multipliers;
  readonly init: { readonly law: 'uniform' | 'normal'; readonly gain: number };
  readonly activation: HiddenActivation;
  readonly loss: TrainingLoss;
  readonly optimizer: OptimizerKind;
  readonly learningRate: number;
  readonly epochs: number;
  readonly batchSize: number;
  readonly shuffle: boolean;
  readonly dtype: FloatType;
  /** Epochs after which to evaluate, ascending. */
  readonly evaluateAt: readonly number[];
  readonly kernelPoints: number;
  readonly mode: 'full' | 'frozenGradient' | 'firstOrder';
  /** For limit models: units in pairs (a, w), (-a, w), and the factors on the initial weights. */
  readonly particles?: { readonly pairs: boolean; readonly outputStart: number; readonly inputStart: number };
  readonly keep: {
    readonly testLogits?: boolean;
    readonly decomposition?: boolean;
    readonly grams?: boolean;
    readonly weights?: boolean;
    readonly increments?: boolean;
    readonly coordinates?: boolean;
  };
}

/** Mean absolute pre-activation over units and test points, and of its change since the start. */
export interface Coordinates {
  readonly hidden: number;
  readonly change: number;
}

export interface Increments {
  /** Mean over units of the length of the input row's increment. */
  readonly input: number;
  /** Mean absolute increment of the output weights. */
  readonly output: number;
}

/** What one run showed. Entry i of each list belongs to `epochs[i]`; entry 0 is the initialisation when 0 is asked for. */
export interface RunTrace {
  readonly name: string;
  readonly width: number;
  readonly seed: number;
  readonly epochs: number[];
  /** Mean over the epoch's batches, each before its update; for the last epoch the final loss. */
  readonly trainLoss: number[];
  readonly trainAccuracy: number[];
  readonly testLoss: number[];
  readonly testAccuracy: number[];
  /** Over the test points. */
  readonly meanAbsLogit: number[];
  /** Diagonal tangent kernel of the first test points, with the scaled rates: part of the output and of the input layer. */
  readonly outputKernel: number[][];
  readonly inputKernel: number[][];
  /** Mean over these points of K / K at the first entry. */
  readonly relativeKernel: number[];
  readonly testLogits?: Float64Array[];
  readonly grams?: { readonly output: Float64Array; readonly input: Float64Array }[];
  readonly increments?: Increments[];
  readonly coordinates?: Coordinates[];
  readonly decomposition?: Record<'f0' | 'fa' | 'fw' | 'faw', Float64Array>;
  readonly weights?: { readonly input: Float64Array; readonly output: Float64Array };
  readonly rates: { readonly input: number; readonly output: number };
  /** Where numbers overflowed; everything before it is kept. */
  readonly overflow: { readonly epoch: number; readonly step: number } | null;
}

/** What the loop trains. Rows are places in the current order of the training set. */
export interface Model {
  readonly rates: { readonly input: number; readonly output: number };
  /** Outputs on rows `first .. first + rows - 1`; `step` refers to them. */
  forward(first: number, rows: number): Float64Array;
  /** One step from the loss derivatives of the rows last asked for; then the outputs of the next ones. */
  step(first: number, rows: number, g: Float64Array, next: { first: number; rows: number }): Float64Array;
  /** Outputs on all points in stored order, and the diagonal tangent kernel of the first ones, rates included. */
  evaluate(
    part: 'train' | 'test',
    kernelPoints?: number,
  ): { f: Float64Array; outputKernel: Float64Array; inputKernel: Float64Array };
  /** Puts the training set in another order. */
  reorder(order: Int32Array): void;
  grams?(points: number): { output: Float64Array; input: Float64Array };
  increments?(): Increments;
  coordinates?(): Coordinates;
  decompose?(): Record<'f0' | 'fa' | 'fw' | 'faw', Float64Array>;
  weights?(): { input: Float64Array; output: Float64Array };
}

/** Trains one net; `progress` is called after every evaluation with the epoch. */
export function trainRun(core: Core, params: RunParams, progress?: (epoch: number) => void): RunTrace {
  const region = core.heap.region();
  try {
    const model = new FiniteModel(core, region, params);
    return new Loop(core, model, plainObjective(params.loss), params).go(progress);
  } finally {
    region.dispose();
  }
}

/** What the loop needs to know beside model and objective. */
export type LoopParams = Pick<
  RunParams,
  'data' | 'width' | 'seed' | 'epochs' | 'batchSize' | 'shuffle' | 'evaluateAt' | 'kernelPoints' | 'keep'
> & { readonly scaling: { readonly name: string } };

export class Loop {
  readonly #core: Core;
  readonly #p: LoopParams;
  readonly #model: Model;
  readonly #objective: Objective;
  readonly #trace: { -readonly [K in keyof RunTrace]: RunTrace[K] };
  readonly #rows: number;
  #order: Int32Array;

  constructor(core: Core, model: Model, objective: Objective, p: LoopParams) {
    this.#core = core;
    this.#p = p;
    this.#model = model;
    this.#objective = objective;
    this.#rows = p.data.yTrain.length;
    this.#order = Int32Array.from({ length: this.#rows }, (_, i) => i);
    const { testLogits, grams, increments, coordinates } = p.keep;
    this.#trace = {
      name: p.scaling.name,
      width: p.width,
      seed: p.seed,
      epochs: [],
      trainLoss: [],
      trainAccuracy: [],
      testLoss: [],
      testAccuracy: [],
      meanAbsLogit: [],
      outputKernel: [],
      inputKernel: [],
      relativeKernel: [],
      ...(testLogits ? { testLogits: [] } : {}),
      ...(grams ? { grams: [] } : {}),
      ...(increments ? { increments: [] } : {}),
      ...(coordinates ? { coordinates: [] } : {}),
      rates: model.rates,
      overflow: null,
    };
  }

  go(progress?: (epoch: number) => void): RunTrace {
    const { epochs, evaluateAt, keep, data } = this.#p;
    const model = this.#model;
    const trace = this.#trace;
    const wanted = new Set(evaluateAt);
    let f = epochs > 0 ? this.#first(0) : null;
    for (let epoch = 0; epoch < epochs; epoch++) {
      const evaluated = wanted.has(epoch);
      if (evaluated && !this.#evaluate(epoch)) return this.#overflow(epoch, 0);
      const result = this.#epoch(epoch, f!);
      if (typeof result === 'number') return this.#overflow(epoch, result);
      if (evaluated) {
        trace.trainLoss.push(result.loss);
        trace.trainAccuracy.push(result.accuracy);
        progress?.(epoch);
      }
      f = result.f;
    }
    if (wanted.has(epochs)) {
      if (!this.#evaluate(epochs)) return this.#overflow(epochs, 0);
      const shown = this.#objective.shown(model.evaluate('train').f, 'train');
      const { loss, accuracy } = this.#objective.score(shown, data.yTrain);
      trace.trainLoss.push(loss);
      trace.trainAccuracy.push(accuracy);
      progress?.(epochs);
    }
    if (keep.decomposition) trace.decomposition = model.decompose!();
    if (keep.weights) trace.weights = model.weights!();
    return trace;
  }

  /** The first outputs of an epoch, in its order. */
  #first(epoch: number): Float64Array {
    const { shuffle, seed, batchSize } = this.#p;
    if (shuffle) {
      this.#order = permutation(this.#core, foldIn(randomKey(seed), 'order', epoch), this.#rows);
      this.#model.reorder(this.#order);
    }
    return this.#model.forward(0, Math.min(batchSize, this.#rows));
  }

  /** One epoch; the number of the step at which it overflowed, or its averages and the next epoch's first outputs. */
  #epoch(epoch: number, f: Float64Array): number | { loss: number; accuracy: number; f: Float64Array } {
    const { data, batchSize, epochs, shuffle } = this.#p;
    const total = this.#rows;
    let loss = 0;
    let accuracy = 0;
    for (let first = 0, step = 0; first < total; step++) {
      const rows = Math.min(batchSize, total - first);
      const which = this.#order.subarray(first, first + rows);
      const y = Float64Array.from(which, (i) => data.yTrain[i]!);
      const now = this.#objective.score(this.#objective.shown(f, 'train', which), y);
      if (Number.isNaN(now.loss) || (now.loss === Infinity && !this.#objective.diverges)) return step;
      loss += (now.loss * rows) / total;
      accuracy += (now.accuracy * rows) / total;
      const g = this.#objective.gradient(f, y, which);
      const last = first + rows >= total;
      // The next epoch's order must be in place before its first batch is computed; after the last step none is.
      if (last && (shuffle || epoch + 1 === epochs)) {
        this.#model.step(first, rows, g, { first: 0, rows: 0 });
        if (epoch + 1 < epochs) f = this.#first(epoch + 1);
      } else {
        const next = last ? 0 : first + rows;
        f = this.#model.step(first, rows, g, { first: next, rows: Math.min(batchSize, total - next) });
      }
      first += rows;
    }
    return { loss, accuracy, f };
  }

  #evaluate(epoch: number): boolean {
    const trace = this.#trace;
    const { data, keep } = this.#p;
    const points = Math.min(this.#p.kernelPoints, data.yTest.length);
    const { f: raw, outputKernel, inputKernel } = this.#model.evaluate('test', points);
    const f = this.#objective.shown(raw, 'test');
    const { loss, accuracy } = this.#objective.score(f, data.yTest);
    if (Number.isNaN(loss) || (loss === Infinity && !this.#objective.diverges)) return false;
    trace.epochs.push(epoch);
    trace.testLoss.push(loss);
    trace.testAccuracy.push(accuracy);
    trace.meanAbsLogit.push(f.reduce((sum, value) => sum + Math.abs(value), 0) / f.length);
    trace.outputKernel.push(Array.from(outputKernel));
    trace.inputKernel.push(Array.from(inputKernel));
    const [firstOutput, firstInput] = [trace.outputKernel[0]!, trace.inputKernel[0]!];
    let ratio = 0;
    for (let i = 0; i < points; i++)
      ratio += (outputKernel[i]! + inputKernel[i]!) / (firstOutput[i]! + firstInput[i]!) / points;
    trace.relativeKernel.push(ratio);
    trace.testLogits?.push(f);
    if (keep.grams) trace.grams!.push(this.#model.grams!(points));
    if (keep.increments) trace.increments!.push(this.#model.increments!());
    if (keep.coordinates) trace.coordinates!.push(this.#model.coordinates!());
    return true;
  }

  #overflow(epoch: number, step: number): RunTrace {
    const trace = this.#trace;
    while (trace.epochs.length > trace.trainLoss.length) {
      // This epoch's evaluation succeeded, its training did not.
      const good = trace.epochs.length;
      for (const value of Object.values(trace))
        if (Array.isArray(value) && value.length === good) value.pop();
    }
    if (trace.epochs.length === 0)
      throw new NumericalError(
        'train: the outputs overflow in the first step. Use a smaller width, rate or qSigma.',
        { step },
      );
    trace.overflow = { epoch, step };
    return trace;
  }
}
