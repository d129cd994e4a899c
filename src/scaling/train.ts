// Training of one-hidden-layer classifiers under a scaling: the finite side of every experiment here.
import { foldIn, permutation, randomKey } from '../math/random.js';
import { NumericalError, type Core, type FloatType } from '../wasm/engine.js';
import type { HiddenActivation } from './activation.js';
import { HiddenNet, type Batch, type StepRule } from './hidden-net.js';
import { logisticLoss, lossGradient, type TrainingLoss } from './loss.js';
import { multipliers, type Multipliers, type OptimizerKind } from './multipliers.js';
import type { InitCorrection, Scaling } from './scalings.js';

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
  readonly keep: {
    readonly testLogits?: boolean;
    readonly decomposition?: boolean;
    readonly grams?: boolean;
    readonly weights?: boolean;
    readonly increments?: boolean;
  };
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
  readonly decomposition?: Record<'f0' | 'fa' | 'fw' | 'faw', Float64Array>;
  readonly weights?: { readonly input: Float64Array; readonly output: Float64Array };
  readonly rates: { readonly input: number; readonly output: number };
  /** Where numbers overflowed; everything before it is kept. */
  readonly overflow: { readonly epoch: number; readonly step: number } | null;
}

/** Trains one net; `progress` is called after every evaluation with the epoch. */
export function trainRun(core: Core, params: RunParams, progress?: (epoch: number) => void): RunTrace {
  const region = core.heap.region();
  try {
    return new Run(core, region, params).go(progress);
  } finally {
    region.dispose();
  }
}

class Run {
  readonly #core: Core;
  readonly #p: RunParams;
  readonly #net: HiddenNet;
  readonly #rule: StepRule;
  readonly #train: Batch;
  readonly #test: Batch;
  #y: Float64Array;
  /** Constant parts of the output: f_un(0) - f(0), or f_un(0). */
  #trainShift: Float64Array | null = null;
  #testShift: Float64Array | null = null;
  #correction: InitCorrection;
  readonly #order: { x: Float64Array; shift: Float64Array | null };
  readonly #trace: { -readonly [K in keyof RunTrace]: RunTrace[K] };

