// The published trajectories of deeper nets: multipliers of this folder applied to the models and training of `net`.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createEngine,
  createModel,
  dense,
  expandTerms,
  leakyRelu,
  multipliers,
  rmsprop,
  serial,
  sgd,
  tensor,
  train,
  type Engine,
  type OptimizerKind,
} from 'infinite-width';
import { scalingOfMode, type Mode } from '../support/golikov.js';
import { loadReference } from '../support/reference.js';

interface Run {
  readonly id: string;
  readonly mode: Mode;
  readonly num_hidden: number;
  readonly width: number;
  readonly wf: number;
  readonly optimizer: OptimizerKind;
  readonly lr: number;
  readonly epochs: number;
  readonly test_logits: number[][];
  readonly test_loss: number[];
  readonly train_loss: number[];
  /** Terms of the last epoch; letters are the increments: w input, v all hidden matrices together, a output. */
  readonly decomposition: Record<string, { readonly logits: number[] }>;
}

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
});
afterAll(() => engine.dispose());

/** `(out, in)` as stored to `(in, out)`. */
const transposed = (rows: readonly number[][]): number[][] =>
  rows[0]!.map((_, column) => rows.map((row) => row[column]!));
const gap = (got: ArrayLike<number>, want: readonly number[]): number =>
  Math.max(...want.map((value, i) => Math.abs(got[i]! - value))) / Math.max(...want.map(Math.abs));

describe('deep nets under golikov2020 scalings', () => {
  it('replays all 32 runs with 2 and 3 hidden layers', async () => {
    const raw = await loadReference<Record<string, number[][] & number[]>>('golikov/data');
    const init = await loadReference<Record<string, { weights: number[][][] }>>('golikov/init');
    const { runs } = await loadReference<{ runs: Run[] }>('golikov/deep');
    const labels = (name: string): number[][] => (raw[name] as number[]).map((value) => [value]);
    const xTest = tensor(raw['X_test'] as number[][]);
    expect(runs.length).toBe(32);
    for (const run of runs) {
      const { weights, rates } = multipliers(scalingOfMode(run.mode), run.wf, { optimizer: run.optimizer });
      const hidden = Array.from({ length: run.num_hidden }, () => [
        dense(run.width, { parametrization: 'standard' }),
        leakyRelu(0.1),
      ]).flat();
      const model = createModel(engine, serial(...hidden, dense(1, { parametrization: 'standard' })), {
        inputShape: [6],
        parameters: init[`hidden${run.num_hidden}_width${run.width}`]!.weights.map((w) => ({
          w: transposed(w),
        })),
        multipliers: weights,
      });
      // The published code gives tuples SGD's multipliers under every optimiser; none of these runs is one.
      const optimizer = run.optimizer === 'sgd' ? sgd(run.lr) : rmsprop(run.lr, { decay: 0.99, eps: 1e-8 });
      const records = train(model, {
        x: raw['X_train'] as number[][],
        y: labels('y_train'),
        loss: 'logistic',
        optimizer,
        rates,
        epochs: run.epochs,
        evaluate: { test: { x: xTest, y: labels('y_test') } },
      });
      const start = model.parameters;
      const trainLoss: number[] = [];
      const testLoss: number[] = [];
      for await (const { epoch, loss, evaluations } of records) {
        const { outputs, loss: value } = evaluations['test']!;
        expect(gap(outputs.data, run.test_logits[epoch]!), `${run.id} epoch ${epoch}`).toBeLessThan(1e-10);
        testLoss.push(value!);
        if (loss !== null) trainLoss.push(loss);
      }
      expect(gap(testLoss, run.test_loss), run.id).toBeLessThan(1e-10);
      expect(gap(trainLoss, run.train_loss), run.id).toBeLessThan(1e-10);
      const terms = expandTerms(model, xTest, start);
      expect(terms.length).toBe(2 ** (run.num_hidden + 1));
      const sum = terms.reduce(
        (total, { values }) => total.map((f, i) => f + values.data[i]!),
        [...new Array<number>(xTest.shape[0]!).fill(0)],
      );
      expect(gap(sum, run.test_logits.at(-1)!), `${run.id}: sum of terms`).toBeLessThan(1e-10);
      // The published code has the terms in which all hidden matrices are moved or none.
      const size = Math.max(...run.test_logits.at(-1)!.map(Math.abs));
      const matrices = Array.from({ length: run.num_hidden - 1 }, (_, l) => l + 1);
      let found = 0;
      for (const { moved, values } of terms) {
        const inner = matrices.filter((l) => moved.includes(l)).length;
        if (inner > 0 && inner < matrices.length) continue;
        const letters = (moved.includes(run.num_hidden) ? 'a' : '') + (inner ? 'v' : '');
        const want = run.decomposition[`f_${letters + (moved.includes(0) ? 'w' : '') || '0'}`]!;
        // Against the term's own size, or the rounding of the logits where it is smaller than that.
        const room = 1e-10 * Math.max(...want.logits.map(Math.abs)) + 1e-14 * size;
        const off = Math.max(...want.logits.map((f, i) => Math.abs(values.data[i]! - f)));
        expect(off, `${run.id}: term ${moved.join()}`).toBeLessThan(room);
        found++;
      }
      expect(found).toBe(8);
      model.dispose();
    }
  });
});
