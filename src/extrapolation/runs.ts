// The runs of an extrapolation: one job per net, and names under which finished ones are found again.
import { usesFunctions } from '../layers/registry.js';
import { threefry, type RandomKey } from '../math/random.js';
import { asTensor, type Tensor } from '../math/tensor.js';
import {
  createModel,
  parseNet,
  toJson,
  Trainer,
  type ModelOptions,
  type NetDocument,
  type TrainerOptions,
} from '../net/index.js';
import { defineJob, NumericalError, type Engine, type Job } from '../wasm/engine.js';

/** Where finished runs are kept, so that the same call goes on where an earlier one was stopped. */
export interface FinishedRuns {
  /** null or undefined where there is none. */
  load(name: string): Promise<unknown>;
  keep(name: string, value: unknown): Promise<void>;
}

/** @internal */
export interface RunParams {
  readonly net: NetDocument;
  readonly model: ModelOptions;
  readonly train: TrainerOptions;
  readonly xTest: Tensor;
  readonly recordAt: readonly number[];
}

/** Outputs above the largest target times this have nothing to do with it. */
const DIVERGED = 1e6;
const largest = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((most, value) => Math.max(most, Math.abs(value)), 0);

/** @internal one net: its outputs on the test points at the records */
export const extrapolationJob: Job<RunParams, Float64Array> = defineJob(
  'extrapolation/run',
  async (core, { net, model: options, train, xTest, recordAt }, { breathe }) => {
    using model = createModel(core, net, options);
    const trainer = new Trainer(model, train);
    try {
      const most = DIVERGED * (1 + largest(asTensor(train.y).data));
      const rows = xTest.shape[0]! * model.outputSize;
      const outputs = new Float64Array(recordAt.length * rows);
      for (const [record, step] of recordAt.entries()) {
        while (trainer.step < step) {
          trainer.next();
          await breathe();
        }
        const f = model.forward(xTest).data;
        if (!f.every((value) => Math.abs(value) <= most)) {
          throw new NumericalError(
            `extrapolateTraining: a net of width ${options.width} (seed ${options.seed}) diverges: its outputs are above ${most.toExponential(0)} at step ${step}. Lower the learning rate.`,
          );
        }
        outputs.set(f, record * rows);
      }
      return outputs;
    } finally {
      trainer.dispose();
    }
  },
  ({ net }) => usesFunctions(parseNet(net)),
);

interface Follow {
  readonly finished?: FinishedRuns;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
}

/** @internal Runs that are not there yet, in groups, so that what is finished is kept. */
export async function trained(
  engine: Engine,
  jobs: readonly RunParams[],
  { finished, signal, onProgress }: Follow,
): Promise<Float64Array[]> {
  const names = jobs.map((job) => (finished ? nameOf(job) : ''));
  const results: (Float64Array | null)[] = [];
  for (const name of names) {
    const kept = finished ? await finished.load(name) : null;
    results.push(kept instanceof Float64Array ? kept : null);
  }
  const left = results.flatMap((result, i) => (result ? [] : [i]));
  let done = jobs.length - left.length;
  const group = finished ? Math.max(4, 2 * engine.workers) : left.length;
  while (left.length > 0) {
    const part = left.splice(0, group);
    const found = await engine.map(
      extrapolationJob,
      part.map((i) => jobs[i]!),
      { signal, onDone: () => onProgress?.({ done: ++done, total: jobs.length }) },
    );
    for (const [k, i] of part.entries()) {
      results[i] = found[k]!;
      await finished?.keep(names[i]!, found[k]!);
    }
  }
  return results as Float64Array[];
}

/** Width, seed and a mark of everything else that counts: other settings find nothing. */
function nameOf({ net, model, train, xTest, recordAt }: RunParams): string {
  const { x, y, ...rest } = train;
  let key: RandomKey = [0x9e3779b9, 0x7f4a7c15];
  const add = (word: number): void => void (key = threefry(key, word >>> 0, 0));
  const text = JSON.stringify([
    toJson(parseNet(net)),
    model,
    rest,
    recordAt,
    (x as Tensor).shape,
    (y as Tensor).shape,
    xTest.shape,
  ]);
  for (let i = 0; i < text.length; i++) add(text.charCodeAt(i));
  for (const { data } of [x, y, xTest] as Tensor[])
    for (const word of new Uint32Array(Float64Array.from(data).buffer)) add(word);
  const mark = key.map((word) => word.toString(16).padStart(8, '0')).join('');
  return `width-${model.width}-seed-${model.seed}-${mark}`;
}