  constructor(core: Core, region: ReturnType<Core['heap']['region']>, p: RunParams) {
    this.#core = core;
    this.#p = p;
    const { data, dtype } = p;
    const put = (values: Float64Array): Batch => ({
      x: dtype === 'f32' ? region.put(Float32Array.from(values)) : region.put(Float64Array.from(values)),
      rows: values.length / data.inputs,
    });
    this.#train = put(data.xTrain);
    this.#test = put(data.xTest);
    this.#y = data.yTrain;
    this.#net = new HiddenNet(core, region, {
      width: p.width,
      inputs: data.inputs,
      rows: Math.min(p.batchSize, this.#train.rows),
      dtype,
      activation: p.activation,
    });
    const factors = p.factors ?? multipliers(p.scaling, p.width / p.baseWidth, { optimizer: p.optimizer });
    const rates = {
      input: p.learningRate * factors.rates.input,
      output: p.learningRate * factors.rates.output,
    };
    this.#rule =
      p.optimizer === 'sgd'
        ? { kind: 'sgd', ...rates }
        : {
            kind: p.optimizer,
            ...rates,
            beta1: 0.9,
            beta2: p.optimizer === 'adam' ? 0.999 : 0.99,
            eps: 1e-8,
          };
    this.#correction = p.scaling.initCorrection;
    this.#start(factors);
    this.#order = { x: data.xTrain, shift: this.#trainShift };
    const { testLogits, grams, increments } = p.keep;
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
      rates,
      overflow: null,
    };
  }

  #start(factors: Multipliers): void {
    const net = this.#net;
    const { weights, init, seed, mode, keep } = this.#p;
    if (weights) net.setWeights(weights.input, weights.output);
    else net.init(seed, init.law, init.gain);
    const corrected = this.#correction !== 'none';
    const unscaled = corrected ? [this.#outputs(this.#train), this.#outputs(this.#test)] : null;
    net.scaleOutput(factors.weights.output);
    if (mode !== 'full' || this.#correction === 'mask' || keep.decomposition || keep.increments)
      net.keepStart();
    if (!unscaled) {
      net.mode = { frozenGradient: mode !== 'full', firstOrder: mode === 'firstOrder' };
      return;
    }
    if (this.#correction === 'mask') {
      if (net.slope === null)
        throw new RangeError(
          "train: initCorrection 'mask' needs an on/off activation (leakyRelu, relu). Use 'simple'.",
        );
      net.mode = { maskedStart: true };
      [this.#trainShift, this.#testShift] = unscaled as [Float64Array, Float64Array];
      return;
    }
    const start = [this.#outputs(this.#train), this.#outputs(this.#test)];
    [this.#trainShift, this.#testShift] = unscaled.map((list, k) =>
      list.map((u, i) => u - start[k]![i]!),
    ) as [Float64Array, Float64Array];
  }

  #outputs(batch: Batch): Float64Array {
    return this.#net.evaluate(batch).f;
  }

  go(progress?: (epoch: number) => void): RunTrace {
    const { epochs, evaluateAt, keep } = this.#p;
    const wanted = new Set(evaluateAt);
    let f = this.#first(0);
    for (let epoch = 0; epoch < epochs; epoch++) {
      const evaluated = wanted.has(epoch);
      if (evaluated && !this.#evaluate(epoch)) return this.#overflow(epoch, 0);
      const result = this.#epoch(epoch, f);
      if (typeof result === 'number') return this.#overflow(epoch, result);
      if (evaluated) {
        this.#trace.trainLoss.push(result.loss);
        this.#trace.trainAccuracy.push(result.accuracy);
        progress?.(epoch);
      }
      f = result.f;
    }
    if (wanted.has(epochs)) {
      if (!this.#evaluate(epochs)) return this.#overflow(epochs, 0);
      const all = this.#shifted(this.#outputs(this.#train), this.#trainShift, 0);
      const { loss, accuracy } = logisticLoss(all, this.#p.data.yTrain);
      this.#trace.trainLoss.push(loss);
      this.#trace.trainAccuracy.push(accuracy);
      progress?.(epochs);
    }
    if (keep.decomposition) this.#trace.decomposition = this.#net.decompose(this.#test);
    if (keep.weights) this.#trace.weights = this.#net.weights();
    return this.#trace;
  }

  #batch(first: number): Batch {
    const { inputs } = this.#p.data;
    const rows = Math.min(this.#p.batchSize, this.#train.rows - first);
    const { ptr, dtype } = this.#train.x;
    const bytes = dtype === 'f32' ? 4 : 8;
    return { x: { ptr: (ptr + first * inputs * bytes) as typeof ptr, length: rows * inputs, dtype }, rows };
  }

  #first(epoch: number): Float64Array {
    this.#shuffle(epoch);
    return this.#net.forward(this.#batch(0));
  }

  /** One epoch; the number of the step at which it overflowed, or its averages and the next epoch's first outputs. */
  #epoch(epoch: number, f: Float64Array): number | { loss: number; accuracy: number; f: Float64Array } {
    const { rows } = this.#train;
    let loss = 0;
    let accuracy = 0;
    for (let first = 0, step = 0; first < rows; step++) {
      const batch = this.#batch(first);
      const shown = this.#shifted(f, this.#trainShift, first);
      const y = this.#y.subarray(first, first + batch.rows);
      const now = logisticLoss(shown, y);
      if (!Number.isFinite(now.loss)) return step;
      loss += (now.loss * batch.rows) / rows;
      accuracy += (now.accuracy * batch.rows) / rows;
      const g = lossGradient(this.#p.loss, shown, y);
      first += batch.rows;
      const last = first >= rows;
      // The order of the next epoch must be in place before its first batch is computed; the last step needs none.
      if (last && this.#p.shuffle) {
        this.#net.step(batch, g, this.#rule, { ...batch, rows: 0 });
        f = epoch + 1 < this.#p.epochs ? this.#first(epoch + 1) : f;
      } else f = this.#net.step(batch, g, this.#rule, this.#batch(last ? 0 : first));
    }
    return { loss, accuracy, f };
  }

  #shuffle(epoch: number): void {
    if (!this.#p.shuffle) return;
    const { data, seed, dtype } = this.#p;
    const { inputs } = data;
    const order = permutation(this.#core, foldIn(randomKey(seed), 'order', epoch), this.#train.rows);
    const x = dtype === 'f32' ? new Float32Array(data.xTrain.length) : new Float64Array(data.xTrain.length);
    order.forEach((from, to) =>
      x.set(this.#order.x.subarray(from * inputs, (from + 1) * inputs), to * inputs),
    );
    this.#core.heap.write(this.#train.x, x);
    this.#y = Float64Array.from(order, (from) => data.yTrain[from]!);
    const { shift } = this.#order;
    if (shift) this.#trainShift = Float64Array.from(order, (from) => shift[from]!);
  }

  #shifted(f: Float64Array, shift: Float64Array | null, first: number): Float64Array {
    return shift ? f.map((value, i) => value + shift[first + i]!) : f;
  }

  #evaluate(epoch: number): boolean {
    const trace = this.#trace;
    const { data, kernelPoints, keep } = this.#p;
    const points = Math.min(kernelPoints, this.#test.rows);
    const { f: raw, ka, kw } = this.#net.evaluate(this.#test, points);
    const f = this.#shifted(raw, this.#testShift, 0);
    const { loss, accuracy } = logisticLoss(f, data.yTest);
    if (!Number.isFinite(loss)) return false;
    const outputKernel = Array.from(ka, (value) => this.#rule.output * value);
    const inputKernel = Array.from(kw, (value, i) => this.#rule.input * value * squaredLength(data, i));
    trace.epochs.push(epoch);
    trace.testLoss.push(loss);
    trace.testAccuracy.push(accuracy);
    trace.meanAbsLogit.push(f.reduce((sum, value) => sum + Math.abs(value), 0) / f.length);
    trace.outputKernel.push(outputKernel);
    trace.inputKernel.push(inputKernel);
    const [firstOutput, firstInput] = [trace.outputKernel[0]!, trace.inputKernel[0]!];
    const ratios = outputKernel.map(
      (value, i) => (value + inputKernel[i]!) / (firstOutput[i]! + firstInput[i]!),
    );
    trace.relativeKernel.push(ratios.reduce((sum, ratio) => sum + ratio, 0) / points);
    trace.testLogits?.push(f);
    if (keep.grams) trace.grams!.push(this.#grams(points));
    if (keep.increments) trace.increments!.push(this.#increments());
    return true;
  }

  /** The tangent kernel between the first test points, as full matrices. */
  #grams(points: number): { output: Float64Array; input: Float64Array } {
    return gramsOf(this.#net, this.#batchOf(points), this.#p, this.#rule);
  }

  #batchOf(points: number): Batch {
    const { x } = this.#test;
    return { x: { ...x, length: points * this.#p.data.inputs }, rows: points };
  }

  #increments(): Increments {
    return this.#net.increments();
  }

  #overflow(epoch: number, step: number): RunTrace {
    const trace = this.#trace;
    for (const list of [trace.trainLoss, trace.trainAccuracy])
      while (list.length < trace.epochs.length) list.push(NaN);
    const good = trace.epochs.length;
    if (good === 0)
      throw new NumericalError(
        'train: the outputs overflow at initialisation. Use a smaller width or qSigma.',
        { step: 0 },
      );
    if (Number.isNaN(trace.trainLoss[good - 1]!)) dropLast(trace);
    trace.overflow = { epoch, step };
    return trace;
  }
}

function dropLast(trace: RunTrace): void {
  for (const value of Object.values(trace))
    if (Array.isArray(value) && value.length === trace.epochs.length) value.pop();
}

export function squaredLength({ xTest, inputs }: BinaryData, i: number): number {
  let sum = 0;
  for (let k = i * inputs; k < (i + 1) * inputs; k++) sum += xTest[k]! * xTest[k]!;
  return sum;
}

function gramsOf(
  net: HiddenNet,
  batch: Batch,
  { data }: RunParams,
  rule: StepRule,
): { output: Float64Array; input: Float64Array } {
  const n = batch.rows;
  const { ka, kw } = net.grams(batch);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let dot = 0;
      for (let k = 0; k < data.inputs; k++)
        dot += data.xTest[i * data.inputs + k]! * data.xTest[j * data.inputs + k]!;
      ka[i * n + j]! *= rule.output;
      kw[i * n + j]! *= rule.input * dot;
    }
  }
  return { output: ka, input: kw };
}
