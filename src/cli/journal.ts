// Finished runs and checkpoints of a long experiment as files of its output folder.
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import type { KeptRun, RunCheckpoint, RunJournal } from '../scaling/index.js';
import { makeFolder, outputFolder, writeFileAtomic } from './files.js';

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
  const found = { finished: 0, begun: [] as number[] };
  return {
    everySeconds,
    found,
    async load(key) {
      const file = join(folder, `${key}.bin`);
      const bytes = await readFile(file).catch(() => null);
      if (!bytes) return null;
      try {
        const what = deserialize(bytes) as KeptRun | RunCheckpoint;
        if ('state' in what) found.begun.push(what.epoch);
        else if (Array.isArray(what.epochs)) found.finished++;
        else throw new TypeError('not a run');
        return what;
      } catch (error) {
        warn(`${file}: damaged (${(error as Error).message}); this run starts again`);
        return null;
      }
    },
    async keep(key, what) {
      const bytes = serialize(what); // as it is now
      await makeFolder(folder);
      await writeFileAtomic(join(folder, `${key}.bin`), bytes);
    },
    clear: () => rm(folder, { recursive: true, force: true }),
  };
}
