// Random numbers without hidden state. A key is two u32; element i of its streams is a function of (key, i) alone
// (Threefry2x32-20, Salmon et al., SC11), so any split over calls or workers gives the same numbers. Derive one key per
// purpose with `foldIn` and draw from each key once.
import { allocate } from './tensor.js';
import { kindOf, wholeNumber, type Core, type DTypes, type FloatType, type Ticket } from '../wasm/engine.js';
import { normalQuantileCentred } from './elementary.js';

/** Two u32. Plain data: it can be stored and posted to workers. */
export type RandomKey = readonly [number, number];

const INTEGER = 0x2000_0000; // tags in the upper counter word keep derivation apart from draws (counters < 2^53)
const CHARACTER = 0x4000_0000;
const STRING_END = 0x5000_0000;

/** The Threefry2x32-20 block of counter `(c0, c1)` under `key`; both words u32. */
export function threefry([k0, k1]: RandomKey, c0: number, c1: number): [number, number] {
  const keys = [k0, k1, k0 ^ k1 ^ 0x1bd11bda];
  let x0 = (c0 + k0) | 0;
  let x1 = (c1 + k1) | 0;
  for (let group = 0; group < 5; group++) {
    const turns = group % 2 === 0 ? EVEN : ODD;
    for (const by of turns) {
      x0 = (x0 + x1) | 0;
      x1 = ((x1 << by) | (x1 >>> (32 - by))) ^ x0;
    }
    x0 = (x0 + keys[(group + 1) % 3]!) | 0;
    x1 = (x1 + keys[(group + 2) % 3]! + group + 1) | 0;
  }
  return [x0 >>> 0, x1 >>> 0];
}
const EVEN = [13, 15, 26, 6] as const;
const ODD = [17, 29, 16, 24] as const;

/** The key of a seed: a whole number from 0 to 2^53 - 1. */
export function randomKey(seed: number): RandomKey {
  wholeNumber('randomKey', 'the seed', seed);
  return [Math.floor(seed / 2 ** 32), seed >>> 0];
}

/** TypeError unless `key` is one. */
function checkKey(call: string, key: RandomKey): RandomKey {
  if (Array.isArray(key) && key.length === 2 && key.every((word) => Number.isInteger(word))) return key;
  throw new TypeError(`${call}: key must be what randomKey or foldIn give, got ${kindOf(key)}.`);
}

/** A new key, determined by `key` and by whole numbers or names: `foldIn(key, 'layer', 3)`. Order matters. */
export function foldIn(key: RandomKey, ...data: readonly (number | string)[]): RandomKey {
  checkKey('foldIn', key);
  for (const item of data) {
    if (typeof item === 'string') {
      for (let i = 0; i < item.length; i++) key = threefry(key, CHARACTER, item.charCodeAt(i));
      key = threefry(key, STRING_END, item.length);
    } else {
      if (!Number.isSafeInteger(item)) {
        throw new RangeError(`foldIn: expected whole numbers or strings, got ${String(item)}`);
      }
      key = threefry(key, (INTEGER ^ Math.floor(item / 2 ** 32)) >>> 0, item >>> 0);
    }
  }
  return key;
}

/** Element `index` of the f64 uniforms of `key`, in [0, 1): the bits that `uniform` gives. */
export function uniformAt(key: RandomKey, index: number): number {
  const [high, low] = threefry(key, Math.floor(index / 2 ** 32), index >>> 0);
  return high * 2 ** -32 + (low >>> 11) * 2 ** -53;
}

/** Element `index` of the f64 standard normals of `key`: the bits that `normal` gives. */
export function normalAt(key: RandomKey, index: number): number {
  const [high, low] = threefry(key, Math.floor(index / 2 ** 32), index >>> 0);
  return normalQuantileCentred(high * 2 ** -32 - 0.5 + ((low >>> 11) + 0.5) * 2 ** -53);
}

const CHUNK = 2 ** 18; // elements per pass through wasm memory

