// The training loop of one-hidden-layer classifiers, the same for finite nets and for limit models.
import { foldIn, permutation, randomKey } from '../../math/random.js';
import { NumericalError, type Core } from '../../wasm/engine.js';
import type { Objective } from './loss.js';
import type { RunCheckpoint, OneHiddenModel, Resume, RunParams, RunTrace } from './run.js';

/** What the loop needs to know beside model and objective. */
export type LoopParams = Pick<
  RunParams,
  'data' | 'width' | 'seed' | 'epochs' | 'batchSize' | 'shuffle' | 'evaluateAt' | 'kernelPoints' | 'keep'
> & { readonly scaling: { readonly name: string } };

/** Outputs above it count as overflow: their squares, which kernels and steps are made of, leave the range of f64. */
const LARGEST = 1e150;

/** RangeError where a checkpoint is of no epoch of the run, or its records are not of one length. */
export function checkPlace({ epoch, trace }: RunCheckpoint, epochs: number): void {
  const { epochs: seen, testLoss } = trace as Partial<RunTrace>;
  const whole = Number.isInteger(epoch) && epoch >= 0 && epoch <= epochs;
  if (whole && Array.isArray(seen) && Array.isArray(testLoss) && seen.length === testLoss.length) return;
  throw new RangeError(
    `train: the checkpoint is of another run: epoch ${epoch} of ${epochs} with ${seen?.length} records. Delete it to start again.`,
  );
}

export class Loop {
  readonly #core: Core;
  readonly #p: LoopParams;
  readonly #model: OneHiddenModel;
  readonly #objective: Objective;
  readonly #trace: { -readonly [K in keyof RunTrace]: RunTrace[K] };
  readonly #rows: number;
  #order: Int32Array;

  constructor(core: Core, model: OneHiddenModel, objective: Objective, p: LoopParams) {
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
      logitOverKernel: [],
      logitOverOutputKernel: [],
      logitOverInputKernel: [],
      ...(testLogits ? { testLogits: [] } : {}),
      ...(grams ? { grams: [] } : {}),
      ...(increments ? { increments: [] } : {}),
      ...(coordinates ? { coordinates: [], startLogits: [], logitChange: [] } : {}),
      rates: model.rates,
      overflow: null,
    };
  }

  /** Trains; `report` gets epochs done, about a hundred times, and checkpoints as often as `resume` says. */
  go(report?: (message: number | RunCheckpoint) => void, resume?: Resume): RunTrace {
    const { epochs, evaluateAt, keep, data } = this.#p;
    const model = this.#model;
    const trace = this.#trace;
    const wanted = new Set(evaluateAt);
    const stride = Math.max(1, Math.floor(epochs / 100));
    const begin = resume?.from?.epoch ?? 0;
    if (resume?.from) {
      checkPlace(resume.from, epochs);
      Object.assign(trace, structuredClone(resume.from.trace));
      model.restore!(resume.from.state);
      if (begin > 0) this.#objective.resumed?.();
    }
    let saved = performance.now();
    let f = epochs > begin ? this.#first(begin) : null;
    for (let epoch = begin; epoch < epochs; epoch++) {
      const evaluated = wanted.has(epoch);
      if (evaluated && !this.#evaluate(epoch)) return this.#overflow(epoch, 0);
      const result = this.#epoch(epoch, f!);
      if (typeof result === 'number') return this.#overflow(epoch, result);
      if (evaluated) {
        trace.trainLoss.push(result.loss);
        trace.trainAccuracy.push(result.accuracy);
      }
      if (evaluated || (epoch + 1) % stride === 0) report?.(epoch + 1);
      f = result.f;
      if (resume && model.save && performance.now() - saved >= 1000 * resume.everySeconds) {
        report?.({ epoch: epoch + 1, trace: structuredClone(trace), state: model.save() });
        saved = performance.now();
      }
    }
    if (wanted.has(epochs)) {
      if (!this.#evaluate(epochs)) return this.#overflow(epochs, 0);
      const { f: raw } = model.evaluate('train');
      const { loss, accuracy } = this.#objective.score(this.#objective.shown(raw, 'train'), data.yTrain);
      if (!this.#sound(raw, loss)) return this.#overflow(epochs, 0);
      trace.trainLoss.push(loss);
      trace.trainAccuracy.push(accuracy);
    }
    if (keep.decomposition) trace.decomposition = model.decompose!();
    if (keep.weights) trace.weights = model.weights!();
    return trace;
  }

  /** Whether outputs and their loss are numbers training can go on with. */
  #sound(outputs: Float64Array, loss: number): boolean {
    const allowed = loss === Infinity ? this.#objective.diverges : !Number.isNaN(loss);
    return allowed && outputs.every((value) => Math.abs(value) <= LARGEST);
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
      if (!this.#sound(f, now.loss)) return step;
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
    const kernels = [outputKernel, inputKernel];
    if (!this.#sound(raw, loss) || !kernels.every((part) => part.every(Number.isFinite))) return false;
    trace.epochs.push(epoch);
    trace.testLoss.push(loss);
    trace.testAccuracy.push(accuracy);
    trace.meanAbsLogit.push(f.reduce((sum, value) => sum + Math.abs(value), 0) / f.length);
    trace.outputKernel.push(Array.from(outputKernel));
    trace.inputKernel.push(Array.from(inputKernel));
    const [firstOutput, firstInput] = [trace.outputKernel[0]!, trace.inputKernel[0]!];
    const mean = (of: (i: number) => number): number => {
      let sum = 0;
      for (let i = 0; i < points; i++) sum += of(i) / points;
      return sum;
    };
    const both = (i: number): number => outputKernel[i]! + inputKernel[i]!;
    const over = (i: number, kernel: number): number => (kernel > 0 ? Math.abs(f[i]!) / kernel : Infinity);
    trace.relativeKernel.push(mean((i) => both(i) / (firstOutput[i]! + firstInput[i]!)));
    trace.logitOverKernel.push(mean((i) => over(i, both(i))));
    trace.logitOverOutputKernel.push(mean((i) => over(i, outputKernel[i]!)));
    trace.logitOverInputKernel.push(mean((i) => over(i, inputKernel[i]!)));
    trace.testLogits?.push(f);
    if (keep.grams) trace.grams!.push(this.#model.grams!(points));
    if (keep.increments) trace.increments!.push(this.#model.increments!());
    if (keep.coordinates) {
      trace.coordinates!.push(this.#model.coordinates!());
      pushChange(f, trace.startLogits!, trace.logitChange!);
    }
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

/** The mean absolute change of outputs since the start, which the first call keeps. */
export function pushChange(f: ArrayLike<number>, start: number[], changes: number[]): void {
  if (start.length === 0) start.push(...Array.from(f));
  changes.push(start.reduce((sum, value, i) => sum + Math.abs(f[i]! - value), 0) / start.length);
}
