// The little of ZIP that .npz needs: stored and deflated members, no encryption, no zip64.
// https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT

import { unpack } from './unpack.js';

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const UTF8 = 0x0800;
const DATE = 0x0021; // 1 January 1980: equal content gives equal bytes

export interface ZipMember {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** A member as the directory of an archive describes it; nothing of it is unpacked yet. */
export interface ZipEntry {
  readonly name: string;
  /** Bytes unpacked, as announced. */
  readonly size: number;
  /** Its content. RangeError when it is damaged or fails its checksum, or unpacks to more than `limit` bytes. */
  read(limit: number): Promise<Uint8Array>;
}

/**
 * The members of a zip archive. RangeError when its directory is damaged, or when members overlap or have one name (such
 * archives are made to unpack to something else for every reader, or to more than any memory).
 */
export function listZip(bytes: Uint8Array, name: string): ZipEntry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const damaged = (what: string): RangeError =>
    new RangeError(`${name}: ${what}. It is truncated or no zip archive: write or copy it again.`);
  // The end record is 22 bytes plus a comment of at most 65535.
  let end = bytes.length - 22;
  while (end >= 0 && view.getUint32(end, true) !== END) end = end < bytes.length - 65557 ? -1 : end - 1;
  if (end < 0) throw damaged('expected an .npz file (a zip archive), its closing record is missing');

  const entries: (ZipEntry & { readonly from: number; readonly to: number })[] = [];
  let at = view.getUint32(end + 16, true);
  for (let left = view.getUint16(end + 10, true); left > 0; left--) {
    if (at + 46 > end || view.getUint32(at, true) !== CENTRAL) throw damaged('its directory is damaged');
    const head = new DataView(bytes.buffer, bytes.byteOffset + at, 46);
    const nameLength = head.getUint16(28, true);
    if (at + 46 + nameLength > end) throw damaged('its directory is damaged');
    const member = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength));
    entries.push({ name: member, ...place(head, view, { name, member, damaged }) });
    at += 46 + nameLength + head.getUint16(30, true) + head.getUint16(32, true);
  }
  const inOrder = entries.toSorted((one, two) => one.from - two.from);
  const second = inOrder.find(({ from }, i) => i > 0 && from < inOrder[i - 1]!.to);
  if (second)
    throw new RangeError(`${name}: member ${second.name} overlaps another one. Write the archive anew.`);
  const names = new Set<string>();
  for (const entry of entries) {
    if (names.has(entry.name))
      throw new RangeError(`${name}: there are two members ${entry.name}. Write it anew.`);
    names.add(entry.name);
  }
  return entries;
}

interface Naming {
  readonly name: string;
  readonly member: string;
  readonly damaged: (what: string) => RangeError;
}

/** Where a member of the directory lies in the archive, and how it is read. */
function place(
  head: DataView,
  view: DataView,
  { name, member, damaged }: Naming,
): Omit<ZipEntry, 'name'> & { readonly from: number; readonly to: number } {
  const method = head.getUint16(10, true);
  const crc = head.getUint32(16, true);
  const packed = head.getUint32(20, true);
  const size = head.getUint32(24, true);
  const from = head.getUint32(42, true);
  if ([packed, size, from].includes(0xffffffff))
    throw new RangeError(`${name}: member ${member} is larger than 4 GiB. Save it as a .npy of its own.`);
  if (head.getUint16(8, true) & 1) throw new RangeError(`${name}: member ${member} is encrypted.`);
  if (from + 30 > view.byteLength || view.getUint32(from, true) !== LOCAL)
    throw damaged(`member ${member} is missing`);
  const start = from + 30 + view.getUint16(from + 26, true) + view.getUint16(from + 28, true);
  const to = start + packed;
  if (to > view.byteLength) throw damaged(`member ${member} is cut off`);
  const read = async (limit: number): Promise<Uint8Array> => {
    const body = new Uint8Array(view.buffer, view.byteOffset + start, packed);
    const content = await expand(body, method, size, limit, `${name}: member ${member}`);
    if (crc32(content) !== crc) throw damaged(`member ${member} fails its checksum`);
    return content;
  };
  return { size, from, to, read };
}