/** `n` uniforms in [low, high) (rounding may reach `high` unless the range is [0, 1)). f32 values are the f64 values cut to 24 bits. */
export function uniform<D extends FloatType = 'f64'>(
  core: Core,
  key: RandomKey,
  n: number,
  dtype: D = 'f64' as D,
  [low, high]: readonly [low: number, high: number] = [0, 1],
): DTypes[D] {
  if (!Number.isFinite(low) || !(high >= low) || high === Infinity) {
    throw new RangeError(`uniform: expected finite low <= high, got ${low} and ${high}`);
  }
  return draw(core, key, n, dtype, { kind: 'uniform', a: low, b: high });
}

/** `n` normals, by inversion of one uniform each (Wichura, AS 241). f32 values are the f64 values, rounded. */
export function normal<D extends FloatType = 'f64'>(
  core: Core,
  key: RandomKey,
  n: number,
  dtype: D = 'f64' as D,
  [mean, std]: readonly [mean: number, std: number] = [0, 1],
): DTypes[D] {
  if (!Number.isFinite(mean) || !Number.isFinite(std) || std < 0) {
    throw new RangeError(`normal: expected a finite mean and a finite std >= 0, got ${mean} and ${std}`);
  }
  return draw(core, key, n, dtype, { kind: 'normal', a: mean, b: std });
}

/** Fills wasm memory with the normals `first`, `first + 1`, ... of `key`. */
export function normalInto(
  core: Core,
  key: RandomKey,
  out: Ticket<FloatType>,
  { first = 0, mean = 0, std = 1 }: { first?: number; mean?: number; std?: number } = {},
): void {
  drawInto(core, key, out, { kind: 'normal', first, a: mean, b: std });
}

/** A uniform random order of 0..n-1. */
export function permutation(core: Core, key: RandomKey, n: number): Int32Array<ArrayBuffer> {
  wholeNumber('permutation', 'the number of elements', n, 0, 2 ** 31 - 1);
  checkKey('permutation', key);
  return core.heap.scope((scope) => {
    const out = scope.alloc('i32', n);
    core.kernels.randomPermutation(key[0], key[1], n, out.ptr);
    return core.heap.read(out);
  });
}

function draw<D extends FloatType>(
  core: Core,
  key: RandomKey,
  n: number,
  dtype: D,
  { kind, a, b }: { readonly kind: 'uniform' | 'normal'; readonly a: number; readonly b: number },
): DTypes[D] {
  wholeNumber(kind, 'the number of elements', n, 0, 2 ** 31 - 1);
  checkKey(kind, key);
  const result = allocate(dtype, n, `${kind}: the result`, 'Draw fewer at a time.', core.memoryBytes);
  core.heap.scope((scope) => {
    const buffer = scope.alloc(dtype, Math.min(n, CHUNK));
    for (let first = 0; first < n; first += CHUNK) {
      const part = result.subarray(first, first + CHUNK);
      drawInto(core, key, { ...buffer, length: part.length }, { kind, first, a, b });
      core.heap.readInto<D>(buffer, part as DTypes[D]);
    }
  });
  return result as DTypes[D];
}

function drawInto(
  { kernels }: Core,
  [k0, k1]: RandomKey,
  out: Ticket<FloatType>,
  {
    kind,
    first,
    a,
    b,
  }: { readonly kind: 'uniform' | 'normal'; readonly first: number; readonly a: number; readonly b: number },
): void {
  const { length, ptr } = out;
  const name = kind === 'uniform' ? 'randomUniform' : 'randomNormal';
  if (isF32(out)) kernels[`${name}_f32`](k0, k1, first, length, a, b, out.ptr);
  else kernels[`${name}_f64`](k0, k1, first, length, a, b, ptr as Ticket<'f64'>['ptr']);
}

const isF32 = (ticket: Ticket<FloatType>): ticket is Ticket<'f32'> => ticket.dtype === 'f32';
