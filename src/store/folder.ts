// A store in a folder. A value is written beside its place, flushed to the disk, and renamed.
import { randomBytes } from 'node:crypto';
import { link, mkdir, open, readdir, readFile, rename, rm, rmdir, stat, statfs } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { checkKey, told, type Key, type Store } from './store.js';

const TEMPORARY = '.tmp';

/** A store in `folder`, which is made when the first value is written, if its parent is there. */
export function folderStore(folder: string): Store {
  const root = resolve(folder);
  const at = (key: Key): string => {
    checkKey(key);
    return join(root, ...key.slice(1).split('/'));
  };
  /** Writes a temporary file and hands it to `place`; nothing of it stays when that fails. */
  const written = async <T>(
    key: Key,
    value: Uint8Array,
    place: (from: string, to: string) => Promise<T>,
  ): Promise<T> => {
    const to = at(key);
    await folders(dirname(to), root);
    const temporary = join(root, TEMPORARY);
    await folders(temporary, root);
    const from = join(temporary, `${hostname()}-${process.pid}-${randomBytes(6).toString('hex')}`);
    try {
      const file = await open(from, 'wx');
      try {
        await file.writeFile(value);
        await file.sync();
      } finally {
        await file.close();
      }
      return await place(from, to);
    } catch (error) {
      await rm(from, { force: true }).catch(() => {});
      throw error;
    }
  };
  return {
    name: folder,
    get: (key) =>
      told(folder, `reading ${key}`, async () => {
        try {
          return new Uint8Array(await readFile(at(key)));
        } catch (error) {
          if (isAbsent(error)) return undefined;
          throw error;
        }
      }),
    has: (key) =>
      told(folder, `looking for ${key}`, () =>
        stat(at(key)).then(
          (found) => found.isFile(),
          (error: unknown) => {
            if (isAbsent(error)) return false;
            throw error;
          },
        ),
      ),
    set: (key, value) => told(folder, `writing ${key}`, () => written(key, value, rename)),
    create: (key, value) =>
      told(folder, `writing ${key}`, () =>
        written(key, value, async (from, to) => {
          try {
            await link(from, to); // unlike rename it never replaces
            return true;
          } catch (error) {
            if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
            throw error;
          } finally {
            await rm(from, { force: true });
          }
        }),
      ),
    delete: (key) => told(folder, `deleting ${key}`, () => rm(at(key), { force: true })),
    async *list(prefix) {
      yield* listed(root, prefix);
    },
    sweep: () => sweepFolder(root),
    room: () =>
      told(folder, 'looking for free space', async () => {
        const { bavail, bsize } = await statfs(await nearest(root));
        return bavail * bsize;
      }),
  };
}

const isAbsent = (error: unknown): boolean =>
  ['ENOENT', 'ENOTDIR'].includes(String((error as NodeJS.ErrnoException).code));

/** The folder, or the first one above it that is there. */
async function nearest(folder: string): Promise<string> {
  return (await stat(folder).catch(() => null)) || dirname(folder) === folder
    ? folder
    : nearest(dirname(folder));
}

/**
 * Makes a folder and those above it, from the folder that holds the root on. Not by `recursive`: where a file system refuses
 * new folders as missing, Node would try for ever.
 */
async function folders(folder: string, root: string): Promise<void> {
  if ((await stat(folder).catch(() => null))?.isDirectory()) return;
  if (folder !== root) await folders(dirname(folder), root);
  await mkdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error; // another process may have made it meanwhile
  });
}

async function* listed(root: string, prefix: Key): AsyncGenerator<Key> {
  // A prefix may end within a name: its folder is read, and what starts otherwise is left out.
  const folder = prefix.slice(0, prefix.lastIndexOf('/'));
  const entries = await readdir(join(root, folder), { withFileTypes: true }).catch((error: unknown) => {
    if (isAbsent(error)) return [];
    throw error;
  });
  for (const entry of entries) {
    const key: Key = `${folder as Key}/${entry.name}`;
    if (!key.startsWith(prefix) || key === `/${TEMPORARY}`) continue;
    if (entry.isDirectory()) yield* listed(root, `${key}/`);
    else yield key;
  }
}

/**
 * Deletes what processes that are gone left half-written: those of this machine that do not run any more, and those of other
 * machines after a day. Returns how many.
 */
async function sweepFolder(folder: string): Promise<number> {
  const temporary = join(folder, TEMPORARY);
  let gone = 0;
  for (const name of await readdir(temporary).catch(() => [])) {
    const [, host, pid] = /^(.+)-(\d+)-[0-9a-f]+$/.exec(name) ?? [];
    const file = join(temporary, name);
    const old = Date.now() - ((await stat(file).catch(() => null))?.mtimeMs ?? Infinity) > 864e5;
    if (!old && (host !== hostname() || isRunning(Number(pid)))) continue;
    await rm(file, { force: true });
    gone++;
  }
  await rmdir(temporary).catch(() => {}); // stays while somebody writes
  return gone;
}

/** Whether a process of this machine runs. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
