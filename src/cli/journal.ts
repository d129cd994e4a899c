// Finished runs and checkpoints of a long experiment as files of its output folder.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { KeptRun, RunCheckpoint, RunJournal } from '../scaling/index.js';
import { outputFolder } from './files.js';
import { keptFiles } from './kept.js';

export interface FolderJournal extends RunJournal {
  /** Runs found finished, and begun ones with their epochs. */
  readonly found: { finished: number; begun: number[] };
  /** Removes the files, once the result they were kept for is written. */
  clear(): Promise<void>;
}

/** Files appear whole or not at all; one that cannot be read is reported to `warn` and done again. */
export async function folderJournal(
  out: string,
  { everySeconds, warn }: { everySeconds: number; warn: (line: string) => void },
): Promise<FolderJournal> {
  const folder = join(await outputFolder(out), 'runs');
  const files = keptFiles(folder, warn);
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
    load: (key) => files.load(key, count) as Promise<KeptRun | RunCheckpoint | null>,
    keep: (key, what) => files.keep(key, what),
    clear: () => rm(folder, { recursive: true, force: true }),
  };
}
