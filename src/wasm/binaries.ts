// The kernels as they ship: unpacked and compiled on the calling thread only. Workers are sent the compiled module, so their
// files hold no dynamic import, which some bundlers refuse there.
import { unpackInlined } from '../platform/inlined.js';
import { chooseVariant, type Variant } from './features.js';

/** The module of a variant; it is fetched only here. Needs no support of the variant on this runtime. */
export async function kernelBytes(variant: Variant): Promise<Uint8Array<ArrayBuffer>> {
  const { default: base64 } = await import('./binary.js');
  const bytes = await unpackInlined(base64);
  // Both variants, slice by slice (`.ci/build.mjs` says why), behind their lengths and the number of slices.
  const head = new DataView(bytes.buffer);
  const lengths = [head.getUint32(0, true), head.getUint32(4, true)];
  const slices = head.getUint32(8, true);
  const wanted = variant === 'simd' ? 0 : 1;
  const module = new Uint8Array(lengths[wanted]!);
  let from = 12;
  for (let i = 0; i < slices; i++) {
    for (const [which, length] of lengths.entries()) {
      const start = Math.floor((length * i) / slices);
      const end = from + Math.floor((length * (i + 1)) / slices) - start;
      if (which === wanted) module.set(bytes.subarray(from, end), start);
      from = end;
    }
  }
  return module;
}

/** Compiles the chosen variant. `simd` and `relaxed` have the same exports. */
export async function compileKernels(
  wish: Variant | 'auto',
): Promise<{ variant: Variant; module: WebAssembly.Module }> {
  const variant = chooseVariant(wish);
  return { variant, module: await WebAssembly.compile(await kernelBytes(variant)) };
}
