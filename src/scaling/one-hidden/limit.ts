// The infinitely wide classifier itself: d = infinity dynamics of every stable scaling.
import { checkState } from './hidden-state.js';
import { gemv } from '../../math/matmul.js';
import { asTensor, type TensorLike } from '../../math/tensor.js';
import {
  defineJob,
  knownFields,
  type Allocator,
  type Core,
  type Engine,
  type Fields,
  type Job,
  type Ticket,
} from '../../wasm/engine.js';
import { slopeOf } from './activation.js';
import type { CellId } from '../theory/classify.js';
import { FiniteModel } from './finite-model.js';
import { gaussianDraw, unitKernels, type UnitKernels } from './infinite-kernel.js';
import { limitPlan, type LimitPlan } from '../theory/limit-plan.js';
import { limitObjective, type Start } from './limit-objective.js';
import { multipliers } from '../theory/multipliers.js';
import { TRAINING_OPTIONS, runsOf, type TrainingOptions } from './train-one-hidden.js';
import { scalings, type ScalingSpec } from '../theory/scalings.js';
import { Loop } from './train.js';
import type { OneHiddenModel, Resume, RunCheckpoint, RunParams, RunTrace } from './run.js';

export interface LimitOptions extends TrainingOptions {
  /** Units that stand for infinitely many where features move; even, default 16384. Errors fall as 1/sqrt. */
  readonly particles?: number;
  /** Sampled units for kernels without closed form, default 16384. */
  readonly features?: number;
  /**
   * `hard` (default): the limit's own gradient; where logits diverge only their signs count, where they vanish the
   * gradient is constant. A width factor: the gradient of logits of that size, a closure that converges faster.
   */
  readonly closure?: 'hard' | number;
  /** Initial logits of order one, instead of draws of their Gaussian process: `(train)` and `(test)`. */
  readonly start?: { readonly train: TensorLike; readonly test: TensorLike };
}

/** The limit's equation, and one trace per seed: independent Gaussian starts and particles give the error bars. */
export interface LimitResult {
  readonly name: string;
  readonly cell: CellId | null;
  readonly kind: LimitPlan['kind'];
  /** Logits of a wide net are about wf^power times those of the traces (with a closure: the traces' own size). */
  readonly power: number;
  readonly traces: readonly RunTrace[];
}

export interface LimitParams {
  readonly run: RunParams;
  readonly plan: LimitPlan;
  readonly features: number;
  readonly closure: number | null;
  readonly start: Start | null;
}

/** @internal Messages are epochs done, or checkpoints where `resume` asks for them. */
export const limitJob: Job<LimitParams & { readonly resume?: Resume }, RunTrace> = defineJob(
  'scaling/limit',
  (core, { resume, ...params }, { send }) => {
    const region = core.heap.region();
    try {
      return simulate(core, region, params, send, resume);
    } finally {
      region.dispose();
    }
  },
);

const LIMIT_OPTIONS: Fields<LimitOptions> = {
  particles: true,
  features: true,
  closure: true,
  start: { train: true, test: true },
  ...TRAINING_OPTIONS,
};

/**
 * Simulates the infinite-width limit of a scaling on a problem (full batch or minibatches, SGD). RangeError where
 * there is none: unstable and stagnating scalings; and for smooth activations where input weights outgrow their start
 * (v > 0), so that the limit is one of the activation's behaviour at zero and at infinity.
 */
export async function limitModel(
  engine: Engine,
  scaling: ScalingSpec,
  options: LimitOptions,
): Promise<LimitResult> {
  knownFields('limitModel', options, LIMIT_OPTIONS);
  const list = limitRuns(scaling, options);
  const plan = list[0]!.plan;
  const total = options.epochs * list.length;
  const done = list.map(() => 0);
  const traces = await engine.map(limitJob, list, {
    signal: options.signal,
    onMessage: (epoch, index) => {
      done[index] = epoch as number;
      options.onProgress?.({ done: done.reduce((sum, part) => sum + part, 0), total });
    },
  });
  return { name: plan.name, cell: plan.cell, kind: plan.kind, power: plan.power, traces };
}

