// Every one-hidden-layer trajectory of the published code, replayed from its initial weights.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createEngine,
  tensor,
  trainOneHidden,
  type Engine,
  type HiddenActivation,
  type OptimizerKind,
  type RunTrace,
} from 'infinite-width';
import { multipliers } from 'infinite-width';
import { loadReference } from '../support/reference.js';
import { scalingOfMode, type Mode } from '../support/golikov.js';

interface Run {
  readonly id: string;
  readonly mode: Mode;
  readonly width: number;
  readonly d_ref: number;
  readonly activation?: 'relu' | 'softplus' | 'elu';
  readonly optimizer: OptimizerKind;
  readonly lr: number;
  readonly batch: number;
  readonly epochs: number;
  readonly test_logits: number[][];
  readonly test_loss?: number[];
  readonly test_acc?: number[];
  readonly train_loss: number[];
  readonly train_acc?: number[];
  readonly final_train_loss?: number;
  readonly K_w?: number[][];
  readonly K_a?: number[][];
  readonly decomposition?: Record<'f_0' | 'f_a' | 'f_w' | 'f_aw', { logits: number[] }>;
  readonly increments?: { input_mean_row_norm: number; output_mean_abs: number };
  readonly gram_init?: { K_w: number[][]; K_a: number[][] };
  readonly gram_final?: { K_w: number[][]; K_a: number[][] };
  readonly final_weights?: [number[][], number[][]];
  readonly true_first_order_model?: { test_logits: number[][]; train_loss: number[] };
}

const TOLERANCE = 1e-10;
let engine: Engine;
let data: Parameters<typeof trainOneHidden>[1]['data'];
let init: Record<string, { weights: [number[][], number[][]] }>;
const column = (values: number[]): { data: Float64Array; shape: readonly number[] } =>
  tensor(Float64Array.from(values));

beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
  const raw = await loadReference<Record<string, number[][] & number[]>>('golikov/data');
  data = {
    xTrain: tensor(raw['X_train'] as number[][]),
    yTrain: column(raw['y_train'] as number[]),
    xTest: tensor(raw['X_test'] as number[][]),
    yTest: column(raw['y_test'] as number[]),
  };
  init = await loadReference('golikov/init');
});
afterAll(() => engine.dispose());

async function replay(run: Run, mode: 'full' | 'frozenGradient' | 'firstOrder' = 'full'): Promise<RunTrace> {
  const scaling = scalingOfMode(run.mode);
  const [input, output] = init[`hidden1_width${run.width}`]!.weights;
  // The published code gives tuples SGD's multipliers under every optimiser.
  const factors =
    typeof run.mode === 'string' ? {} : { factors: multipliers(scaling, run.width / run.d_ref) };
  const activation: HiddenActivation = run.activation
    ? { layer: run.activation }
    : { layer: 'leakyRelu', alpha: 0.1 };
  const [trace] = await trainOneHidden(engine, {
    data,
    scaling,
    ...factors,
    width: run.width,
    baseWidth: run.d_ref,
    weights: { input: tensor(input), output: tensor(output[0]!) },
    activation,
    optimizer: run.optimizer,
    learningRate: run.lr,
    epochs: run.epochs,
    batchSize: run.batch,
    kernelPoints: 5,
    mode,
    keep: {
      testLogits: true,
      decomposition: run.decomposition !== undefined,
      increments: run.increments !== undefined,
      grams: run.gram_init !== undefined,
      weights: run.final_weights !== undefined,
    },
  });
  return trace!;
}

/** The largest difference over the largest entry. */
function gap(got: ArrayLike<number>, want: readonly number[]): number {
  let [difference, size] = [0, 0];
  if (got.length !== want.length) return Infinity;
  for (let i = 0; i < want.length; i++) {
    difference = Math.max(difference, Math.abs(got[i]! - want[i]!));
    size = Math.max(size, Math.abs(want[i]!));
  }
  return Number.isNaN(difference) ? Infinity : difference === 0 ? 0 : difference / size;
}

