// One training run, step by step: the inputs lie in wasm memory, a step copies nothing but outputs and targets.
import type { Tensors } from '../layers/finite.js';
import { kernelOf } from '../layers/rows.js';
import { asTensor, type TensorLike } from '../math/tensor.js';
import { foldIn, permutation, randomKey, type RandomKey } from '../math/random.js';
import { knownFields, NumericalError, type Fields, type FloatType, type Ticket } from '../wasm/engine.js';
import { accuracyOf, checkLoss, lossInto, prepareTargets, type LossName, type Reduction } from './losses.js';
import { Machine } from './machine.js';
import type { Model } from './model.js';
import { checkOptimizer, sgd, type Optimizer, type Schedule } from './optimizers.js';
import { OptimizerState, type TensorFactors } from './optimizer-state.js';
import { tensorsOf } from './parameters.js';
import { checkSchedule, scheduleFactor } from './schedule.js';
import { sharpness } from './sharpness.js';
import { perLayer, type PerLayer, type TensorNumbers } from './width.js';

export interface TrainerOptions {
  /** (n, ...inputShape). */
  readonly x: TensorLike;
  /** (n, outputs), or (n) class numbers for crossEntropy. */
  readonly y: TensorLike;
  readonly loss: LossName;
  /** Default `mean`; see Reduction. */
  readonly reduction?: Reduction;
  /** Default sgd(0.1). */
  readonly optimizer?: Optimizer;
  readonly schedule?: Schedule;
  /** Factors on the learning rate, one per layer with weights or by role, biases apart where given; 0 freezes. */
  readonly rates?: PerLayer;
  /** Factors on the optimiser's weight decay, in the same form. */
  readonly decays?: PerLayer;
  /** Factors on the optimiser's epsilon, in the same form. */
  readonly epsilons?: PerLayer;
  /** Gradients of a joint norm above this are scaled down to it, as by torch's clip_grad_norm_; default: never. */
  readonly clipNorm?: number;
  /** Default: all samples. The last batch of an epoch may be smaller. */
  readonly batchSize?: number;
  /** Default: batches are shuffled when there are several. `false` keeps the stored order. */
  readonly shuffle?: boolean;
  /** Of the shuffles and dropout masks; default 0. */
  readonly seed?: number;
}

/** Everything needed to go on with the same bits. */
export interface Checkpoint {
  readonly step: number;
  readonly parameters: Float64Array | Float32Array;
  readonly optimizer: readonly (Float64Array | Float32Array)[];
}

export interface StepResult {
  /** Of the batch, before the update. */
  readonly loss: number;
  readonly accuracy: number;
  readonly samples: number;
}

/** Steps between the snapshots from which the state before a failure is replayed. */
const SNAPSHOT = 16;

/** @internal */
export const TRAINER_OPTIONS: Fields<TrainerOptions> = {
  x: true,
  y: true,
  loss: true,
  reduction: true,
  optimizer: true,
  schedule: true,
  rates: true,
  batchSize: true,
  shuffle: true,
  seed: true,
  decays: true,
  epsilons: true,
  clipNorm: true,
};

export class Trainer {
  readonly model: Model;
  readonly samples: number;
  readonly batchSize: number;
  readonly stepsPerEpoch: number;
  readonly optimizer: Optimizer;
  /** The parameters at the start. */
  readonly initial: Float64Array | Float32Array;
  /** Updates made so far. */
  step = 0;
  readonly #options: TrainerOptions;
  readonly #targets: Float64Array;
  readonly #factors: TensorFactors;
  readonly #shuffle: boolean;
  readonly #key: RandomKey;
  readonly #memory: Reserved;
  readonly #tensors: readonly Tensors[];
  #disposed = false;
  #epoch = -1;
  #batchTargets: Float64Array = new Float64Array(0);
  #indices: Int32Array = new Int32Array(0);
  #snapshot: Checkpoint | null = null;

