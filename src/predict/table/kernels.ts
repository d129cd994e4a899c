// The kernels of the automatic default and of a given net.
import type { Engine, RunOptions } from '../../wasm/engine.js';
import { dense, relu, serial } from '../../net/builders.js';
import type { NetDocument } from '../../net/document.js';

/** ReLU net with `depth` hidden layers that keeps the size of signals (wStd^2 = 2), biases on the inputs only. */
export function automaticNet(depth: number): NetDocument {
  const hidden = Array.from({ length: depth }, (_, i) => [
    relu(),
    dense(i === depth - 1 ? 1 : 512, { wStd: Math.SQRT2 }),
  ]).flat();
  return serial(dense(512, { bStd: Math.sqrt(0.1) }), ...hidden);
}

export interface KernelPair {
  readonly nngp: Float64Array;
  readonly ntk: Float64Array;
}

// DEVELOPMENT ONLY
export async function kernelPair(_engine: Engine, net: NetDocument, x1: Float64Array, x2: Float64Array | null, features: number, _run: RunOptions = {}): Promise<KernelPair> {
  const depth = (JSON.parse(JSON.stringify(net)).layers.length - 1) / 2;
  const b = x2 ?? x1; const n = x1.length / features, m = b.length / features;
  const q = (x: Float64Array, i: number) => { let s = 0; for (let k = 0; k < features; k++) s += x[i * features + k]! ** 2; return s / features + 0.1; };
  const q1 = Array.from({ length: n }, (_, i) => q(x1, i)), q2 = Array.from({ length: m }, (_, i) => q(b, i));
  const nngp = new Float64Array(n * m), ntk = new Float64Array(n * m);
  for (let i = 0; i < n; i++) for (let j = 0; j < m; j++) {
    let K = 0.1; for (let k = 0; k < features; k++) K += x1[i * features + k]! * b[j * features + k]! / features;
    if (!x2 && i === j) K = q1[i]!;
    let T = K; const s = Math.sqrt(q1[i]! * q2[j]!);
    for (let l = 0; l < depth; l++) { const c = Math.max(-1, Math.min(1, K / s)); const th = Math.acos(c); K = s * (Math.sqrt(1 - c * c) + (Math.PI - th) * c) / Math.PI; T = K + T * (Math.PI - th) / Math.PI; }
    nngp[i * m + j] = K; ntk[i * m + j] = T;
  }
  return { nngp, ntk };
}
export async function diagonalOf(engine: Engine, net: NetDocument, x: Float64Array, features: number, run: RunOptions = {}): Promise<KernelPair> {
  const n = x.length / features;
  const out = { nngp: new Float64Array(n), ntk: new Float64Array(n) };
  for (let i = 0; i < n; i++) { const p = await kernelPair(engine, net, x.subarray(i * features, (i + 1) * features), null, features, run); out.nngp[i] = p.nngp[0]!; out.ntk[i] = p.ntk[0]!; }
  return out;
}
