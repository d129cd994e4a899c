import { randomBytes } from 'node:crypto';
import { access, constants, mkdir, readFile, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { readCsv } from '../data/csv.js';
import { readNpy } from '../data/npy.js';
import { npzNames, readNpz, writeNpz } from '../data/npz.js';
import { UNPACKED_BYTES } from '../data/unpack.js';
import { readIdx } from '../data/idx.js';
import type { Tensor } from '../math/index.js';
import { UsageError } from './errors.js';

/** Writes under a temporary name and renames, so that a file under its final name is always whole. */
export async function writeFileAtomic(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(4).toString('hex')}.tmp`);
  try {
    await writeFile(temporary, content);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw named(error, path);
  }
}

/**
 * Makes a folder and those above it. Not by `recursive`: where a file system refuses new folders as missing (/proc), Node
 * would try for ever.
 */
export async function makeFolder(folder: string): Promise<void> {
  const there = await stat(folder).catch(() => null);
  if (there?.isDirectory()) return;
  if (dirname(folder) !== folder) await makeFolder(dirname(folder));
  await mkdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST' || there) throw error; // another process may have made it meanwhile
  });
}

/** Makes the folder and checks that it can be written, before hours of work go into it. */
export async function outputFolder(path: string): Promise<string> {
  const folder = resolve(path);
  try {
    await makeFolder(folder);
    await access(folder, constants.W_OK);
  } catch (error) {
    throw new UsageError(`--out: the folder ${path} cannot be written (${reason(error)}). Name another one.`);
  }
  return folder;
}

/**
 * Runs `work` with the folder made and checked before it; without a folder just runs it. Work that fails and leaves
 * nothing in a folder that was not there leaves no folder.
 */
export async function inFolder<T>(path: string | undefined, work: () => Promise<T>): Promise<T> {
  if (path === undefined) return work();
  const isThere = (await stat(path).catch(() => null)) !== null;
  const folder = await outputFolder(path);
  try {
    return await work();
  } catch (error) {
    if (!isThere) await rmdir(folder).catch(() => {}); // refused where something is in it
    throw error;
  }
}

/** Checks that `--out file` can be written; returns its full path. */
export async function outputFile(path: string): Promise<string> {
  const file = resolve(path);
  const at = await stat(file).catch(() => null);
  if (at?.isDirectory()) throw new UsageError(`--out: ${path} is a folder, a file name was expected.`);
  await outputFolder(dirname(file));
  return file;
}

/**
 * The numbers of a `.npy`, `.npz` (its only member, or `file.npz:member`; no other is unpacked), `.csv` or IDX file of at
 * most `memoryBytes` (default 1 GiB) unpacked.
 */
export async function readTensor(
  path: string,
  { memoryBytes = UNPACKED_BYTES }: { readonly memoryBytes?: number } = {},
): Promise<Tensor> {
  const [, file = path, member] = /^(.+\.npz):([^:/\\]+)$/.exec(path) ?? [];
  const bytes = await readBytes(file);
  const kind = extname(file).toLowerCase();
  if (kind === '.npy') return readNpy(bytes, file, { memoryBytes });
  if (kind === '.csv' || kind === '.txt') return readCsv(decode(bytes, file), { name: file }).data;
  if (kind === '.npz') {
    const names = npzNames(bytes, file);
    const wanted = member ?? (names.length === 1 ? names[0]! : undefined);
    if (wanted === undefined || !names.includes(wanted)) {
      throw new UsageError(
        `${file}: expected ${member ? `a member '${member}'` : 'one member'}, got [${names.join(', ')}]. Name one as ${file}:${names[0] ?? 'x'}.`,
      );
    }
    return (await readNpz(bytes, file, { memoryBytes, only: [wanted] })).arrays[wanted]!;
  }
  if (/(ubyte|idx\d?)$/.test(file)) return readIdx(bytes, file, Infinity, { memoryBytes });
  throw new UsageError(
    `${file}: expected a .npy, .npz, .csv or IDX file, got '${kind || basename(file)}'. Convert it first.`,
  );
}

/** A JSON file; the error names the file. */
export async function readJson(path: string): Promise<unknown> {
  const text = decode(await readBytes(path), path);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${path}: expected JSON, got ${(error as Error).message}. Repair the file.`);
  }
}

export async function readText(path: string): Promise<string> {
  return decode(await readBytes(path), path);
}

export async function readBytes(path: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await readFile(path));
  } catch (error) {
    throw named(error, path);
  }
}

/** Tensors, with `meta` as JSON, in one `.npz`. */
export async function writeNpzFile(
  path: string,
  arrays: Readonly<Record<string, Tensor>>,
  meta?: unknown,
): Promise<void> {
  await writeFileAtomic(path, await writeNpz(arrays, meta));
}

/** Text in UTF-8, or UTF-16 with a byte-order mark, as spreadsheets write it. */
function decode(bytes: Uint8Array, path: string): string {
  const mark = (bytes[0] ?? 0) * 256 + (bytes[1] ?? 0);
  const encoding = mark === 0xfffe ? 'utf-16le' : mark === 0xfeff ? 'utf-16be' : 'utf-8';
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    throw new UsageError(
      bytes.includes(0)
        ? `${path}: expected text (UTF-8), got binary data. Is the name right?`
        : `${path}: expected text in UTF-8, got another encoding. Save it as UTF-8 (iconv -f WINDOWS-1252 -t UTF-8).`,
    );
  }
}

const reason = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? (error as Error).message;

function named(error: unknown, path: string): unknown {
  if (error instanceof Error && 'code' in error) Object.assign(error, { path });
  return error;
}
