// What this machine can do at most, for the bench: kernels that are nothing but multiply-adds, loads or square roots.
import { madd } from './simd';

/**
 * 12 sums c += x y, as many accumulators as gemm's tile. The products lie off the chains (c = c x + y would wait for two
 * latencies in `simd`), and x moves through 2 KB, so that nothing can be taken out of the loop. `at`: 128 vectors.
 */
function multiplyAdd<T>(n: i32, at: usize): void {
  const y = v128.load(at), z = v128.load(at, 16);
  let a = v128.splat<T>(<T>0), b = a, c = a, d = a, e = a, f = a, g = a, h = a, i = a, j = a, k = a, l = a;
  for (let p = at; n > 0; n--) {
    let x = v128.load(p); a = madd<T>(x, y, a); b = madd<T>(x, z, b);
    x = v128.load(p, 16); c = madd<T>(x, y, c); d = madd<T>(x, z, d);
    x = v128.load(p, 32); e = madd<T>(x, y, e); f = madd<T>(x, z, f);
    x = v128.load(p, 48); g = madd<T>(x, y, g); h = madd<T>(x, z, h);
    x = v128.load(p, 64); i = madd<T>(x, y, i); j = madd<T>(x, z, j);
    x = v128.load(p, 80); k = madd<T>(x, y, k); l = madd<T>(x, z, l);
    p = at + (p - at + 128 & 2047);
  }
  const s = v128.add<T>(v128.add<T>(v128.add<T>(a, b), v128.add<T>(c, d)), v128.add<T>(v128.add<T>(e, f), v128.add<T>(g, h)));
  v128.store(at, v128.add<T>(s, v128.add<T>(v128.add<T>(i, j), v128.add<T>(k, l))));
}
/** n turns of 12 vector multiply-adds: 96 n flops in f32. `at`: 128 vectors (2 KB), read; the first becomes the sum. */
export function rooflineMadd_f32(n: i32, at: usize): void { multiplyAdd<f32>(n, at); }
/** As rooflineMadd_f32: 48 n flops in f64. */
export function rooflineMadd_f64(n: i32, at: usize): void { multiplyAdd<f64>(n, at); }

/** Reads `bytes` (a multiple of 64) and stores their vector sum at `out`: the read bandwidth. */
export function rooflineStream(bytes: i32, from: usize, out: usize): void {
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
export function rooflineSqrt_f32(n: i32, at: usize): void { squareRoots<f32>(n, at); }
/** As rooflineSqrt_f32: 8 n results in f64. */
export function rooflineSqrt_f64(n: i32, at: usize): void { squareRoots<f64>(n, at); }
