// Where a command keeps finished parts and checkpoints: the folder `runs` of its output. One process at a time writes there.
import { rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { folderStore } from '../store/folder.js';
import { keptIn, type Kept } from '../store/kept.js';
import { acquire } from '../store/lock.js';
import { outputFolder } from './files.js';
import type { Context } from './verb.js';

export interface Runs extends Kept {
  readonly folder: string;
  /** Removes the folder, once the result that it was kept for is written. */
  clear(): Promise<void>;
  /** Removes the folder if nothing is in it. */
  tidy(): Promise<void>;
}

/** Opens the folder for this command; StoreError where another process writes to it. */
export async function openRuns(out: string, { progress, atEnd }: Context): Promise<Runs> {
  const folder = join(await outputFolder(out), 'runs');
  const store = folderStore(folder);
  const lock = await acquire(store);
  const tidy = async (): Promise<void> => {
    await lock.release();
    await store.sweep?.();
    await rmdir(folder).catch(() => {}); // stays where something else is in it
  };
  atEnd(tidy);
  await store.sweep?.();
  const kept = keptIn(store, (line) => progress.log(line));
  return { ...kept, folder, tidy, clear: () => rm(folder, { recursive: true, force: true }) };
}
