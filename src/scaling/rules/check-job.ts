// One training run of a rule check: a net of one size trained for a few steps, and what its tensors did.
import { randomKey, foldIn, normalAt } from '../../math/random.js';
import { tanh } from '../../math/elementary.js';
import { quantile, rootMeanSquare } from '../../math/statistics.js';
import { tensor, type Tensor } from '../../math/tensor.js';
import type { LayerDocument } from '../../net/document.js';
import { createModel, type Model } from '../../net/model.js';
import type { Optimizer } from '../../net/optimizers.js';
import type { LayerParameters } from '../../net/parameters.js';
import { Trainer } from '../../net/trainer.js';
import { defineJob, NumericalError, type Job } from '../../wasm/engine.js';
import { preActivations } from '../experiments/terms.js';
import type { TableFactors } from './apply.js';

export interface RuleRun {
  readonly net: LayerDocument;
  readonly factors: TableFactors;
  readonly optimizer: Optimizer;
  readonly inputs: number;
  readonly seed: number;
  readonly steps: number;
  /** Further steps after which sizes of the weights are read: equilibrium of the decay. */
  readonly decaySteps: number;
  /** Only the losses are wanted. */
  readonly lossOnly: boolean;
  /** Linear decay of the rate to zero over the steps, as sweeps of hyperparameters use it. */
  readonly cooling: boolean;
  /** Progress counts. */
  readonly epochs: number;
}

/** Of one layer after one step; step 0 is the start. */
export interface LayerProbe {
  readonly path: string;
  readonly step: number;
  /** RMS of what the layer gives, and of its change since the start. */
  readonly size: number;
  readonly change: number;
  /** |dW|_2 sqrt(fan-in/fan-out) and |dW|_2 / |W|_2, dW since the start. */
  readonly update: number;
  readonly relative: number;
  /** Median absolute gradient of the weights, over the RMS of the residuals. */
  readonly gradient: number;
}

export interface RuleTrace {
  readonly probes: readonly LayerProbe[];
  /** |W|_2 sqrt(fan-in/fan-out) at the start and after the decay steps, per layer. */
  readonly norms: readonly { readonly path: string; readonly start: number; readonly end: number }[];
  /** On held-out points after the steps; Infinity where the run overflowed. */
  readonly loss: number;
}

const POINTS = 64;
const BATCH = 32;

/** @internal A few steps on a noisy teacher: targets tanh of random projections. */
export const ruleJob: Job<RuleRun, RuleTrace> = defineJob('scaling/rule', (core, run, { send }) => {
  // A sweep sees every training point once, so that its losses are those of the distribution.
  const data = teacher(
    run.inputs,
    run.seed,
    run.lossOnly ? [BATCH * run.steps, 8 * POINTS] : [POINTS, POINTS],
  );
  const { multipliers, ...factors } = run.factors;
  using model = createModel(core, run.net, { inputShape: [run.inputs], seed: run.seed, multipliers });
  const schedule = run.cooling
    ? ({ kind: 'cosine', steps: run.steps } as const)
    : ({ kind: 'constant' } as const);
  const trainer = new Trainer(model, {
    ...{ x: data.x, y: data.y, loss: 'mse', optimizer: run.optimizer, schedule, seed: run.seed },
    ...{ batchSize: run.lossOnly || run.decaySteps > 0 ? BATCH : POINTS, ...factors },
  });
  const probes: LayerProbe[] = [];
  try {
    const start = model.parameters;
    const before = run.lossOnly ? [] : preActivations(model, data.test);
    if (!run.lossOnly) probes.push(...probe(model, data, { step: 0, start, before }));
    for (let step = 1; step <= run.steps; step++) {
      trainer.next();
      if (!run.lossOnly) probes.push(...probe(model, data, { step, start, before }));
      send(step);
    }
    for (let step = 0; step < run.decaySteps; step++) trainer.next();
    const norms = run.decaySteps > 0 ? normsOf(start, model.parameters) : [];
    const f = model.forward(data.test).data;
    let loss = 0;
    for (let i = 0; i < f.length; i++) loss += (f[i]! - data.wanted.data[i]!) ** 2 / f.length;
    return { probes, norms, loss: Number.isFinite(loss) ? loss : Infinity };
  } catch (error) {
    if (!(error instanceof NumericalError)) throw error;
    return { probes, norms: [], loss: Infinity };
  } finally {
    trainer.dispose();
  }
});

