// Finished parts and checkpoints of a long call, by name: what a stopped command goes on from. The names carry a digest of
// everything the content depends on, so that another call finds nothing.
import { decodeRecord, encodeRecord } from './record.js';
import type { Key, Store } from './store.js';

export interface Kept {
  /** null: there is none, or it is damaged or does not pass `check`, which throws; that is said and done again. */
  load(name: string, check?: (value: unknown) => void): Promise<unknown>;
  /** Keeps the value as it is at the time of the call, in place of an older one. */
  keep(name: string, value: unknown): Promise<void>;
  drop(name: string): Promise<void>;
}

/** Values kept in a store. `warn` is told of those that cannot be used. */
export function keptIn(store: Store, warn: (line: string) => void): Kept {
  let last: Promise<void> = Promise.resolve();
  const key = (name: string): Key => `/${name.replace(/[^\w.+=@,~-]/g, '_')}.record`;
  return {
    async load(name, check) {
      const bytes = await store.get(key(name));
      if (!bytes) return null;
      try {
        const value = await decodeRecord(bytes);
        check?.(value);
        return value;
      } catch (error) {
        warn(`${store.name}${key(name)}: damaged (${(error as Error).message}); this part starts again`);
        return null;
      }
    },
    keep(name, value) {
      const bytes = encodeRecord(value);
      // One after the other: an older value must not come last.
      last = Promise.allSettled([last]).then(async () => store.set(key(name), await bytes));
      return last;
    },
    drop: (name) => store.delete(key(name)),
  };
}
