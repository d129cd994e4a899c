// Parameters and results of jobs in the store. Large arrays are values of their own, named by their content: an array that many
// jobs share is written once, and a worker that has it does not read it again.
import { decodeRecord, encodeRecord, type StoredView } from '../store/record.js';
import { digest } from '../store/digest.js';
import { DamagedError, StoreError } from '../store/errors.js';
import { sealed, unsealed } from '../store/checksum.js';
import type { Key, Store } from '../store/store.js';

/** Bytes from which an array is a value of its own. */
const LARGE = 4096;
/** Bytes of arrays that a process remembers. */
const REMEMBERED = 2 ** 28;

export class Objects {
  readonly #store: Store;
  /** Arrays by name, the least recently used first. */
  readonly #known = new Map<string, Uint8Array>();
  #bytes = 0;
  /** Names that this process has written or seen in the store. */
  readonly #there = new Set<string>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** The name of a job with these parameters; they are in the store then. */
  async put(job: string, params: unknown): Promise<string> {
    const bytes = await this.encode(params);
    const key = digest(job, bytes);
    const at: Key = `/jobs/${key}.params`;
    if (!(await this.#store.has(at))) await this.#store.set(at, bytes);
    return key;
  }

  /** The parameters that a key names. DamagedError where they are not what the key says, StoreError where they are not there. */
  async params(job: string, key: string): Promise<unknown> {
    const at: Key = `/jobs/${key}.params`;
    const bytes = await this.#store.get(at);
    if (!bytes) throw new StoreError(`store: ${this.#store.name}${at} is not there. Submit the job again.`);
    if (digest(job, bytes) !== key)
      throw new DamagedError(this.#store.name, at, 'its content is not what its name says');
    return this.#decode(at, bytes);
  }

  hasResult(key: string): Promise<boolean> {
    return this.#store.has(`/jobs/${key}.result`);
  }

  async keepResult(key: string, value: unknown): Promise<void> {
    await this.#store.set(`/jobs/${key}.result`, await encodeRecord(value));
  }

  /** undefined: there is none, or it was damaged and is deleted. */
  async result(key: string): Promise<{ readonly value: unknown } | undefined> {
    const at: Key = `/jobs/${key}.result`;
    const bytes = await this.#store.get(at);
    if (!bytes) return undefined;
    try {
      return { value: await this.#decode(at, bytes) };
    } catch (error) {
      if (!(error instanceof DamagedError)) throw error;
      await this.#store.delete(at);
      return undefined;
    }
  }

  /** Deletes parameters and result of a job that served for a moment only. */
  async forget(key: string): Promise<void> {
    await this.#store.delete(`/jobs/${key}.params`);
    await this.#store.delete(`/jobs/${key}.result`);
  }

  /** Deletes an array that served for a moment only. */
  async forgetArray(name: string): Promise<void> {
    this.#there.delete(name);
    await this.#store.delete(`/objects/${name}`);
  }

  /** A record with its large arrays in the store. */
  async encode(value: unknown): Promise<Uint8Array> {
    const writing: Promise<void>[] = [];
    const bytes = encodeRecord(value, (view) => {
      if (view.byteLength < LARGE) return undefined;
      const raw = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
      const name = digest(raw);
      writing.push(this.#write(name, raw));
      return name;
    });
    await Promise.all(writing);
    return bytes;
  }

  async putArray(view: StoredView): Promise<string> {
    const raw = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    const name = digest(raw);
    await this.#write(name, raw);
    return name;
  }

  /** The bytes of an array; DamagedError where they are not what its name says. */
  async array(name: string): Promise<Uint8Array> {
    const known = this.#known.get(name);
    if (known) {
      this.#known.delete(name);
      this.#known.set(name, known);
      return known;
    }
    const at: Key = `/objects/${name}`;
    const bytes = await this.#store.get(at);
    if (!bytes) throw new StoreError(`store: ${this.#store.name}${at} is not there. Submit the job again.`);
    const raw = await unsealed(bytes).catch((error: Error) => {
      throw new DamagedError(this.#store.name, at, error.message);
    });
    if (digest(raw) !== name)
      throw new DamagedError(this.#store.name, at, 'its content is not what its name says');
    this.#remember(name, raw);
    return raw;
  }

  async #write(name: string, raw: Uint8Array): Promise<void> {
    if (this.#there.has(name)) return;
    const at: Key = `/objects/${name}`;
    if (!(await this.#store.has(at))) await this.#store.set(at, await sealed(raw));
    this.#there.add(name);
  }

  #remember(name: string, raw: Uint8Array): void {
    if (raw.length > REMEMBERED / 2) return;
    this.#known.set(name, raw);
    this.#bytes += raw.length;
    for (const [oldest, { length }] of this.#known) {
      if (this.#bytes <= REMEMBERED) break;
      this.#known.delete(oldest);
      this.#bytes -= length;
    }
  }

  async #decode(at: Key, bytes: Uint8Array): Promise<unknown> {
    try {
      return await decodeRecord(bytes, (name) => this.array(name));
    } catch (error) {
      if (error instanceof StoreError) throw error;
      throw new DamagedError(this.#store.name, at, (error as Error).message);
    }
  }
}