/** One simulation per seed, validated. */
export function limitRuns(scaling: ScalingSpec, options: LimitOptions): LimitParams[] {
  const { particles = 16384, features = 16384, closure = 'hard', baseWidth = 128 } = options;
  for (const [name, value] of Object.entries({ particles, features })) {
    if (!Number.isInteger(value) || value < 2 || value % 2 !== 0)
      throw new RangeError(`limitModel: ${name} must be an even whole number >= 2, got ${value}`);
  }
  if (closure !== 'hard' && !(closure >= 1 && Number.isFinite(closure)))
    throw new RangeError(`limitModel: closure must be 'hard' or a width factor >= 1, got ${closure}`);
  if ((options.optimizer ?? 'sgd') !== 'sgd')
    throw new RangeError(
      `limitModel: limits are derived for SGD, got '${options.optimizer}'. Train wide nets instead.`,
    );
  const plan = limitPlan(scaling);
  if (plan.inputFromZero && options.activation && slopeOf(options.activation) === null)
    throw new RangeError(
      `limitModel: ${plan.name} moves input weights by more than their size (v > 0); that limit is simulated for leaky activations, got ${options.activation.layer}. Train a wide net instead.`,
    );
  const width = Math.max(particles, baseWidth);
  const start = options.start ? readStart(options.start) : null;
  return runsOf({ ...options, scaling, width }).map((run) => ({
    run,
    plan,
    features,
    closure: closure === 'hard' ? null : closure,
    start: start && checkStart(start, run),
  }));
}

function readStart({ train, test }: NonNullable<LimitOptions['start']>): Start {
  const read = (value: TensorLike, name: string): Float64Array =>
    Float64Array.from(asTensor(value, name).data);
  return { train: read(train, 'start: train'), test: read(test, 'start: test') };
}

function checkStart(start: Start, { data }: RunParams): Start {
  if (start.train.length !== data.yTrain.length || start.test.length !== data.yTest.length) {
    throw new RangeError(
      `limitModel: start must have ${data.yTrain.length} and ${data.yTest.length} logits, got ${start.train.length} and ${start.test.length}`,
    );
  }
  return start;
}

function simulate(
  core: Core,
  memory: Allocator,
  { run, plan, features, closure, start: given }: LimitParams,
  send: (message: unknown) => void,
  resume?: Resume,
): RunTrace {
  const needsStart = plan.keepsStart || plan.startSign >= 0 || closure !== null;
  const draws = needsStart && !given;
  const kernels = draws || plan.kind === 'kernel' ? kernelsOf(core, run, features) : null;
  const variance = run.init.gain * run.init.gain;
  const start = draws
    ? splitStart(
        gaussianDraw(
          core,
          kernels!.values.map((value) => value * variance),
          run.seed,
        ),
        run,
      )
    : given;
  const model =
    plan.kind === 'kernel'
      ? new KernelModel(core, memory, run, plan, kernels!)
      : particleModel(core, memory, run, plan);
  return new Loop(core, model, limitObjective(plan, start, closure), {
    ...run,
    scaling: { name: `${plan.name}, limit` },
    width: Infinity,
    keep: run.keep.testLogits ? { testLogits: true } : {},
  }).go(send, resume);
}

function kernelsOf(core: Core, { data, activation, init, seed }: RunParams, features: number): UnitKernels {
  const x = new Float64Array(data.xTrain.length + data.xTest.length);
  x.set(data.xTrain);
  x.set(data.xTest, data.xTrain.length);
  return unitKernels(core, { x, inputs: data.inputs, activation, ...init }, features, seed);
}

function splitStart(f0: Float64Array, { data }: RunParams): Start {
  const n = data.yTrain.length;
  return { train: f0.slice(0, n), test: f0.slice(n) };
}

/** Keeps the direction of initial weights, and with it the slope at the start of activations that are leaky. */
const NEGLIGIBLE = 1e-20;

/** Many units with mean-field rates: every limit with moving features is this system with another loss gradient. */
function particleModel(
  core: Core,
  memory: Allocator,
  run: RunParams,
  { layers, outputFromZero, inputFromZero }: LimitPlan,
): OneHiddenModel {
  const factors = multipliers(scalings.meanField, run.width / run.baseWidth);
  const { input, output } = factors.rates;
  return new FiniteModel(core, memory, {
    ...run,
    scaling: scalings.meanField,
    factors: {
      ...factors,
      rates: { hidden: 1, input: layers.input ? input : 0, output: layers.output ? output : 0 },
    },
    particles: {
      pairs: true,
      outputStart: outputFromZero ? 0 : factors.weights.output,
      inputStart: inputFromZero ? NEGLIGIBLE : 1,
    },
  });
}

