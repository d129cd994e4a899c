// Makes a compiled kernel module smaller without touching its arithmetic: the compiler writes every vector constant out in
// full, 18 bytes each, and every f64 in 9. Zeros become a local that nobody writes, other vectors a load from a pool below
// the static data; small whole numbers and numbers that fit f32 are converted, which engines do when they compile.
//   compact(bytes) -> bytes

const POOL = 16; // first byte of the pool; the compiler leaves memory below STATIC alone
const STATIC = 1024;
const [TYPE, FUNCTION, CODE, DATA, DATA_COUNT] = [1, 3, 10, 11, 12];
const [I32_CONST, F32_CONST, F64_CONST, LOCAL_GET, SIMD] = [0x41, 0x43, 0x44, 0x20, 0xfd];
const [I32_TO_F32, I32_TO_F64, F32_TO_F64, F64_LOAD] = [0xb2, 0xb7, 0xbb, 0x2b];
const [LOAD32_SPLAT, LOAD64_SPLAT, V128_CONST] = [9, 10, 12];
const VALUE_TYPE = { [F32_CONST]: 0x7d, [F64_CONST]: 0x7c, [SIMD]: 0x7b };
const CONST_BYTES = { [F32_CONST]: 4, [F64_CONST]: 8, [SIMD]: 16 };

class Reader {
  constructor(bytes, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }
  number() {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.bytes[this.at++];
      value |= (byte & 127) << shift;
      if (byte < 128) return value >>> 0;
    }
  }
  take(count) {
    return this.bytes.subarray(this.at, (this.at += count));
  }
}

function leb(value) {
  const bytes = [];
  for (; value > 127; value >>>= 7) bytes.push((value & 127) | 128);
  return [...bytes, value];
}

/** Moves the reader past the immediates of an instruction; `simd` is the second number of a 0xfd instruction. */
function skipImmediates(code, reader, simd) {
  const numbers = (count) => {
    for (; count > 0; count--) reader.number();
  };
  if (code === SIMD) {
    if (simd <= 11 || simd === 92 || simd === 93) numbers(2);
    else if (simd === 12 || simd === 13) reader.at += 16;
    else if (simd >= 21 && simd <= 34) reader.at++;
    else if (simd >= 84 && simd <= 91) numbers(3);
  } else if (code === 0xfc) {
    const kind = reader.number();
    if (kind > 7) numbers(kind === 10 || kind === 8 ? 2 : 1);
  } else if (code === 0x0e) numbers(reader.number() + 1);
  else if (code === F32_CONST) reader.at += 4;
  else if (code === F64_CONST) reader.at += 8;
  else if (code === 0x11 || (code >= 0x28 && code <= 0x3e)) numbers(2);
  else if (code === 0x1c) numbers(reader.number());
  else if ((code >= 2 && code <= 4) || code === 0x0c || code === 0x0d || code === 0x10) numbers(1);
  else if ((code >= 0x20 && code <= 0x24) || (code >= 0x3f && code <= 0x42)) numbers(1);
}

/**
 * The constants that are loaded instead of written. Modules are rewritten twice: the first time counts the uses, so that the
 * second finds the frequent ones where an address takes one byte.
 */
function makePool() {
  const uses = new Map();
  const places = new Map();
  const bytes = [];
  const settle = () => {
    const sorted = [...uses].sort((a, b) => b[1] - a[1]).map(([key]) => key.split(',').map(Number));
    let hole = -1; // four free bytes in front of eight
    for (const value of sorted) {
      let at = bytes.length;
      if (value.length === 4 && hole >= 0) [at, hole] = [hole, -1];
      else if (at % value.length) [hole, at] = [at, at + 4];
      for (const [i, byte] of value.entries()) bytes[at + i] = byte;
      places.set(String(value), POOL + at);
    }
    if (hole >= 0) bytes.fill(0, hole, hole + 4);
  };
  /** The address of 4 or 8 bytes. */
  const place = (value) => {
    const key = String(value);
    uses.set(key, (uses.get(key) ?? 0) + 1);
    return places.get(key) ?? POOL;
  };
  return { bytes, place, settle, has: (value) => uses.has(String(value)) };
}