function gapsOf(trace: RunTrace, run: Run): Record<string, number> {
  const gaps: Record<string, number> = {};
  const compare = (name: string, got: ArrayLike<number>, want: readonly number[] | undefined): void => {
    if (want) gaps[name] = Math.max(gaps[name] ?? 0, gap(got, want));
  };
  run.test_logits.forEach((want, e) => compare('test_logits', trace.testLogits![e]!, want));
  run.K_a?.forEach((want, e) => compare('K_a', trace.outputKernel[e]!, want));
  run.K_w?.forEach((want, e) => compare('K_w', trace.inputKernel[e]!, want));
  compare('train_loss', trace.trainLoss.slice(0, run.epochs), run.train_loss);
  compare('train_acc', trace.trainAccuracy.slice(0, run.epochs), run.train_acc);
  compare('test_loss', trace.testLoss, run.test_loss);
  compare('test_acc', trace.testAccuracy, run.test_acc);
  if (run.final_train_loss !== undefined)
    compare('final_train_loss', trace.trainLoss.slice(run.epochs), [run.final_train_loss]);
  for (const [ours, theirs] of [
    ['f0', 'f_0'],
    ['fa', 'f_a'],
    ['fw', 'f_w'],
    ['faw', 'f_aw'],
  ] as const) {
    if (run.decomposition) compare(theirs, trace.decomposition![ours], run.decomposition[theirs].logits);
  }
  if (run.increments) {
    const last = trace.increments!.at(-1)!;
    compare('increments w', [last.input], [run.increments.input_mean_row_norm]);
    compare('increments a', [last.output], [run.increments.output_mean_abs]);
  }
  for (const [at, want] of [
    [0, run.gram_init],
    [-1, run.gram_final],
  ] as const) {
    if (!want) continue;
    compare('gram K_a', trace.grams!.at(at)!.output, want.K_a.flat());
    compare('gram K_w', trace.grams!.at(at)!.input, want.K_w.flat());
  }
  if (run.final_weights) {
    compare('input weights', trace.weights!.input, run.final_weights[0].flat());
    compare('output weights', trace.weights!.output, run.final_weights[1].flat());
  }
  return gaps;
}

const files: [string, number][] = [
  ['one_hidden_sgd_full_d8_reference', 2],
  ['one_hidden_sgd_full_d32', 24],
  ['one_hidden_sgd_full_d128', 24],
  ['one_hidden_sgd_batch8_d8_reference', 2],
  ['one_hidden_sgd_batch8_d32', 24],
  ['one_hidden_sgd_batch8_d128', 24],
  ['one_hidden_normalized', 23],
  ['activations', 15],
];

describe('replay of the published trajectories', () => {
  it.each(files)('%s', async (file, count) => {
    const { runs } = await loadReference<{ runs: Run[] }>(`golikov/${file}`);
    expect(runs.length).toBe(count);
    for (const run of runs) {
      const trace = await replay(run);
      expect(trace.overflow, run.id).toBeNull();
      const gaps = gapsOf(trace, run);
      expect(gaps['test_logits'], run.id).toBeDefined();
      for (const [name, value] of Object.entries(gaps))
        expect(value, `${run.id} ${name}`).toBeLessThan(TOLERANCE);
    }
  });

  it('gradients frozen at the start, and the true first-order model', async () => {
    const { runs } = await loadReference<{ runs: Run[] }>('golikov/linearized');
    expect(runs.length).toBe(6);
    for (const run of runs) {
      const frozen = gapsOf(await replay(run, 'frozenGradient'), run);
      for (const [name, value] of Object.entries(frozen))
        expect(value, `${run.id} ${name}`).toBeLessThan(TOLERANCE);
      const linear = await replay(run, 'firstOrder');
      const { test_logits, train_loss } = run.true_first_order_model!;
      test_logits.forEach((want, e) =>
        expect(gap(linear.testLogits![e]!, want), run.id).toBeLessThan(TOLERANCE),
      );
      expect(gap(linear.trainLoss.slice(0, run.epochs), train_loss), run.id).toBeLessThan(TOLERANCE);
    }
  });
});
