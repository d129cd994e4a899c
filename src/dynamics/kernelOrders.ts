// The tangent kernel and its time derivatives for dense nets: Theta, O3 (what moves Theta) and O4 (what moves O3).
// Function rows p = (output i, sample x), P = o*n of them. Dyer & Gur-Ari (2020), Huang & Yau (2020).
import type { Core } from '../wasm/engine.js';
import {
  addTo,
  backStep,
  denseGradient,
  densePass,
  displaced,
  hadamard,
  product,
  type DenseNet,
  type DensePass,
} from './denseNet.js';

type Matrix = Float64Array<ArrayBuffer>;

interface Grams {
  /** G^l(x, x') = kappa_l^2 a^{l-1}.a'^{l-1} + beta_l^2: (n, n) per layer. */
  readonly inner: readonly Matrix[];
  /** D^l[p, q] = delta^l_p . delta^l_q: (P, P) per layer. */
  readonly outer: readonly Matrix[];
}

function grams(core: Core, net: DenseNet, pass: DensePass): Grams {
  const { n, outputs } = pass;
  const rows = n * outputs;
  const inner = net.layers.map((layer, l) => {
    const a = pass.a[l]! as Matrix;
    const g = product(core, a, a, [n, n, layer.fanIn], { transB: true, alpha: layer.kappa ** 2 });
    return layer.b ? g.map((value) => value + layer.beta ** 2) : g;
  });
  const outer = net.layers.map((layer, l) => {
    const delta = pass.delta[l]! as Matrix;
    return product(core, delta, delta, [rows, rows, layer.fanOut], { transB: true });
  });
  return { inner, outer };
}

/** Theta[p, p'] = sum_l D^l[p, p'] G^l(x, x'): (P, P). */
export function tangentKernel(core: Core, net: DenseNet, pass: DensePass): Matrix {
  const { inner, outer } = grams(core, net, pass);
  const rows = pass.n * pass.outputs;
  const theta = new Float64Array(rows * rows);
  for (let l = 0; l < inner.length; l++) {
    for (let p = 0; p < rows; p++)
      for (let q = 0; q < rows; q++)
        theta[p * rows + q]! += outer[l]![p * rows + q]! * inner[l]![(p % pass.n) * pass.n + (q % pass.n)]!;
  }
  return theta;
}

/**
 * O3[p, p', q] = grad Theta[p, p'] . grad f_q: (P, P, P), exact; gradient flow moves Theta by
 * dTheta/dt = -sum_q O3[., ., q] dL/df_q. One tangent pass per q through forward and backward pass; phi'' enters, so
 * for kinked activations the (measure-zero) motion of the kinks is left out.
 */
export function thirdOrder(core: Core, net: DenseNet, pass: DensePass): Matrix {
  const rows = pass.n * pass.outputs;
  const shared = grams(core, net, pass);
  // r^l = kappa_{l+1} delta^{l+1} W^{l+1 T}: the cotangent of a^l, the same for every direction q
  const pulled = pass.slope.map((_, l) => backStep(core, net, pass.delta[l + 1]!, l, rows));
  const o3 = new Float64Array(rows ** 3);
  for (let q = 0; q < rows; q++) {
    const slice = directionSlice(core, net, pass, shared, pulled, q);
    for (let pp = 0; pp < rows * rows; pp++) o3[pp * rows + q] = slice[pp]!;
  }
  return o3;
}

