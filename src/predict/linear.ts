import { type Allocator, type Core, type Ticket, type Engine, type RunOptions, NumericalError } from '../wasm/engine.js';
import { matmul } from '../math/matmul.js';
export interface Factor { readonly lower: Float64Array; readonly jitter: number; readonly size: number }
export interface Eigen { readonly values: Float64Array; readonly vectors: Float64Array }
export interface ProductOptions extends RunOptions { readonly transA?: boolean; readonly transB?: boolean }
/** op(A) op(B), row-major; `[m, n, k]` are those of the product. */
export async function product(engine: Engine, a: Float64Array, b: Float64Array, [m, n, k]: readonly [number, number, number], options: ProductOptions = {}): Promise<Float64Array> {
  const t = (x: Float64Array, r: number, c: number) => { const o = new Float64Array(x.length); for (let i = 0; i < r; i++) for (let j = 0; j < c; j++) o[j * r + i] = x[i * c + j]!; return o; };
  const A = options.transA ? t(a, k, m) : a; const B = options.transB ? t(b, n, k) : b;
  return (await matmul(engine, { data: A, shape: [m, k] }, { data: B, shape: [k, n] })).data as Float64Array;
}
export async function factorise(_e: Engine, a: Float64Array, n: number, _r: RunOptions = {}): Promise<Factor> {
  let jitter = 0; const mean = a.reduce((s, v, i) => s + (i % (n + 1) === 0 ? v : 0), 0) / n;
  for (;;) {
    const L = new Float64Array(n * n); let ok = true;
    for (let i = 0; i < n && ok; i++) for (let j = 0; j <= i; j++) { let s = a[i * n + j]! + (i === j ? jitter : 0); for (let k = 0; k < j; k++) s -= L[i * n + k]! * L[j * n + k]!; if (i === j) { if (!(s > 0)) { ok = false; break; } L[i * n + i] = Math.sqrt(s); } else L[i * n + j] = s / L[j * n + j]!; }
    if (ok) return { lower: L, jitter, size: n };
    jitter = jitter === 0 ? mean * 2 ** -50 : jitter * 2; if (jitter > mean * 1e-4) throw new NumericalError('cholesky failed', { jitter });
  }
}
/** L^-1 B (or L^-T B) for B (n, cols). */
export async function triangular(e: Engine, f: Factor, cross: Float64Array, rows: number, want: 'whole' | 'squares', _r: RunOptions = {}): Promise<Float64Array> {
  const n = f.size; const b = new Float64Array(cross.length); for (let i = 0; i < rows; i++) for (let j = 0; j < n; j++) b[j * rows + i] = cross[i * n + j]!;
  const w = await tri(e, f, b, rows); if (want === 'whole') return w;
  const out = new Float64Array(rows); for (let j = 0; j < n; j++) for (let i = 0; i < rows; i++) out[i]! += w[j * rows + i]! ** 2; return out;
}
export function crossDiagonal(a: Float64Array, b: Float64Array, rows: number, n: number, transB = false): Float64Array {
  const out = new Float64Array(rows);
  for (let i = 0; i < rows; i++) { let s = 0; for (let k = 0; k < n; k++) s += a[i * n + k]! * (transB ? b[i * n + k]! : b[k * rows + i]!); out[i] = s; }
  return out;
}
async function tri(_e: Engine, f: Factor, b: Float64Array, cols: number, transposed = false): Promise<Float64Array> {
  const n = f.size; const L = f.lower; const x = b.slice();
  for (let c = 0; c < cols; c++) if (!transposed) for (let i = 0; i < n; i++) { let s = x[i * cols + c]!; for (let k = 0; k < i; k++) s -= L[i * n + k]! * x[k * cols + c]!; x[i * cols + c] = s / L[i * n + i]!; }
  else for (let i = n - 1; i >= 0; i--) { let s = x[i * cols + c]!; for (let k = i + 1; k < n; k++) s -= L[k * n + i]! * x[k * cols + c]!; x[i * cols + c] = s / L[i * n + i]!; }
  return x;
}
export async function solve(e: Engine, f: Factor, b: Float64Array, cols: number, _r: RunOptions = {}): Promise<Float64Array> { return tri(e, f, await tri(e, f, b, cols), cols, true); }
export async function eigen(_e: Engine, a: Float64Array, n: number, _r: RunOptions = {}): Promise<Eigen> {
  const A = a.slice(); const V = new Float64Array(n * n); for (let i = 0; i < n; i++) V[i * n + i] = 1;
  for (let sweep = 0; sweep < 60; sweep++) { let off = 0;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) { const apq = A[p * n + q]!; off += apq * apq; if (Math.abs(apq) < 1e-300) continue; const th = (A[q * n + q]! - A[p * n + p]!) / (2 * apq); const t = (th >= 0 ? 1 : -1) / (Math.abs(th) + Math.sqrt(th * th + 1)); const c = 1 / Math.sqrt(t * t + 1), s = t * c;
      for (let k = 0; k < n; k++) { const x = A[k * n + p]!, y = A[k * n + q]!; A[k * n + p] = c * x - s * y; A[k * n + q] = s * x + c * y; }
      for (let k = 0; k < n; k++) { const x = A[p * n + k]!, y = A[q * n + k]!; A[p * n + k] = c * x - s * y; A[q * n + k] = s * x + c * y; }
      for (let k = 0; k < n; k++) { const x = V[k * n + p]!, y = V[k * n + q]!; V[k * n + p] = c * x - s * y; V[k * n + q] = s * x + c * y; } }
    if (off < 1e-40) break; }
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => A[i * n + i]! - A[j * n + j]!);
  const values = Float64Array.from(order, (i) => A[i * n + i]!); const vectors = new Float64Array(n * n);
  order.forEach((from, to) => { for (let k = 0; k < n; k++) vectors[k * n + to] = V[k * n + from]!; });
  return { values, vectors };
}
/** A copy in wasm memory, of an array that may sit on any buffer. */
export function stage(place: Allocator, core: Core, array: Float64Array): Ticket<'f64'> {
  const ticket = place.alloc('f64', array.length);
  core.heap.write(ticket, array);
  return ticket;
}
