// What a stopped command goes on from, as files of a folder that appear whole or not at all.
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { makeFolder, writeFileAtomic } from './files.js';

export interface KeptFiles {
  /** null: there is none, or it cannot be read or does not pass `check`, which throws. */
  load(name: string, check?: (value: unknown) => void): Promise<unknown>;
  /** The value as it is at the time of the call. */
  keep(name: string, value: unknown): Promise<void>;
  drop(name: string): Promise<void>;
}

export function keptFiles(folder: string, warn: (line: string) => void): KeptFiles {
  const at = (name: string): string => join(folder, `${name}.bin`);
  return {
    async load(name, check) {
      const bytes = await readFile(at(name)).catch(() => null);
      if (!bytes) return null;
      try {
        const value: unknown = deserialize(bytes);
        check?.(value);
        return value;
      } catch (error) {
        warn(`${at(name)}: damaged (${(error as Error).message}); this part starts again`);
        return null;
      }
    },
    async keep(name, value) {
      const bytes = serialize(value);
      await makeFolder(folder);
      await writeFileAtomic(at(name), bytes);
    },
    drop: (name) => rm(at(name), { force: true }),
  };
}