/** A vector constant of equal lanes as a load from the pool. */
function splatLoad(value, pool) {
  for (const width of [4, 8]) {
    if (value.every((byte, i) => byte === value[i % width])) {
      const load = width === 4 ? LOAD32_SPLAT : LOAD64_SPLAT;
      return [
        I32_CONST,
        0,
        SIMD,
        load,
        width === 4 ? 2 : 3,
        ...leb(pool.place([...value.subarray(0, width)])),
      ];
    }
  }
  return null;
}

/** A number as a shorter sequence with the same bits, or null. */
function shortNumber(code, bytes, pool) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const value = code === F64_CONST ? view.getFloat64(0, true) : view.getFloat32(0, true);
  if (Number.isInteger(value) && value >= -64 && value < 64 && !Object.is(value, -0))
    return [I32_CONST, value & 127, code === F64_CONST ? I32_TO_F64 : I32_TO_F32];
  if (code === F32_CONST) return null;
  if (pool.has([...bytes])) return [I32_CONST, 0, F64_LOAD, 3, ...leb(pool.place([...bytes]))];
  const single = new Uint8Array(Float32Array.of(value).buffer);
  return Math.fround(value) === value ? [F32_CONST, ...single, F32_TO_F64] : null;
}

function rewriteFunction(body, parameters, pool) {
  const reader = new Reader(body);
  const groups = reader.number();
  let locals = parameters;
  const from = reader.at;
  for (let i = 0; i < groups; i++) {
    locals += reader.number();
    reader.at++;
  }
  const declared = body.subarray(from, reader.at);
  const zeros = new Map();
  const zeroOf = (code) => {
    if (!zeros.has(code)) zeros.set(code, locals + zeros.size);
    return [LOCAL_GET, ...leb(zeros.get(code))];
  };
  const out = [];
  while (reader.at < body.length) {
    const start = reader.at;
    const code = reader.bytes[reader.at++];
    const simd = code === SIMD ? reader.number() : -1;
    let replacement = null;
    if (code === F32_CONST || code === F64_CONST || simd === V128_CONST) {
      const value = body.subarray(reader.at, reader.at + CONST_BYTES[code]);
      if (value.every((byte) => byte === 0)) replacement = zeroOf(code);
      else replacement = code === SIMD ? splatLoad(value, pool) : shortNumber(code, value, pool);
    }
    skipImmediates(code, reader, simd);
    out.push(...(replacement ?? body.subarray(start, reader.at)));
  }
  const added = [...zeros.keys()].flatMap((code) => [1, VALUE_TYPE[code]]);
  return Uint8Array.from([...leb(groups + zeros.size), ...declared, ...added, ...out]);
}

export function compact(bytes) {
  const reader = new Reader(bytes, 8);
  const sections = [];
  while (reader.at < bytes.length) {
    const id = bytes[reader.at++];
    sections.push({ id, content: reader.take(reader.number()) });
  }
  const section = (id) => new Reader(sections.find((one) => one.id === id).content);
  const list = (id, read) => {
    const from = section(id);
    return Array.from({ length: from.number() }, () => read(from));
  };
  const parameters = list(TYPE, (from) => {
    from.at++;
    const count = from.number();
    from.take(count);
    from.take(from.number());
    return count;
  });
  const types = list(FUNCTION, (from) => from.number());
  const pool = makePool();
  const written = list(CODE, (from) => from.take(from.number()));
  const rewrite = () => written.map((body, i) => rewriteFunction(body, parameters[types[i]], pool));
  rewrite();
  pool.settle();
  const bodies = rewrite();
  if (POOL + pool.bytes.length > STATIC)
    throw new RangeError('compact: the constants do not fit below the static data');
  const data = section(DATA);
  const segments = data.number() + 1;
  const contents = {
    [CODE]: [...leb(bodies.length), ...bodies.flatMap((body) => [...leb(body.length), ...body])],
    [DATA]: [
      ...leb(segments),
      ...data.bytes.subarray(data.at),
      ...[0, I32_CONST, POOL, 0x0b, ...leb(pool.bytes.length), ...pool.bytes],
    ],
    [DATA_COUNT]: leb(segments),
  };
  return Uint8Array.from([
    ...bytes.subarray(0, 8),
    ...sections.flatMap(({ id, content }) => {
      const kept = contents[id] ?? [...content];
      return [id, ...leb(kept.length), ...kept];
    }),
  ]);
}
