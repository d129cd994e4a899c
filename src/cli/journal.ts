// Finished runs and checkpoints of a long experiment, as its journal.
import type { KeptRun, RunCheckpoint, RunJournal } from '../scaling/index.js';
import { openRuns } from './runs.js';
import type { Context } from './verb.js';

export interface FolderJournal extends RunJournal {
  /** Runs found finished, and begun ones with their epochs. */
  readonly found: { finished: number; begun: number[] };
  /** Removes what was kept, once the result is written. */
  clear(): Promise<void>;
}

/** A journal in the output folder; what cannot be read is reported and done again. */
export async function folderJournal(
  out: string,
  everySeconds: number,
  context: Context,
): Promise<FolderJournal> {
  const runs = await openRuns(out, context);
  const found = { finished: 0, begun: [] as number[] };
  const count = (what: unknown): void => {
    const { state, epoch, epochs } = what as Partial<RunCheckpoint & KeptRun>;
    if (state) found.begun.push(epoch!);
    else if (Array.isArray(epochs)) found.finished++;
    else throw new TypeError('not a run');
  };
  return {
    everySeconds,
    found,
    load: (key) => runs.load(key, count) as Promise<KeptRun | RunCheckpoint | null>,
    keep: (key, what) => runs.keep(key, what),
    clear: () => runs.clear(),
  };
}
