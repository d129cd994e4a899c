// E[phi phi'] and E[phi' phi'] over one hidden unit's weights, and draws of the Gaussian process of initial logits.
import { choleskyFactor } from '../../math/cholesky.js';
import { gemm } from '../../math/matmul.js';
import { foldIn, normal, randomKey } from '../../math/random.js';
import { NumericalError, type Core } from '../../wasm/engine.js';
import { slopeOf, type HiddenActivation } from './activation.js';
import { HiddenNet } from './hidden-net.js';
import { grams } from './hidden-probes.js';
import { drawWeights } from './hidden-start.js';

/** Expectations between `n` points, row-major `(n, n)`. */
export interface UnitKernels {
  readonly values: Float64Array;
  readonly slopes: Float64Array;
}

/** Points `(n, inputs)` and the law of the weights: standard deviation `gain / sqrt(inputs)`. */
export interface UnitLaw {
  readonly x: Float64Array;
  readonly inputs: number;
  readonly activation: HiddenActivation;
  readonly law: 'uniform' | 'normal';
  readonly gain: number;
}

/**
 * Leaky activations: closed form for Gaussian weights (Cho & Saul 2009, orders 0 and 1); uniform weights are taken as
 * Gaussian of the same variance. Other activations: `features` sampled units of the law itself.
 */
export function unitKernels(core: Core, law: UnitLaw, features: number, seed: number): UnitKernels {
  const slope = slopeOf(law.activation);
  return slope === null ? sampled(core, law, features, seed) : arcCosine(core, law, slope);
}

function arcCosine(core: Core, { x, inputs, gain }: UnitLaw, slope: number): UnitKernels {
  const n = x.length / inputs;
  return core.heap.scope((scope) => {
    const points = scope.put(Float64Array.from(x));
    const out = scope.alloc('f64', n * n);
    gemm(core, [points, points, out], [n, n, inputs], { transB: true, alpha: (gain * gain) / inputs });
    const c = core.heap.read(out);
    const norms = Float64Array.from({ length: n }, (_, i) => Math.sqrt(c[i * n + i]!));
    const cosines = c.map((value, at) => {
      const scale = norms[Math.floor(at / n)]! * norms[at % n]!;
      return scale === 0 ? 1 : Math.max(-1, Math.min(1, value / scale));
    });
    core.heap.write(out, cosines);
    core.kernels.acos_f64(n * n, out.ptr, out.ptr);
    const angles = core.heap.read(out);
    const [linear, cross, square] = [slope * slope, slope * (1 - slope), (1 - slope) * (1 - slope)];
    const values = new Float64Array(n * n);
    const slopes = new Float64Array(n * n);
    for (let at = 0; at < n * n; at++) {
      const cosine = cosines[at]!;
      const open = Math.PI - angles[at]!;
      const scale = norms[Math.floor(at / n)]! * norms[at % n]!;
      const relu = (scale * (Math.sqrt(Math.max(0, 1 - cosine * cosine)) + open * cosine)) / (2 * Math.PI);
      values[at] = (linear + cross) * scale * cosine + square * relu; // E[z relu(z')] = c / 2, twice
      slopes[at] = linear + cross + (square * open) / (2 * Math.PI);
    }
    return { values, slopes };
  });
}

function sampled(
  core: Core,
  { x, inputs, activation, law, gain }: UnitLaw,
  features: number,
  seed: number,
): UnitKernels {
  const region = core.heap.region();
  try {
    const n = x.length / inputs;
    const shape = { width: features, inputs, rows: n, dtype: 'f64', activation } as const;
    const net = new HiddenNet(core, region, shape);
    drawWeights(net, seed, law, gain);
    const { ka, kw } = grams(net, { x: region.put(Float64Array.from(x)), rows: n });
    return {
      values: ka.map((value) => value / features),
      slopes: kw.map((value) => value / (gain * gain)), // sum of a^2 is gain^2
    };
  } finally {
    region.dispose();
  }
}

/** A draw from N(0, covariance), through a Cholesky factor with as little jitter as it takes. */
export function gaussianDraw(core: Core, covariance: Float64Array, seed: number): Float64Array {
  const n = Math.round(Math.sqrt(covariance.length));
  const z = normal(core, foldIn(randomKey(seed), 'limit', 'start'), n);
  let trace = 0;
  for (let i = 0; i < n; i++) trace += covariance[i * n + i]!;
  for (let jitter = 1e-12; jitter < 1e-3; jitter *= 10) {
    const factor = core.heap.scope((scope) => {
      const a = scope.put(
        covariance.map((value, at) => (at % (n + 1) === 0 ? value + (jitter * trace) / n : value)),
      );
      return choleskyFactor(core, a, n) === -1 ? core.heap.read(a) : null;
    });
    if (factor) return lowerProduct(factor, z, n);
  }
  throw new NumericalError(
    'limitModel: the covariance of the initial logits is not positive definite. Check for NaN inputs.',
    {
      jitter: 1e-3,
    },
  );
}

function lowerProduct(lower: Float64Array, z: Float64Array, n: number): Float64Array {
  const out = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    let sum = 0;
    for (let j = 0; j <= i; j++) sum += lower[i * n + j]! * z[j]!;
    out[i] = sum;
  }
  return out;
}
