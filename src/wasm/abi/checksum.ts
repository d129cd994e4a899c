import type { Ptr } from '../heap.js';

/** Contracts: assembly/checksum.ts. */
export interface ChecksumKernels {
  crc32cTables(table: Ptr<'u32'>): void;
  /** The 32 bits as a signed number. */
  crc32c(crc: number, n: number, from: Ptr<'u8'>, table: Ptr<'u32'>): number;
}