async function expand(
  body: Uint8Array,
  method: number,
  size: number,
  limit: number,
  name: string,
): Promise<Uint8Array> {
  if (method !== 0 && method !== 8)
    throw new RangeError(`${name}: compression method ${method} is not supported. Use numpy.savez.`);
  const content =
    method === 0
      ? body
      : await unpack(body, 'deflate-raw', { name, announced: size, limit: Math.min(limit, size) });
  if (content.length !== size) {
    throw new RangeError(
      `${name}: the compressed data is damaged: it has ${content.length} bytes, its directory says ${size}. Copy the file again.`,
    );
  }
  return content;
}

/** A zip archive of stored (not compressed) members, as `numpy.savez` writes. */
export function writeZip(members: readonly ZipMember[]): Uint8Array<ArrayBuffer> {
  const { heads, tail } = zipFrame(
    members.map(({ name, bytes }) => ({ name, size: bytes.length, crc: crc32(bytes) })),
  );
  const parts = [...members.flatMap(({ bytes }, i) => [heads[i]!, bytes]), tail];
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** What stands before each member of an archive and after the last, for archives larger than memory. */
export function zipFrame(
  members: readonly { readonly name: string; readonly size: number; readonly crc: number }[],
): {
  readonly heads: readonly Uint8Array<ArrayBuffer>[];
  readonly tail: Uint8Array<ArrayBuffer>;
} {
  const names = members.map(({ name }) => new TextEncoder().encode(name));
  const local = members.reduce((sum, { size }, i) => sum + 30 + names[i]!.length + size, 0);
  const directory = names.reduce((sum, name) => sum + 46 + name.length, 0);
  const total = local + directory + 22;
  if (total > 0xffffffff) {
    throw new RangeError(
      `npz: ${total} bytes wanted, the format holds 4294967295. Write one .npy per array.`,
    );
  }
  // version, flags, method, time, date, crc, packed size, size, name length, extra length
  const common = (view: DataView, offset: number, i: number): void => {
    const { size, crc } = members[i]!;
    view.setUint16(offset, 20, true);
    view.setUint16(offset + 2, UTF8, true);
    view.setUint16(offset + 8, DATE, true);
    view.setUint32(offset + 10, crc, true);
    view.setUint32(offset + 14, size, true);
    view.setUint32(offset + 18, size, true);
    view.setUint16(offset + 22, names[i]!.length, true);
  };
  const tail = new Uint8Array(directory + 22);
  const end = new DataView(tail.buffer);
  let [start, central] = [0, 0];
  const heads = names.map((name, i) => {
    const head = new Uint8Array(30 + name.length);
    const view = new DataView(head.buffer);
    view.setUint32(0, LOCAL, true);
    common(view, 4, i);
    head.set(name, 30);
    end.setUint32(central, CENTRAL, true);
    end.setUint16(central + 4, 20, true);
    common(end, central + 6, i);
    end.setUint32(central + 42, start, true);
    tail.set(name, central + 46);
    start += head.length + members[i]!.size;
    central += 46 + name.length;
    return head;
  });
  end.setUint32(central, END, true);
  end.setUint16(central + 8, members.length, true);
  end.setUint16(central + 10, members.length, true);
  end.setUint32(central + 12, directory, true);
  end.setUint32(central + 16, local, true);
  return { heads, tail };
}

let table: Uint32Array | null = null;

/** CRC-32 of bytes that follow others with the checksum `before`. */
export function crc32(bytes: Uint8Array, before = 0): number {
  table ??= Uint32Array.from({ length: 256 }, (_, byte) => {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
    return value;
  });
  let crc = ~before;
  for (let i = 0; i < bytes.length; i++) crc = table[(crc ^ bytes[i]!) & 255]! ^ (crc >>> 8);
  return ~crc >>> 0;
}
