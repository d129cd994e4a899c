// CRC-32C of bytes, by the kernel, and the Zarr codec of that name: zarrita's cannot encode and does not check.
import * as zarr from 'zarrita';
import { createEngine, type Engine } from '../wasm/engine.js';

const PIECE = 2 ** 20;

/** The CRC-32C of `bytes`, continuing that of the bytes before them (0: none). */
export type Crc32c = (bytes: Uint8Array, before?: number) => number;

/** The function once its kernels are compiled. */
export function makeCrc32c({ kernels, heap }: Pick<Engine, 'kernels' | 'heap'>): Crc32c {
  const region = heap.region();
  const table = region.alloc('u32', 2048);
  const piece = region.alloc('u8', PIECE);
  kernels.crc32cTables(table.ptr);
  return (bytes, before = 0) => {
    let crc = before;
    for (let at = 0; at < bytes.length; at += PIECE) {
      const part = bytes.subarray(at, at + PIECE);
      heap.write(piece, part);
      crc = kernels.crc32c(crc, part.length, piece.ptr, table.ptr);
    }
    return crc >>> 0;
  };
}

let made: Promise<Crc32c> | null = null;
/** One instance for all stores of the process. */
export const crc32c = (): Promise<Crc32c> => (made ??= createEngine({ variant: 'simd' }).then(makeCrc32c));

/** Bytes with their checksum behind them (four bytes, the lowest first). */
export async function sealed(bytes: Uint8Array): Promise<Uint8Array> {
  const out = new Uint8Array(bytes.length + 4);
  out.set(bytes);
  new DataView(out.buffer).setUint32(bytes.length, (await crc32c())(bytes), true);
  return out;
}

/** The bytes before the checksum; Error where it is not theirs. */
export async function unsealed(bytes: Uint8Array): Promise<Uint8Array> {
  const length = bytes.byteLength - 4;
  if (length < 0) throw new Error(`expected at least 4 bytes, got ${bytes.byteLength}`);
  const body = bytes.subarray(0, length);
  const said = new DataView(bytes.buffer, bytes.byteOffset + length, 4).getUint32(0, true);
  const found = (await crc32c())(body);
  if (said === found) return body;
  throw new Error(`checksum ${found.toString(16)} of the content, ${said.toString(16)} was written`);
}

class Crc32cCodec {
  readonly kind = 'bytes_to_bytes';
  static fromConfig(): Crc32cCodec {
    return new Crc32cCodec();
  }
  encode(bytes: Uint8Array): Promise<Uint8Array> {
    return sealed(bytes);
  }
  decode(bytes: Uint8Array): Promise<Uint8Array> {
    return unsealed(bytes);
  }
  computeEncodedSize(size: number): number {
    return size + 4;
  }
}

/** Puts the codec in place of zarrita's. */
export function useCrc32c(): void {
  zarr.registry.set('crc32c', (() => Crc32cCodec) as never);
}
