// What this machine can do at most, for the bench: kernels that are nothing but multiply-adds, loads or square roots.
import { madd } from './simd';

/** 12 independent chains c = c x + y, as many accumulators as gemm's tile. `at`: 14 vectors, read, the first written. */
function multiplyAdd<T>(n: i32, at: usize): void {
  const x = v128.load(at, 192), y = v128.load(at, 208);
  let a = v128.load(at), b = v128.load(at, 16), c = v128.load(at, 32), d = v128.load(at, 48), e = v128.load(at, 64), f = v128.load(at, 80);
  let g = v128.load(at, 96), h = v128.load(at, 112), i = v128.load(at, 128), j = v128.load(at, 144), k = v128.load(at, 160), l = v128.load(at, 176);
  for (; n > 0; n--) {
    a = madd<T>(a, x, y); b = madd<T>(b, x, y); c = madd<T>(c, x, y); d = madd<T>(d, x, y);
    e = madd<T>(e, x, y); f = madd<T>(f, x, y); g = madd<T>(g, x, y); h = madd<T>(h, x, y);
    i = madd<T>(i, x, y); j = madd<T>(j, x, y); k = madd<T>(k, x, y); l = madd<T>(l, x, y);
  }
  const s = v128.add<T>(v128.add<T>(v128.add<T>(a, b), v128.add<T>(c, d)), v128.add<T>(v128.add<T>(e, f), v128.add<T>(g, h)));
  v128.store(at, v128.add<T>(s, v128.add<T>(v128.add<T>(i, j), v128.add<T>(k, l))));
}
/** n turns of 12 vector multiply-adds: 96 n flops in f32. `at`: 14 vectors; the first becomes the sum. */
export function roofline_madd_f32(n: i32, at: usize): void { multiplyAdd<f32>(n, at); }
/** As roofline_madd_f32: 48 n flops in f64. */
export function roofline_madd_f64(n: i32, at: usize): void { multiplyAdd<f64>(n, at); }

/** Reads `bytes` (a multiple of 64) and stores their vector sum at `out`: the read bandwidth. */
export function roofline_stream(bytes: i32, from: usize, out: usize): void {
  let a = v128.load(out), b = a, c = a, d = a;
  for (const end = from + <usize>bytes; from < end; from += 64) {
    a = v128.or(a, v128.load(from)); b = v128.or(b, v128.load(from, 16)); c = v128.or(c, v128.load(from, 32)); d = v128.or(d, v128.load(from, 48));
  }
  v128.store(out, v128.or(v128.or(a, b), v128.or(c, d)));
}

function squareRoots<T>(n: i32, at: usize): void {
  let a = v128.load(at), b = v128.load(at, 16), c = v128.load(at, 32), d = v128.load(at, 48);
  for (; n > 0; n--) { a = v128.sqrt<T>(a); b = v128.sqrt<T>(b); c = v128.sqrt<T>(c); d = v128.sqrt<T>(d); }
  v128.store(at, v128.add<T>(v128.add<T>(a, b), v128.add<T>(c, d)));
}
/** n turns of 4 independent vector square roots (16 n results in f32). `at`: 4 vectors, positive numbers. */
export function roofline_sqrt_f32(n: i32, at: usize): void { squareRoots<f32>(n, at); }
/** As roofline_sqrt_f32: 8 n results in f64. */
export function roofline_sqrt_f64(n: i32, at: usize): void { squareRoots<f64>(n, at); }
