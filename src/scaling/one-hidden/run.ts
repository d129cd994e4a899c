// What a training run of a one-hidden-layer classifier is given, and what it shows.
import type { FloatType } from '../../wasm/engine.js';
import type { HiddenActivation } from './activation.js';
import type { TrainingLoss } from './loss.js';
import type { LayerFactors, OptimizerKind } from '../theory/multipliers.js';
import type { Scaling } from '../theory/scalings.js';

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
  readonly factors?: LayerFactors;
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
  readonly space: 'auto' | 'weights' | 'gram';
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

/** A run in the middle: what it takes to go on with the same bits. */
export interface RunCheckpoint {
  /** Epochs done. */
  readonly epoch: number;
  /** What was recorded so far: of the kind of the run's trace. */
  readonly trace: object;
  /** Arrays of the model. */
  readonly state: Readonly<Record<string, Float32Array | Float64Array>>;
}

/** When a run hands out checkpoints, and the one it starts from. */
export interface Resume {
  readonly everySeconds: number;
  readonly from: RunCheckpoint | null;
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

/** Parts of the output: output and input weights each at their start or as increments. */
export type Terms = Record<'f0' | 'fa' | 'fw' | 'faw', Float64Array>;

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
  /** Mean over these points of |f| / K, with the whole kernel and with the part of either layer. */
  readonly logitOverKernel: number[];
  readonly logitOverOutputKernel: number[];
  readonly logitOverInputKernel: number[];
  readonly testLogits?: Float64Array[];
  readonly grams?: { readonly output: Float64Array; readonly input: Float64Array }[];
  readonly increments?: Increments[];
  readonly coordinates?: Coordinates[];
  /** With coordinates: outputs on test points at the start, and their mean absolute change since. */
  readonly startLogits?: number[];
  readonly logitChange?: number[];
  readonly decomposition?: Terms;
  readonly weights?: { readonly input: Float64Array; readonly output: Float64Array };
  readonly rates: { readonly input: number; readonly output: number };
  /** Where numbers overflowed; everything before it is kept. */
  readonly overflow: { readonly epoch: number; readonly step: number } | null;
}

/** What the loop trains. Rows are places in the current order of the training set. */
export interface OneHiddenModel {
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
  decompose?(): Terms;
  weights?(): { input: Float64Array; output: Float64Array };
  /** All that changes in training, to be put back by `restore`. */
  save?(): RunCheckpoint['state'];
  restore?(state: RunCheckpoint['state']): void;
}
