// What stands in the queue: names of things in the store, never code, numbers or paths out of it. Whoever may write to the
// queue can ask for work that is described in the store; a message of any other form is refused.
import { jobs } from '../jobs/table.js';
import { digest, kernelsDigest } from '../store/digest.js';
import { checkKey, type Key } from '../store/store.js';
import { version } from '../version.js';
import type { Variant } from '../wasm/engine.js';

/** What computes must be the same everywhere, or bits would differ. */
export interface Maker {
  readonly version: string;
  readonly variant: Variant;
  readonly wasm: string;
}

/** Tiles of a kernel run in the store. */
export interface TilesMessage {
  readonly kind: 'tiles';
  readonly run: Key;
  readonly tiles: readonly number[];
}

/** Jobs of the table; a key names parameters in the store, and its result. */
export interface JobsMessage {
  readonly kind: 'jobs';
  readonly job: string;
  readonly keys: readonly string[];
}

/** Block rows of a stored kernel times a block of vectors in the store. */
export interface ProductMessage {
  readonly kind: 'product';
  readonly run: Key;
  readonly kernel: 'nngp' | 'ntk';
  readonly vectors: string;
  readonly rows: readonly number[];
}

export type Task = TilesMessage | JobsMessage | ProductMessage;
export type Message = Task & { readonly maker: Maker };

const MOST = 4096;

export async function makerOf(variant: Variant): Promise<Maker> {
  return { version, variant, wasm: (await kernelsDigest(variant)).slice(0, 16) };
}

/** The name under which a message stands in the queue: the same one for the same work. */
export const idOf = (message: Message): string =>
  `${message.kind}-${digest(JSON.stringify(message)).slice(0, 32)}`;

/** The message, or TypeError that says in one line what is wrong with it. */
export function parseMessage(data: unknown): Message {
  const wrong = (what: string): TypeError =>
    new TypeError(`queue: refused a message: ${what}. Nothing was run.`);
  if (typeof data !== 'object' || data === null) throw wrong('expected an object');
  const message = data as Record<string, unknown>;
  const fields: Readonly<Record<string, readonly string[]>> = {
    tiles: ['run', 'tiles'],
    jobs: ['job', 'keys'],
    product: ['run', 'kernel', 'vectors', 'rows'],
  };
  const { kind } = message;
  const own = typeof kind === 'string' && Object.hasOwn(fields, kind) ? fields[kind]! : null;
  if (!own) throw wrong('its kind must be tiles, jobs or product');
  const extra = Object.keys(message).find((name) => !['kind', 'maker', ...own].includes(name));
  if (extra !== undefined) throw wrong(`it has an unknown field ${JSON.stringify(extra.slice(0, 40))}`);
  const maker = message['maker'] as Partial<Maker> | undefined;
  if (!(['version', 'variant', 'wasm'] as const).every((name) => typeof maker?.[name] === 'string'))
    throw wrong('it does not say which version, variant and wasm it is for');
  const list = (name: string, test: (item: unknown) => boolean, what: string): void => {
    const items = message[name];
    if (!Array.isArray(items) || items.length < 1 || items.length > MOST || !items.every(test))
      throw wrong(`${name} must be 1 to ${MOST} ${what}`);
  };
  const isPlace = (item: unknown): boolean => Number.isSafeInteger(item) && (item as number) >= 0;
  const isKey = (item: unknown): boolean => typeof item === 'string' && /^[0-9a-f]{64}$/.test(item);
  if (kind === 'jobs') {
    if (typeof message['job'] !== 'string' || !jobs.has(message['job']))
      throw wrong(`unknown job ${JSON.stringify(String(message['job']).slice(0, 60))}`);
    list('keys', isKey, 'keys of 64 hexadecimal digits');
  } else {
    if (typeof message['run'] !== 'string') throw wrong('run must be a name in the store');
    try {
      checkKey(message['run']);
    } catch {
      throw wrong(`run must be a name in the store, got ${JSON.stringify(message['run'].slice(0, 60))}`);
    }
    list(kind === 'tiles' ? 'tiles' : 'rows', isPlace, 'whole numbers >= 0');
  }
  if (kind === 'product') {
    if (message['kernel'] !== 'nngp' && message['kernel'] !== 'ntk')
      throw wrong('kernel must be nngp or ntk');
    if (!isKey(message['vectors'])) throw wrong('vectors must be a key of 64 hexadecimal digits');
  }
  return data as Message;
}