interface Data {
  readonly x: Tensor;
  readonly y: Tensor;
  readonly test: Tensor;
  readonly wanted: Tensor;
}

/** The same for every size: it depends on the seed alone. */
function teacher(inputs: number, seed: number, [points, tests]: readonly [number, number]): Data {
  const key = foldIn(randomKey(seed), 'teacher');
  const weights = Array.from(
    { length: 4 * inputs },
    (_, i) => normalAt(foldIn(key, 'w'), i) / Math.sqrt(inputs),
  );
  const make = (name: string, rows: number): [Tensor, Tensor] => {
    const x = Float64Array.from({ length: rows * inputs }, (_, i) => normalAt(foldIn(key, name), i));
    const y = Float64Array.from({ length: rows }, (_, row) => {
      let value = 0;
      for (let unit = 0; unit < 4; unit++) {
        let sum = 0;
        for (let k = 0; k < inputs; k++) sum += weights[unit * inputs + k]! * x[row * inputs + k]!;
        value += (unit % 2 === 0 ? 1 : -1) * tanh(2 * sum);
      }
      return value / 2;
    });
    return [tensor(x, [rows, inputs]), tensor(y, [rows, 1])];
  };
  const [x, y] = make('train', points);
  const [test, wanted] = make('test', tests);
  return { x, y, test, wanted };
}

function probe(
  model: Model,
  { x, y, test }: Data,
  { step, start, before }: { step: number; start: readonly LayerParameters[]; before: readonly Tensor[] },
): LayerProbe[] {
  const now = model.parameters;
  const outputs = preActivations(model, test);
  const { gradients, loss } = model.gradients(x, y, 'mse');
  const residual = Math.sqrt(2 * loss);
  return now.map(({ path, w }, l) => {
    const [outs, first] = [outputs[l]!.data, before[l]!.data];
    const moved = w.data.map((value, i) => value - start[l]!.w.data[i]!);
    const sides = sidesOf(w.shape);
    const update = step === 0 ? 0 : spectralNorm(moved, sides);
    return {
      ...{ path, step, size: rootMeanSquare(outs) },
      change: rootMeanSquare(outs.map((value, i) => value - first[i]!)),
      update: update * Math.sqrt(sides[0] / sides[1]),
      relative: update / spectralNorm(start[l]!.w.data, sides),
      gradient: quantile(gradients[l]!.w.data.map(Math.abs), 0.5) / residual,
    };
  });
}

const sidesOf = (shape: readonly number[]): [inputs: number, outputs: number] => [
  shape.slice(0, -1).reduce((all, n) => all * n, 1),
  shape.at(-1)!,
];

const normsOf = (start: readonly LayerParameters[], now: readonly LayerParameters[]): RuleTrace['norms'] =>
  now.map(({ path, w }, l) => {
    const sides = sidesOf(w.shape);
    const scale = Math.sqrt(sides[0] / sides[1]);
    const norm = (data: ArrayLike<number>): number => spectralNorm(data, sides) * scale;
    return { path, start: norm(start[l]!.w.data), end: norm(w.data) };
  });

const POWER_STEPS = 25;

/** The largest singular value of a row-major matrix by 25 power iterations: to a few per cent, as slopes over sizes need it. */
export function spectralNorm(matrix: ArrayLike<number>, [rows, columns]: readonly [number, number]): number {
  let v = Float64Array.from({ length: columns }, (_, i) => 1 + (0.1 * i) / columns);
  let norm = 0;
  for (let step = 0; step < POWER_STEPS; step++) {
    const u = new Float64Array(rows);
    for (let i = 0; i < rows; i++) {
      let sum = 0;
      for (let j = 0; j < columns; j++) sum += matrix[i * columns + j]! * v[j]!;
      u[i] = sum;
    }
    const next = new Float64Array(columns);
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++) next[j]! += matrix[i * columns + j]! * u[i]!;
    const size = Math.sqrt(next.reduce((sum, value) => sum + value * value, 0));
    if (!(size > 0)) return 0;
    const length = Math.sqrt(v.reduce((sum, value) => sum + value * value, 0));
    norm = Math.sqrt(size / length);
    v = next.map((value) => value / size);
  }
  return norm;
}
