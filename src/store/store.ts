// Where results live: names and bytes. A value appears whole or not at all.
import { messageOfStore, StoreError } from './errors.js';

/** The name of a value: starts with a slash, parts divided by slashes. */
export type Key = `/${string}`;

export interface Store {
  /** The folder or address, for messages. */
  readonly name: string;
  /** undefined: there is none. */
  get(key: Key): Promise<Uint8Array | undefined>;
  has(key: Key): Promise<boolean>;
  /** Replaces what is there; whoever reads meanwhile gets the old or the new bytes, whole. */
  set(key: Key, value: Uint8Array): Promise<void>;
  /** Writes where nothing is yet; false where something is. Of several that try, one succeeds. */
  create(key: Key, value: Uint8Array): Promise<boolean>;
  delete(key: Key): Promise<void>;
  /** Names that start with `prefix`, in no order. */
  list(prefix: Key): AsyncIterable<Key>;
  /** Free bytes, where the place knows. */
  room?(): Promise<number>;
  /** Deletes what processes that are gone left half-written; returns how much there was. */
  sweep?(): Promise<number>;
}

/** StoreError for a key that could lead out of the store. */
export function checkKey(key: string): asserts key is Key {
  const parts = key.split('/');
  const bad = parts
    .slice(1)
    .find((part) => part === '' || part === '.' || part === '..' || !/^[\w.+=@,~-]+$/.test(part));
  if (parts[0] !== '' || parts.length < 2 || bad !== undefined || key.length > 500)
    throw new StoreError(
      `store: a name must be /parts of letters, digits and . _ - + = @ , ~, got ${JSON.stringify(key.slice(0, 80))}.`,
    );
}

/** Runs an operation of a store; its failure says which, and where. */
export async function told<T>(name: string, what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof StoreError) throw error;
    throw new StoreError(messageOfStore(name, what, error), { cause: error });
  }
}

/** The store below a folder of another one. */
export function within(store: Store, folder: Key): Store {
  checkKey(folder);
  const at = (key: Key): Key => `${folder}${key}`;
  return {
    name: `${store.name}${folder}`,
    get: (key) => store.get(at(key)),
    has: (key) => store.has(at(key)),
    set: (key, value) => store.set(at(key), value),
    create: (key, value) => store.create(at(key), value),
    delete: (key) => store.delete(at(key)),
    async *list(prefix) {
      for await (const key of store.list(at(prefix))) yield key.slice(folder.length) as Key;
    },
    ...(store.room ? { room: () => store.room!() } : {}),
  };
}

const text = new TextEncoder();

/** A JSON document, or undefined. StoreError where it is not JSON. */
export async function getJson(store: Store, key: Key): Promise<unknown> {
  const bytes = await store.get(key);
  if (!bytes) return undefined;
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new StoreError(
      `store: ${store.name}${key} is no JSON document (${(error as Error).message}). It is damaged: delete it or take another copy.`,
    );
  }
}

export const jsonBytes = (value: unknown): Uint8Array => text.encode(`${JSON.stringify(value, null, 1)}\n`);
