// A fully-connected net as plain arrays, with the passes that kernels and their time derivatives are made of:
// h^l = kappa_l a^{l-1} W^l + beta_l b^l, a^l = phi(h^l), f = h^L. Rows are samples.
import { gemm } from '../math/matmul.js';
import type { Core } from '../wasm/engine.js';

export interface DenseLayer {
  /** (in, out), row-major. */
  readonly w: Float64Array;
  /** (out), or null. */
  readonly b: Float64Array | null;
  readonly fanIn: number;
  readonly fanOut: number;
  /** Multiplies the weights: wStd/sqrt(fanIn) in `ntk` parametrisation. */
  readonly kappa: number;
  /** Multiplies the bias. */
  readonly beta: number;
}

/** phi and its derivatives, entrywise: `order` 0, 1 or 2. */
export type ActivationMap = (z: Float64Array, order: 0 | 1 | 2) => Float64Array;

export interface DenseNet {
  readonly layers: readonly DenseLayer[];
  readonly activation: ActivationMap;
}

/** What one forward and one backward pass leave behind, for n samples and o outputs. */
export interface DensePass {
  readonly n: number;
  readonly outputs: number;
  /** a^0 = x, a^1, ..., a^{L-1}: (n, fanIn of the next layer). */
  readonly a: readonly Float64Array[];
  /** phi'(h^l) and phi''(h^l) of the hidden layers l = 1..L-1. */
  readonly slope: readonly Float64Array[];
  readonly bend: readonly Float64Array[];
  /** f = h^L: (n, o). */
  readonly f: Float64Array;
  /** delta^l_i = d f_i / d h^l for l = 1..L: (o, n, fanOut of l). */
  readonly delta: readonly Float64Array[];
}

/** alpha op(A) op(B) for arrays in JS memory; `dims` = (m, n, k) of the product. */
export function product(
  core: Core,
  a: Float64Array<ArrayBuffer>,
  b: Float64Array<ArrayBuffer>,
  dims: readonly [number, number, number],
  options: { transA?: boolean; transB?: boolean; alpha?: number } = {},
): Float64Array<ArrayBuffer> {
  return core.heap.scope((scope) => {
    const c = scope.alloc('f64', dims[0] * dims[1]);
    gemm(core, scope.put(a), scope.put(b), c, dims, options);
    return core.heap.read(c);
  });
}

/** C += A, entry by entry. */
export function addTo(target: Float64Array, source: Float64Array, factor = 1): void {
  for (let i = 0; i < target.length; i++) target[i]! += factor * source[i]!;
}

/** A o B, entry by entry; `b` repeats along the rows of `a` when it is shorter. */
export function hadamard(a: Float64Array, b: Float64Array): Float64Array<ArrayBuffer> {
  return a.map((value, i) => value * b[i % b.length]!) as Float64Array<ArrayBuffer>;
}

/** One forward and one backward pass of every output. `x` is (n, fanIn of layer 1). */
export function densePass(core: Core, net: DenseNet, x: Float64Array, n: number): DensePass {
  const depth = net.layers.length;
  const a: Float64Array[] = [x];
  const slope: Float64Array[] = [];
  const bend: Float64Array[] = [];
  let h: Float64Array = x;
  for (const [l, layer] of net.layers.entries()) {
    h = product(
      core,
      a[l]! as Float64Array<ArrayBuffer>,
      layer.w as Float64Array<ArrayBuffer>,
      [n, layer.fanOut, layer.fanIn],
      { alpha: layer.kappa },
    );
    if (layer.b) for (let i = 0; i < h.length; i++) h[i]! += layer.beta * layer.b[i % layer.fanOut]!;
    if (l === depth - 1) break;
    a.push(net.activation(h, 0));
    slope.push(net.activation(h, 1));
    bend.push(net.activation(h, 2));
  }
  const outputs = net.layers[depth - 1]!.fanOut;
  const delta: Float64Array[] = new Array<Float64Array>(depth);
  delta[depth - 1] = unitCotangents(n, outputs);
  for (let l = depth - 2; l >= 0; l--)
    delta[l] = hadamard(backStep(core, net, delta[l + 1]!, l, n * outputs), slope[l]!);
  return { n, outputs, a, slope, bend, f: h, delta };
}

/** kappa_{l+1} D W^{l+1 T}: pulls `rows` cotangents back through layer l+1 (0-based l). */
export function backStep(
  core: Core,
  net: DenseNet,
  delta: Float64Array,
  l: number,
  rows: number,
): Float64Array<ArrayBuffer> {
  const { w, fanIn, fanOut, kappa } = net.layers[l + 1]!;
  return product(
    core,
    delta as Float64Array<ArrayBuffer>,
    w as Float64Array<ArrayBuffer>,
    [rows, fanIn, fanOut],
    { transB: true, alpha: kappa },
  );
}

/** delta^L: row (i, sample) is the unit vector of output i. */
function unitCotangents(n: number, outputs: number): Float64Array {
  const delta = new Float64Array(outputs * n * outputs);
  for (let i = 0; i < outputs; i++) for (let x = 0; x < n; x++) delta[(i * n + x) * outputs + i] = 1;
  return delta;
}

/** Parameter gradients of sum_p g_p f_p, as layers of the net's shape; `g` is (o, n). */
export function denseGradient(
  core: Core,
  net: DenseNet,
  pass: DensePass,
  g: Float64Array,
): { w: Float64Array; b: Float64Array | null }[] {
  const { n, outputs } = pass;
  return net.layers.map((layer, l) => {
    const cotangent = new Float64Array(n * layer.fanOut);
    for (let p = 0; p < outputs * n; p++) {
      const row = (p % n) * layer.fanOut;
      for (let c = 0; c < layer.fanOut; c++)
        cotangent[row + c]! += g[p]! * pass.delta[l]![p * layer.fanOut + c]!;
    }
    const w = product(
      core,
      pass.a[l]! as Float64Array<ArrayBuffer>,
      cotangent,
      [layer.fanIn, layer.fanOut, n],
      { transA: true, alpha: layer.kappa },
    );
    if (!layer.b) return { w, b: null };
    const b = new Float64Array(layer.fanOut);
    for (let i = 0; i < cotangent.length; i++) b[i % layer.fanOut]! += layer.beta * cotangent[i]!;
    return { w, b };
  });
}

/** theta + step * direction, as a new net. */
export function displaced(
  net: DenseNet,
  direction: readonly { w: Float64Array; b: Float64Array | null }[],
  step: number,
): DenseNet {
  const layers = net.layers.map((layer, l) => {
    const w = layer.w.slice();
    addTo(w, direction[l]!.w, step);
    const b = layer.b?.slice() ?? null;
    if (b) addTo(b, direction[l]!.b!, step);
    return { ...layer, w, b };
  });
  return { layers, activation: net.activation };
}
