// The little of ZIP that .npz needs: stored and deflated members, no encryption, no zip64.
// https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const UTF8 = 0x0800;
const DATE = 0x0021; // 1 January 1980: equal content gives equal bytes

export interface ZipMember {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** The members of a zip archive. RangeError when it is damaged; checksums are verified. */
export async function readZip(bytes: Uint8Array, name: string): Promise<ZipMember[]> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const damaged = (what: string): RangeError =>
    new RangeError(`${name}: ${what}. It is truncated or no zip archive: write or copy it again.`);
  // The end record is 22 bytes plus a comment of at most 65535.
  let end = bytes.length - 22;
  while (end >= 0 && view.getUint32(end, true) !== END) end = end < bytes.length - 65557 ? -1 : end - 1;
  if (end < 0) throw damaged('expected an .npz file (a zip archive), its closing record is missing');

  const members: ZipMember[] = [];
  let at = view.getUint32(end + 16, true);
  for (let left = view.getUint16(end + 10, true); left > 0; left--) {
    if (at + 46 > bytes.length || view.getUint32(at, true) !== CENTRAL)
      throw damaged('its directory is damaged');
    const nameLength = view.getUint16(at + 28, true);
    const extra = view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    const member = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength));
    const method = view.getUint16(at + 10, true);
    const packed = view.getUint32(at + 20, true);
    const size = view.getUint32(at + 24, true);
    const start = view.getUint32(at + 42, true);
    if (packed === 0xffffffff || size === 0xffffffff || start === 0xffffffff) {
      throw new RangeError(`${name}: member ${member} is larger than 4 GiB. Save it as a .npy of its own.`);
    }
    if (view.getUint16(at + 8, true) & 1) throw new RangeError(`${name}: member ${member} is encrypted.`);
    if (start + 30 > bytes.length || view.getUint32(start, true) !== LOCAL) {
      throw damaged(`member ${member} is missing`);
    }
    const from = start + 30 + view.getUint16(start + 26, true) + view.getUint16(start + 28, true);
    if (from + packed > bytes.length) throw damaged(`member ${member} is cut off`);
    const body = await unpack(bytes.subarray(from, from + packed), method, size, `${name}: member ${member}`);
    if (crc32(body) !== view.getUint32(at + 16, true)) throw damaged(`member ${member} fails its checksum`);
    members.push({ name: member, bytes: body });
    at += 46 + nameLength + extra;
  }
  return members;
}

async function unpack(bytes: Uint8Array, method: number, size: number, name: string): Promise<Uint8Array> {
  if (method === 0) return bytes;
  if (method !== 8)
    throw new RangeError(`${name}: compression method ${method} is not supported. Use numpy.savez.`);
  const body = new Uint8Array(size);
  let filled = 0;
  try {
    const stream = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream();
    const reader = stream.pipeThrough(new DecompressionStream('deflate-raw')).getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      if (filled + part.value.length > size) throw new RangeError('more data than announced');
      body.set(part.value, filled);
      filled += part.value.length;
    }
    if (filled < size) throw new RangeError('less data than announced');
  } catch (error) {
    throw new RangeError(`${name}: the compressed data is damaged (${(error as Error).message}).`);
  }
  return body;
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