/** O3[., ., q]: (P, P). */
function directionSlice(
  core: Core,
  net: DenseNet,
  pass: DensePass,
  { inner, outer }: Grams,
  pulled: readonly Matrix[],
  q: number,
): Matrix {
  const { n, outputs, a } = pass;
  const rows = n * outputs;
  const z = q % n;
  const depth = net.layers.length;
  // forward tangents of h and a along grad f_q
  const aDot: Matrix[] = [new Float64Array(a[0]!.length)];
  const hDot: Matrix[] = [];
  for (let l = 0; l < depth - 1; l++) {
    const { fanIn, fanOut, w, kappa } = net.layers[l]!;
    const dot = product(core, aDot[l]!, w as Matrix, [n, fanOut, fanIn], { alpha: kappa });
    const delta = pass.delta[l]!;
    for (let x = 0; x < n; x++)
      for (let c = 0; c < fanOut; c++) dot[x * fanOut + c]! += inner[l]![x * n + z]! * delta[q * fanOut + c]!;
    hDot.push(dot);
    aDot.push(hadamard(dot, pass.slope[l]!));
  }
  // backward tangents of delta
  const deltaDot: Matrix[] = new Array<Matrix>(depth);
  deltaDot[depth - 1] = new Float64Array(rows * outputs);
  for (let l = depth - 2; l >= 0; l--) {
    const width = net.layers[l]!.fanOut;
    const next = net.layers[l + 1]!;
    const moved = backStep(core, net, deltaDot[l + 1]!, l, rows);
    for (let p = 0; p < rows; p++) {
      const weight = next.kappa ** 2 * outer[l + 1]![p * rows + q]!;
      for (let c = 0; c < width; c++) moved[p * width + c]! += weight * a[l + 1]![z * width + c]!;
    }
    const bent = hadamard(pulled[l]!, hadamard(pass.bend[l]!, hDot[l]!));
    deltaDot[l] = hadamard(moved, pass.slope[l]!);
    addTo(deltaDot[l]!, bent);
  }
  return assemble(core, net, pass, { inner, outer }, aDot, deltaDot);
}

/** sum_l sym[(deltaDot_p . delta_p') G] + D kappa^2 sym[aDot(x) . a(x')]. */
function assemble(
  core: Core,
  net: DenseNet,
  pass: DensePass,
  { inner, outer }: Grams,
  aDot: readonly Matrix[],
  deltaDot: readonly Matrix[],
): Matrix {
  const { n, outputs } = pass;
  const rows = n * outputs;
  const slice = new Float64Array(rows * rows);
  for (const [l, layer] of net.layers.entries()) {
    const left = product(core, deltaDot[l]!, pass.delta[l]! as Matrix, [rows, rows, layer.fanOut], {
      transB: true,
    });
    const right = product(core, aDot[l]!, pass.a[l]! as Matrix, [n, n, layer.fanIn], {
      transB: true,
      alpha: layer.kappa ** 2,
    });
    for (let p = 0; p < rows; p++) {
      for (let r = 0; r < rows; r++) {
        const x = p % n;
        const y = r % n;
        slice[p * rows + r]! +=
          (left[p * rows + r]! + left[r * rows + p]!) * inner[l]![x * n + y]! +
          outer[l]![p * rows + r]! * (right[x * n + y]! + right[y * n + x]!);
      }
    }
  }
  return slice;
}

/**
 * O4[p, p', q, s] = grad O3[p, p', q] . grad f_s: (P, P, P, P), by five-point differences of the exact O3 along
 * grad f_s. The step is `relative` times |theta| / |grad f_s|; the error is O(relative^4).
 */
export function fourthOrder(core: Core, net: DenseNet, x: Float64Array, n: number, relative = 1e-3): Matrix {
  const pass = densePass(core, net, x, n);
  const rows = n * pass.outputs;
  const size = norm(net.layers.flatMap((layer) => (layer.b ? [layer.w, layer.b] : [layer.w])));
  const o4 = new Float64Array(rows ** 4);
  for (let s = 0; s < rows; s++) {
    const unit = new Float64Array(rows);
    unit[s] = 1;
    const direction = denseGradient(core, net, pass, unit);
    const length = norm(direction.flatMap(({ w, b }) => (b ? [w, b] : [w])));
    if (length === 0) continue; // f_s does not depend on the parameters: nothing moves along it
    const step = (relative * size) / length;
    for (const [by, weight] of FIVE_POINTS) {
      const moved = displaced(net, direction, by * step);
      const o3 = thirdOrder(core, moved, densePass(core, moved, x, n));
      for (let i = 0; i < o3.length; i++) o4[i * rows + s]! += (weight / step) * o3[i]!;
    }
  }
  return o4;
}

/** Offsets and weights of a first derivative with an error of fourth order. */
const FIVE_POINTS = [
  [-2, 1 / 12],
  [-1, -2 / 3],
  [1, 2 / 3],
  [2, -1 / 12],
] as const;

function norm(arrays: readonly Float64Array[]): number {
  let sum = 0;
  for (const array of arrays) for (const value of array) sum += value * value;
  return Math.sqrt(sum);
}
