// Makes a compiled kernel module smaller without touching its arithmetic: the compiler writes every vector constant out in
// full, 18 bytes each. Zeros become a local that nobody writes, other constants a load from a pool below the static data.
//   compact(bytes) -> bytes

const POOL = 16; // first byte of the pool; the compiler leaves memory below STATIC alone
const STATIC = 1024;
const [TYPE, FUNCTION, CODE, DATA, DATA_COUNT] = [1, 3, 10, 11, 12];
const [I32_CONST, F32_CONST, F64_CONST, LOCAL_GET, SIMD] = [0x41, 0x43, 0x44, 0x20, 0xfd];
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

/** The constants that are loaded instead of written: their bytes, and where they are. */
function makePool() {
  const bytes = [];
  const places = new Map();
  /** The address of 4 or 8 bytes. */
  const place = (value) => {
    const key = String(value);
    if (!places.has(key)) {
      while (bytes.length % value.length) bytes.push(0);
      places.set(key, POOL + bytes.length);
      bytes.push(...value);
    }
    return places.get(key);
  };
  return { bytes, place };
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
      else if (code === SIMD) replacement = splatLoad(value, pool);
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
  const bodies = list(CODE, (from) => from.take(from.number())).map((body, i) =>
    rewriteFunction(body, parameters[types[i]], pool),
  );
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
