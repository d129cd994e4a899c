// CRC-32C (Castagnoli, reflected polynomial 0x82f63b78), the checksum of Zarr chunks: eight bytes a turn by eight tables
// (Kounavis & Berry 2005, "slicing by 8"). The tables lie in the caller's memory: kernels have no state.

/** Writes the tables: 2048 u32 at `table`. */
export function crc32cTables(table: usize): void {
  for (let i: u32 = 0; i < 256; i++) {
    let c = i;
    for (let k = 0; k < 8; k++) c = c >> 1 ^ (0x82f63b78 & (0 - (c & 1)));
    store<u32>(table + (<usize>i << 2), c);
  }
  for (let at = table + 1024; at < table + 8192; at += 4) {
    const c = load<u32>(at - 1024);
    store<u32>(at, c >> 8 ^ load<u32>(table + (<usize>(c & 255) << 2)));
  }
}

// @ts-ignore: decorator
@inline function part(table: usize, which: usize, byte: u32): u32 {
  return load<u32>(table + (which << 10) + (<usize>(byte & 255) << 2));
}

/** The checksum of `n` bytes at `from` (any alignment) that follow bytes of checksum `crc`; 0 where none do. `table`: of crc32cTables. */
export function crc32c(crc: u32, n: i32, from: usize, table: usize): u32 {
  let c = ~crc;
  for (; n >= 8; n -= 8, from += 8) {
    const low = load<u32>(from) ^ c, high = load<u32>(from, 4);
    c = part(table, 7, low) ^ part(table, 6, low >> 8) ^ part(table, 5, low >> 16) ^ part(table, 4, low >> 24)
      ^ part(table, 3, high) ^ part(table, 2, high >> 8) ^ part(table, 1, high >> 16) ^ part(table, 0, high >> 24);
  }
  for (; n > 0; n--, from++) c = c >> 8 ^ part(table, 0, c ^ load<u8>(from));
  return ~c;
}