/** Gradient descent in function space with the kernel of the initialisation. */
class KernelModel implements OneHiddenModel {
  readonly rates: { readonly input: number; readonly output: number };
  readonly #core: Core;
  readonly #kernel: Ticket<'f64'>; // (train + test) x train
  readonly #diagonal: { readonly output: Float64Array; readonly input: Float64Array };
  readonly #f: Ticket<'f64'>;
  readonly #g: Ticket<'f64'>;
  readonly #rows: number;
  readonly #train: number;
  #order: Int32Array | null = null;

  constructor(
    core: Core,
    memory: Allocator,
    { data, baseWidth, learningRate, init }: RunParams,
    { layers }: LimitPlan,
    { values, slopes }: UnitKernels,
  ) {
    this.#core = core;
    const n = (this.#train = data.yTrain.length);
    const rows = (this.#rows = n + data.yTest.length);
    this.rates = { output: layers.output ? learningRate : 0, input: layers.input ? learningRate : 0 };
    const x = (row: number): Float64Array => {
      const [from, at] = row < n ? [data.xTrain, row] : [data.xTest, row - n];
      return from.subarray(at * data.inputs, (at + 1) * data.inputs);
    };
    // K_a = eta d* E[phi phi'], K_w = eta gain^2 E[phi' phi'] x.x': the reference width's kernel in expectation.
    const parts = (i: number, j: number): [number, number] => {
      const [left, right] = [x(i), x(j)];
      let dot = 0;
      for (let k = 0; k < data.inputs; k++) dot += left[k]! * right[k]!;
      const at = i * rows + j;
      return [
        this.rates.output * baseWidth * values[at]!,
        this.rates.input * init.gain * init.gain * slopes[at]! * dot,
      ];
    };
    const kernel = new Float64Array(rows * n);
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < n; j++) {
        const [output, input] = parts(i, j);
        kernel[i * n + j] = output + input;
      }
    }
    const tests = Array.from(data.yTest, (_, i) => parts(n + i, n + i));
    this.#diagonal = {
      output: Float64Array.from(tests, ([a]) => a),
      input: Float64Array.from(tests, ([, w]) => w),
    };
    this.#kernel = memory.put(kernel);
    this.#f = memory.zeros('f64', rows);
    this.#g = memory.alloc('f64', n);
  }

  forward(first: number, rows: number): Float64Array {
    const f = this.#core.heap.read(this.#f, 0, this.#train);
    return Float64Array.from({ length: rows }, (_, i) => f[this.#place(first + i)]!);
  }

  step(first: number, rows: number, g: Float64Array, next: { first: number; rows: number }): Float64Array {
    const all = new Float64Array(this.#train);
    for (let i = 0; i < rows; i++) all[this.#place(first + i)] = g[i]!;
    this.#core.heap.write(this.#g, all);
    gemv(this.#core, this.#kernel, this.#g, this.#f, {
      sizes: [this.#rows, this.#train],
      options: { alpha: -1, beta: 1 },
    });
    return this.forward(next.first, next.rows);
  }

  evaluate(
    part: 'train' | 'test',
    points = 0,
  ): { f: Float64Array; outputKernel: Float64Array; inputKernel: Float64Array } {
    const f = this.#core.heap.read(this.#f);
    return {
      f: part === 'train' ? f.slice(0, this.#train) : f.slice(this.#train),
      outputKernel: this.#diagonal.output.slice(0, points),
      inputKernel: this.#diagonal.input.slice(0, points),
    };
  }

  reorder(order: Int32Array): void {
    this.#order = order;
  }

  save(): RunCheckpoint['state'] {
    return { f: this.#core.heap.read(this.#f) };
  }

  restore(state: RunCheckpoint['state']): void {
    checkState(state, 'f', this.#f.length, 'f64');
    this.#core.heap.write(this.#f, state['f'] as Float64Array<ArrayBuffer>);
  }

  #place(at: number): number {
    return this.#order ? this.#order[at]! : at;
  }
}
