// The runs of an experiment on the engine's pool: the most expensive first, with one progress, remembered in a journal.
import type { Engine } from '../wasm/engine.js';
import { isCheckpoint, runKey, type RunJournal } from './journal.js';
import { limitJob, type LimitParams } from './limit.js';
import { trainJob, type LongCall } from './onehidden.js';
import type { RunCheckpoint, RunParams, RunTrace } from './run.js';
import { bytesOfRun } from './space.js';

/** A finite net's run, or a limit's simulation. */
export type Task =
  | { readonly run: RunParams; readonly limit: null }
  | { readonly run: RunParams; readonly limit: LimitParams };

export interface ExecuteOptions extends LongCall {
  readonly journal?: RunJournal | undefined;
  readonly onPlan?: ((plan: { runs: number; left: number; bytes: number }) => void) | undefined;
}

/** Hidden units times rows times epochs, in units of about a thousand multiplications. */
function costOf({ run, limit }: Task, from = 0): number {
  const { epochs, width, data } = run;
  const rows = data.yTrain.length;
  const units = limit?.plan.kind === 'kernel' ? rows / 1000 : width;
  return Math.ceil(((epochs - from + 1) * units * rows * Math.min(data.inputs, rows)) / 1000);
}

/**
 * Runs all tasks; traces in their order, bit-equal for any number of workers and interruptions. With a journal, finished
 * runs are taken from it and begun ones continued; progress counts what is left to do.
 */
export async function execute(
  engine: Engine,
  tasks: readonly Task[],
  { signal, onProgress, journal, onPlan }: ExecuteOptions,
): Promise<RunTrace[]> {
  const keys = journal ? tasks.map(({ run, limit }) => runKey(run, limit && { ...limit, run: null })) : [];
  const kept = await Promise.all(keys.map((key) => journal!.load(key)));
  const traces = new Array<RunTrace>(tasks.length);
  const begun = new Map<number, RunCheckpoint>();
  kept.forEach((what, k) => {
    if (what && isCheckpoint(what)) begun.set(k, what);
    else if (what) traces[k] = what;
  });
  const queue = tasks.flatMap((task, k) =>
    traces[k] ? [] : [{ k, task, cost: costOf(task, begun.get(k)?.epoch), done: 0 }],
  );
  queue.sort((left, right) => right.cost - left.cost || left.k - right.k);
  const left = [...queue];
  const bytes = Math.max(
    0,
    ...queue.map(({ task }) => (task.limit?.plan.kind === 'kernel' ? 0 : bytesOfRun(task.run))),
  );
  onPlan?.({ runs: tasks.length, left: queue.length, bytes });
  const total = queue.reduce((sum, { cost }) => sum + cost, 0);
  const stop = new AbortController();
  const both = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
  const one = async (item: (typeof queue)[number]): Promise<void> => {
    const { k, task, cost } = item;
    const from = begun.get(k) ?? null;
    const begin = from?.epoch ?? 0;
    const writing: Promise<void>[] = [];
    const onMessage = (message: unknown): void => {
      if (typeof message !== 'number') {
        writing.push(journal!.keep(keys[k]!, message as RunCheckpoint));
        return;
      }
      item.done = (cost * (message - begin)) / Math.max(1, task.run.epochs - begin);
      onProgress?.({ done: Math.round(queue.reduce((sum, { done }) => sum + done, 0)), total });
    };
    const how = { signal: both, onMessage };
    const resume = journal ? { resume: { everySeconds: journal.everySeconds, from } } : {};
    traces[k] = task.limit
      ? await engine.run(limitJob, { ...task.limit, ...resume }, how)
      : await engine.run(trainJob, { ...task.run, ...resume }, how);
    begun.delete(k);
    await Promise.all(writing);
    await journal?.keep(keys[k]!, traces[k]);
    onMessage(task.run.epochs);
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
