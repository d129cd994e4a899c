// The runs of an experiment on the engine's pool: the most expensive first, with one progress, remembered in a journal.
import type { Engine, Job, RunOptions } from '../../wasm/engine.js';
import { deepJob, sizeOfDeep, type DeepRun, type DeepTrace } from '../experiments/deep-net.js';
import { isCheckpoint, runKey, type RunJournal } from './journal.js';
import { limitJob, type LimitParams } from './limit.js';
import { oneHiddenJob, type LongCall } from './train-one-hidden.js';
import type { Resume, RunCheckpoint, RunParams, RunTrace } from './run.js';
import { bytesOfRun } from './space.js';

/** A run on the pool, and what planning needs to know of it. */
export interface Task<T> {
  readonly epochs: number;
  /** In units of about a thousand multiplications. */
  readonly cost: number;
  /** Of memory, its data aside. */
  readonly bytes: number;
  key(): string;
  start(engine: Engine, resume: { readonly resume?: Resume }, how: RunOptions): Promise<T>;
}

/** Hidden units times rows times epochs. */
function costOf({ epochs, data, scaling }: RunParams, units: number): number {
  const rows = data.yTrain.length;
  const passes = scaling.initCorrection === 'mask' ? 1.5 : 1; // one product more than the two of a step
  return Math.ceil((passes * (epochs + 1) * units * rows * Math.min(data.inputs, rows)) / 1000);
}

/** A task whose job takes `params`, and a checkpoint to go on from. */
const task = <P extends object, T>(
  job: Job<P & { readonly resume?: Resume }, T>,
  params: P,
  rest: Omit<Task<T>, 'start'>,
): Task<T> => ({
  ...rest,
  start: (engine, resume, how) => engine.run(job, { ...params, ...resume }, how),
});

/** A finite net of one hidden layer. */
export const trainTask = (run: RunParams): Task<RunTrace> =>
  task(oneHiddenJob, run, {
    epochs: run.epochs,
    cost: costOf(run, run.width),
    bytes: bytesOfRun(run),
    key: () => runKey(run),
  });

/** A simulation of a limit. */
export function limitTask(limit: LimitParams): Task<RunTrace> {
  const { run, plan } = limit;
  const fixed = plan.kind === 'kernel';
  return task(limitJob, limit, {
    epochs: run.epochs,
    cost: costOf(run, fixed ? run.data.yTrain.length / 1000 : run.width),
    bytes: fixed ? 0 : bytesOfRun(run),
    key: () => runKey(run, { ...limit, run: null }),
  });
}

/** A finite net of several hidden layers. */
export function deepTask(run: DeepRun): Task<DeepTrace> {
  const { parameters, wasm } = sizeOfDeep(run);
  // The start and the increments are made of copies in JavaScript's memory.
  const copies = run.keep.decomposition ? 4 * (run.dtype === 'f32' ? 4 : 8) * parameters : 0;
  return task(deepJob, run, {
    epochs: run.epochs,
    cost: Math.ceil((parameters * run.data.yTrain.length * (run.epochs + 1)) / 1000),
    bytes: wasm + copies,
    key: () => runKey(run),
  });
}

export interface ExecuteOptions extends LongCall {
  readonly journal?: RunJournal | undefined;
  readonly onPlan?: ((plan: { runs: number; left: number; bytes: number }) => void) | undefined;
}

/**
 * Runs all tasks; traces in their order, bit-equal for any number of workers and interruptions. With a journal, finished
 * runs are taken from it and begun ones continued; progress counts what is left to do.
 */
export async function execute<T extends RunTrace | DeepTrace>(
  engine: Engine,
  tasks: readonly Task<T>[],
  { signal, onProgress, journal, onPlan }: ExecuteOptions,
): Promise<T[]> {
  const keys = journal ? tasks.map((item) => item.key()) : [];
  const kept = await Promise.all(keys.map((key) => journal!.load(key)));
  const traces = new Array<T>(tasks.length);
  const begun = new Map<number, RunCheckpoint>();
  kept.forEach((what, k) => {
    if (what && isCheckpoint(what)) begun.set(k, what);
    else if (what) traces[k] = what as T; // keys name the kind of a run
  });
  const rest = ({ cost, epochs }: Task<T>, k: number): number =>
    Math.ceil((cost * (epochs + 1 - (begun.get(k)?.epoch ?? 0))) / (epochs + 1));
  const queue = tasks.flatMap((item, k) =>
    traces[k] ? [] : [{ k, task: item, cost: rest(item, k), done: 0 }],
  );
  queue.sort((left, right) => right.cost - left.cost || left.k - right.k);
  const left = [...queue];
  onPlan?.({
    runs: tasks.length,
    left: queue.length,
    bytes: Math.max(0, ...queue.map(({ task: { bytes } }) => bytes)),
  });
  const total = queue.reduce((sum, { cost }) => sum + cost, 0);
  const stop = new AbortController();
  const both = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
  const one = async (item: (typeof queue)[number]): Promise<void> => {
    const { k, task: own, cost } = item;
    const from = begun.get(k) ?? null;
    const begin = from?.epoch ?? 0;
    const writing: Promise<void>[] = [];
    const onMessage = (message: unknown): void => {
      if (typeof message !== 'number') {
        writing.push(journal!.keep(keys[k]!, message as RunCheckpoint));
        return;
      }
      item.done = (cost * (message - begin)) / Math.max(1, own.epochs - begin);
      onProgress?.({ done: Math.round(queue.reduce((sum, { done }) => sum + done, 0)), total });
    };
    const resume = journal ? { resume: { everySeconds: journal.everySeconds, from } } : {};
    traces[k] = await own.start(engine, resume, { signal: both, onMessage });
    begun.delete(k);
    await Promise.all(writing);
    await journal?.keep(keys[k]!, traces[k]);
    onMessage(own.epochs);
  };
  const lane = async (): Promise<void> => {
    for (let item = left.shift(); item; item = left.shift()) await one(item);
  };
  try {
    await Promise.all(Array.from({ length: Math.max(1, engine.workers) }, lane));
  } catch (error) {
    stop.abort(error); // one failure makes the rest useless
    throw error;
  }
  return traces;
}
