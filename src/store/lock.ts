// One writer at a time, where two would spoil each other's work: a value that is made once and says who made it.
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { StoreError } from './errors.js';
import { isRunning } from './folder.js';
import { getJson, jsonBytes, type Store } from './store.js';

interface Holder {
  readonly host: string;
  readonly pid: number;
  /** When the process started, so that another one with its number is not taken for it. */
  readonly started: string;
  readonly mark: string;
}

const LOCK = '/.lock';

/**
 * Takes the lock of a store; `release` gives it back. That of a process of this machine that is gone is taken over. StoreError
 * naming the holder otherwise, after so many seconds.
 */
export async function acquire(store: Store, seconds = 0): Promise<{ release(): Promise<void> }> {
  for (const end = Date.now() + 1000 * seconds; ;) {
    try {
      return await take(store);
    } catch (error) {
      if (!(error instanceof StoreError) || Date.now() >= end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

async function take(store: Store): Promise<{ release(): Promise<void> }> {
  const mine: Holder = {
    host: hostname(),
    pid: process.pid,
    started: await startOf(process.pid),
    mark: randomBytes(8).toString('hex'),
  };
  const release = async (): Promise<void> => {
    if (((await getJson(store, LOCK)) as Holder | undefined)?.mark === mine.mark) await store.delete(LOCK);
  };
  for (let turn = 0; turn < 3; turn++) {
    if (await store.create(LOCK, jsonBytes(mine))) return { release };
    const holder = (await getJson(store, LOCK)) as Holder | undefined;
    if (!holder) continue; // released meanwhile
    if (await isAlive(holder)) throw taken(store, holder);
    // Of several that find it stale, one makes this value; one that comes later finds another holder by then.
    const turnKey = `/.lock-after-${holder.mark}` as const;
    if (!(await store.create(turnKey, jsonBytes(mine)))) throw taken(store, holder);
    const now = (await getJson(store, LOCK)) as Holder | undefined;
    if (now?.mark === holder.mark) await store.set(LOCK, jsonBytes(mine));
    await store.delete(turnKey);
    if (now?.mark === holder.mark) return { release };
  }
  throw taken(store, mine);
}

function taken(store: Store, { host, pid }: Holder): StoreError {
  return new StoreError(
    `store: process ${pid} on ${host} writes to ${store.name}. Wait for it or stop it; if it is gone, delete ${store.name}${LOCK}.`,
  );
}

async function isAlive({ host, pid, started }: Holder): Promise<boolean> {
  if (host !== hostname()) return true; // cannot be known from here
  return isRunning(pid) && (await startOf(pid)) === started;
}

/** When a process started, in ticks since the machine did; '' where the system does not say. */
async function startOf(pid: number): Promise<string> {
  const line = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return line.slice(line.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}