  constructor(model: Model, options: TrainerOptions) {
    knownFields('Trainer', options, TRAINER_OPTIONS);
    const { data, n } = model.input('train', options.x);
    checkLoss('train', options.loss);
    this.model = model;
    this.samples = n;
    this.#options = options;
    this.#targets = prepareTargets(
      'train',
      options.loss,
      asTensor(options.y, 'train: y'),
      n,
      model.outputSize,
    );
    this.batchSize = batchSizeOf(options.batchSize ?? n, n);
    this.stepsPerEpoch = Math.ceil(n / this.batchSize);
    this.optimizer = checkOptimizer('train', options.optimizer ?? sgd(0.1));
    if (options.schedule) checkSchedule('train', options.schedule);
    this.#factors = factorsOf(options, model.slots.length);
    this.#shuffle = (options.shuffle ?? true) && this.stepsPerEpoch > 1;
    this.#key = foldIn(randomKey(options.seed ?? 0), 'train');
    this.initial = model.core.heap.read(model.theta);
    this.#memory = reserve(model, this.optimizer, this.#factors, { data, batchSize: this.batchSize });
    this.#tensors = tensorsOf(model.slots, this.#memory.gradient);
  }

  /** Epochs finished so far, with the fraction of the one that runs. */
  get epoch(): number {
    return this.step / this.stepsPerEpoch;
  }

  /** One update. NumericalError when the loss is not finite; the model then holds the state before the bad update. */
  next(): StepResult {
    this.#alive();
    if (this.step % SNAPSHOT === 0 || !this.#snapshot) this.#snapshot = this.checkpoint();
    const result = this.#advance();
    if (!Number.isFinite(result.loss)) this.#fail();
    return result;
  }

  checkpoint(): Checkpoint {
    this.#alive();
    const { heap } = this.model.core;
    return {
      step: this.step,
      parameters: heap.read(this.model.theta),
      optimizer: this.#memory.state.vectors.map((vector) => heap.read(vector)),
    };
  }

  restore({ step, parameters, optimizer }: Checkpoint): void {
    this.#alive();
    const { theta } = this.model;
    const { vectors } = this.#memory.state;
    const fits = (values: unknown, { dtype, length }: { dtype: string; length: number }): boolean =>
      values instanceof (dtype === 'f32' ? Float32Array : Float64Array) && values.length === length;
    if (
      !(Number.isSafeInteger(step) && step >= 0) ||
      !fits(parameters, theta) ||
      optimizer.length !== vectors.length ||
      !optimizer.every((vector, i) => fits(vector, vectors[i]!))
    ) {
      throw new RangeError(
        `restore: the checkpoint is of another run: step ${step}, ${parameters.length} parameters and ${optimizer.length} optimiser vectors, ` +
          `expected ${this.model.parameterCount} of ${theta.dtype} and ${vectors.length}.`,
      );
    }
    const { heap } = this.model.core;
    heap.write(this.model.theta, parameters);
    optimizer.forEach((vector, i) => heap.write(this.#memory.state.vectors[i]!, vector));
    this.step = step;
    this.#epoch = -1;
    this.#snapshot = null;
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#memory.dispose();
  }

  #alive(): void {
    if (this.#disposed) throw new TypeError('trainer: used after dispose(). Create another one.');
  }

  /** Forward, and unless the loss is not finite, backward and update. */
  #advance(): StepResult {
    const { model } = this;
    const { core } = model;
    const { loss, reduction } = this.#options;
    const batch = this.#batch();
    const count = batch.length;
    const outputs = model.outputSize;
    const machine = this.#memory.machine;
    machine.theta = model.tensors;
    machine.begin(count, { dropoutKey: foldIn(this.#key, 'step', this.step) });
    this.#load(batch);
    const output = model.run(machine);
    const f = core.heap.read(output, 0, count * outputs);
    const cotangent = machine.cotangent(model.program.output, 0);
    const value = lossInto(core, loss, output, this.#memory.y, {
      cotangent,
      sizes: [count, outputs],
      reduction,
    });
    const accuracy = accuracyOf(loss, f, this.#batchTargets, outputs);
    if (!Number.isFinite(value)) return { loss: value, accuracy, samples: count };
    machine.gradients = this.#tensors;
    machine.gradientBeta = 0;
    model.runBack(machine);
    const factor = this.#options.schedule ? scheduleFactor(this.#options.schedule, this.step) : 1;
    const { state, gradient } = this.#memory;
    if (this.#options.clipNorm !== undefined) state.clip(gradient, this.#options.clipNorm);
    state.update(this.step + 1, factor, gradient, model.theta);
    this.step++;
    return { loss: value, accuracy, samples: count };
  }

  /** Inputs and targets of a batch to where the step reads them; a full batch in stored order stays there. */
  #load(batch: Int32Array): void {
    const { model } = this;
    const isFixed = !this.#shuffle && batch.length === this.samples;
    if (isFixed && this.#batchTargets === this.#targets) return;
    const { heap } = model.core;
    const width = model.program.sizes[0]!;
    heap.write(this.#memory.order, batch);
    const gather = kernelOf(model.core, 'convGather', model.dtype);
    gather(
      1,
      batch.length,
      width,
      this.#memory.x.ptr,
      0,
      this.#memory.order.ptr,
      this.#memory.machine.value(0, 0).ptr,
    );
    if (isFixed) this.#batchTargets = this.#targets;
    else {
      const { outputSize } = model;
      this.#batchTargets = new Float64Array(batch.length * outputSize);
      for (const [i, sample] of batch.entries())
        this.#batchTargets.set(
          this.#targets.subarray(sample * outputSize, (sample + 1) * outputSize),
          i * outputSize,
        );
    }
    heap.write(this.#memory.y, this.#batchTargets);
  }

  #batch(): Int32Array {
    const epoch = Math.floor(this.step / this.stepsPerEpoch);
    if (epoch !== this.#epoch) {
      this.#epoch = epoch;
      if (this.#shuffle)
        this.#indices = permutation(this.model.core, foldIn(this.#key, 'epoch', epoch), this.samples);
      else if (this.#indices.length === 0)
        this.#indices = Int32Array.from({ length: this.samples }, (_, i) => i);
    }
    const first = (this.step % this.stepsPerEpoch) * this.batchSize;
    return this.#indices.subarray(first, Math.min(first + this.batchSize, this.samples));
  }

  #fail(): never {
    const failed = this.step;
    this.restore(this.#snapshot!);
    while (this.step < failed - 1) this.#advance();
    throw new NumericalError(
      `train: the loss is not finite at step ${failed}; the model holds the parameters of step ${this.step}.${this.#advice()}`,
      { step: failed },
    );
  }

  /** The largest stable rate at the start, where it can be said. */
  #advice(): string {
    const { kind } = this.optimizer;
    if (kind !== 'sgd' && kind !== 'momentum' && kind !== 'nesterov') return ' Lower the learning rate.';
    const { heap } = this.model.core;
    const now = heap.read(this.model.theta);
    heap.write(this.model.theta, this.initial);
    try {
      if (!this.model.expansionPoint) return ' Lower the learning rate.';
      const lambda = sharpness(this.model, this.#options, this.#factors.rates);
      const beta = 'momentum' in this.optimizer ? this.optimizer.momentum : 0;
      return ` At the start a learning rate up to about ${((2 * (1 + beta)) / lambda).toPrecision(3)} is stable.`;
    } finally {
      heap.write(this.model.theta, now);
    }
  }
}

/** What a run holds in wasm memory beside the model. */
interface Reserved {
  readonly x: Ticket<FloatType>;
  readonly order: Ticket<'i32'>;
  /** Targets of a batch. */
  readonly y: Ticket<'f64'>;
  readonly gradient: Ticket<FloatType>;
  readonly state: OptimizerState;
  readonly machine: Machine;
  dispose(): void;
}

/** All of it, and the model for one trainer; what does not fit leaves nothing behind. */
function reserve(
  model: Model,
  optimizer: Optimizer,
  factors: TensorFactors,
  { data, batchSize }: { readonly data: Float64Array | Float32Array; readonly batchSize: number },
): Reserved {
  const { core, dtype } = model;
  const release = model.claim('train');
  const region = core.heap.region();
  const machine = new Machine(core, model.program, dtype, batchSize);
  const dispose = (): void => {
    machine.dispose();
    region.dispose();
    release();
  };
  try {
    const x = region.alloc(dtype, data.length);
    core.heap.write(x, data);
    const order = region.alloc('i32', batchSize);
    const y = region.alloc('f64', batchSize * model.outputSize);
    const gradient = region.alloc(dtype, model.parameterCount);
    const state = new OptimizerState(core, optimizer, model.slots, factors, { region, like: model.theta });
    return { x, order, y, gradient, state, machine, dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** The factors of every tensor. RangeError for lists that do not fit, and negative factors on decay and epsilon. */
function factorsOf({ rates, decays, epsilons, clipNorm }: TrainerOptions, layers: number): TensorFactors {
  if (clipNorm !== undefined && !(clipNorm > 0 && Number.isFinite(clipNorm)))
    throw new RangeError(`train: clipNorm must be a positive, finite number, got ${String(clipNorm)}.`);
  const of = (name: string, value: PerLayer | undefined): TensorNumbers[] =>
    value === undefined
      ? Array.from({ length: layers }, () => ({ w: 1, b: 1 }))
      : perLayer(`train: ${name}`, value, layers);
  const positive = (name: string, value: PerLayer | undefined): TensorNumbers[] => {
    const list = of(name, value);
    const bad = list.flatMap(({ w, b }) => [w, b]).find((factor) => factor < 0);
    if (bad !== undefined) throw new RangeError(`train: ${name} must be >= 0, got ${bad}.`);
    return list;
  };
  return {
    rates: of('rates', rates),
    decays: positive('decays', decays),
    epsilons: positive('epsilons', epsilons),
  };
}

function batchSizeOf(size: number, n: number): number {
  if (!Number.isInteger(size) || size < 1) {
    throw new RangeError(`train: batchSize must be a whole number >= 1, got ${size}.`);
  }
  if (n < 1) throw new RangeError('train: x has no samples.');
  return Math.min(size, n);
}
