import { UnsupportedError } from './errors.js';

/** The two builds of the same kernels: `simd` gives equal bits everywhere, `relaxed` uses fused multiply-add. */
export type Variant = 'simd' | 'relaxed';

const HEADER = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 5, 1, 0x60, 0, 1, 0x7b, 3, 2, 1, 0, 10];
// (func (result v128) (i32x4.splat (i32.const 0)))
const SIMD = [...HEADER, 8, 1, 6, 0, 0x41, 0, 0xfd, 0x11, 0x0b];
// (func (result v128) (f32x4.relaxed_madd x x x)), each x = (i32x4.splat (i32.const 0))
const SPLAT = [0x41, 0, 0xfd, 0x11];
const RELAXED = [...HEADER, 19, 1, 17, 0, ...SPLAT, ...SPLAT, ...SPLAT, 0xfd, 0x85, 0x02, 0x0b];

const probe = (bytes: readonly number[]): boolean =>
  typeof WebAssembly === 'object' && WebAssembly.validate(Uint8Array.from(bytes));

/** Which variants this runtime can load. */
export function supportedVariants(): Variant[] {
  if (!probe(SIMD)) return [];
  return probe(RELAXED) ? ['simd', 'relaxed'] : ['simd'];
}

/** Resolves `auto` to the fastest variant here; throws `UnsupportedError` when the wish cannot be met. */
export function chooseVariant(wish: Variant | 'auto'): Variant {
  const have = supportedVariants();
  const best = have.at(-1);
  if (!best)
    throw new UnsupportedError('WebAssembly SIMD', 'Use Node >= 20.19 or a browser from 2021 or later.');
  if (wish === 'auto') return best;
  if (!have.includes(wish)) {
    throw new UnsupportedError(
      'WebAssembly relaxed SIMD',
      "Use variant 'simd', or Node >= 22 or a current browser.",
    );
  }
  return wish;
}
