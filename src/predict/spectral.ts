// Training dynamics of one eigenmode of the kernel. With x = learningRate * lambda / N the residual of the mode is
// e(t) times the initial one; h(t) = (1 - e(t)) / x, so that learningRate / N * h is what a test point sees.
// Sources: Lee et al. 2019 (1902.06720) eq. 10; heavy ball: Polyak 1964.
import { cos, exp, expm1, log, log1p, sin } from '../math/elementary.js';
import { NumericalError } from '../wasm/engine.js';

export interface Dynamics {
  /** Gradient flow, or exactly the steps of gradient descent (t counts them). */
  readonly mode: 'flow' | 'discrete';
  readonly learningRate: number;
  /** Heavy-ball momentum in [0, 1), or null: plain descent. In a flow, null and 0 are different equations. */
  readonly momentum: number | null;
}

export interface ModeFactors {
  /** What is left of the residual. */
  readonly residual: number;
  /** (1 - residual) / x. */
  readonly integral: number;
}

/** The factors of a mode with x = learningRate * lambda / N >= 0 at time t (steps; Infinity allowed for x > 0). */
export function modeFactors({ mode, momentum }: Dynamics, x: number, t: number): ModeFactors {
  if (t === 0) return { residual: 1, integral: 0 };
  if (mode === 'discrete') return momentum ? heavyBall(x, momentum, t) : steps(x, t);
  if (t === Infinity) return { residual: 0, integral: 1 / x };
  return momentum === null ? decay(x * t, t) : oscillator(x, 1 - momentum, t);
}

/** The largest x for which the mode does not grow. */
export function stabilityLimit({ mode, momentum }: Dynamics): number {
  return mode === 'discrete' ? 2 * (1 + (momentum ?? 0)) : Infinity;
}

/** (1 - e^-z) / z, 1 at 0. */
export function relativeDecay(z: number): number {
  if (z < 1e-5) return 1 - z * (0.5 - z * (1 / 6));
  return z > 745 ? 1 / z : -expm1(-z) / z;
}

function decay(z: number, t: number): ModeFactors {
  return { residual: exp(-Math.min(z, 745.2)) * (z > 745.2 ? 0 : 1), integral: t * relativeDecay(z) };
}

/** r_{k+1} = (1 - x) r_k. */
function steps(x: number, t: number): ModeFactors {
  if (t === Infinity) return { residual: 0, integral: 1 / x };
  if (x < 1) {
    const l = -log1p(-x);
    const ratio = x < 1e-6 ? 1 + x * (0.5 + x / 3) : l / x;
    return { residual: exp(-Math.min(t * l, 745.2)), integral: t * ratio * relativeDecay(t * l) };
  }
  const size = x === 1 ? 0 : exp(Math.min(t * log(x - 1), 709));
  const residual = t % 2 === 0 ? size : -size;
  return { residual, integral: (1 - residual) / x };
}

/** r_{k+1} = (1 + b - x) r_k - b r_{k-1} for the pair (h_k, h_{k-1}), as a power of an affine map: log2(t) squarings. */
function heavyBall(x: number, b: number, t: number): ModeFactors {
  if (t === Infinity) return { residual: 0, integral: 1 / x };
  // h_{k+1} = (1 + b - x) h_k - b h_{k-1} + 1 from h_0 = h_{-1} = 0; matrix [[p, q], [r, s]] and offset (u, v).
  let base = [1 + b - x, -b, 1, 0, 1, 0];
  let total = [1, 0, 0, 1, 0, 0];
  for (let k = t; k > 0; k = Math.floor(k / 2)) {
    if (k % 2 === 1) total = compose(base, total);
    base = compose(base, base);
  }
  const integral = total[4]!;
  return { residual: 1 - x * integral, integral };
}

/** The affine map `a` after `c`. */
function compose(a: readonly number[], c: readonly number[]): number[] {
  const [p, q, r, s, u, v] = a as [number, number, number, number, number, number];
  const [P, Q, R, S, U, V] = c as [number, number, number, number, number, number];
  return [p * P + q * R, p * Q + q * S, r * P + s * R, r * Q + s * S, p * U + q * V + u, r * U + s * V + v];
}

/** f'' = -c f' - x f from f = 1, f' = 0: the limit of heavy ball for small steps (time in steps, c = 1 - momentum). */
function oscillator(x: number, c: number, t: number): ModeFactors {
  const half = c / 2;
  const disc = half * half - x;
  let residual: number;
  if (disc > 0) {
    const root = Math.sqrt(disc);
    const slow = x / (half + root);
    const gap = 2 * root * t;
    const sinhc = gap < 1e-8 ? t : -expm1(-Math.min(gap, 745)) / (2 * root);
    residual = exp(-Math.min(slow * t, 745)) * ((1 + exp(-Math.min(gap, 745))) / 2 + half * sinhc);
  } else {
    const root = Math.sqrt(-disc);
    const phase = root * t;
    const sinc = phase < 1e-8 ? t : sin(phase) / root;
    residual = exp(-Math.min(half * t, 745)) * (cos(phase) + half * sinc);
  }
  if (Math.abs(1 - residual) > 0.1) return { residual, integral: (1 - residual) / x };
  if (c * t < 1 && x * t * t < 1) {
    const integral = series(x, c, t);
    return { residual: 1 - x * integral, integral };
  }
  if (disc > 0) {
    const root = Math.sqrt(disc);
    const slow = x / (half + root);
    const fast = half + root;
    const integral = (t * (relativeDecay(slow * t) - relativeDecay(fast * t))) / (2 * root);
    return { residual: 1 - x * integral, integral };
  }
  return { residual, integral: (1 - residual) / x };
}

/** h'' = 1 - c h' - x h as a power series. */
function series(x: number, c: number, t: number): number {
  let before = 0;
  let term = (t * t) / 2;
  let sum = term;
  for (let k = 2; k < 40 && Math.abs(term) > 1e-18 * sum; k++) {
    const next = (-c * t * k * term - x * t * t * before) / ((k + 1) * k);
    before = term;
    term = next;
    sum += term;
  }
  return sum;
}

/** Spectral factors of a kernel: `g` with M^-1 (I - E) = V g V', in units of the (scaled) eigenvalues. */
export interface SpectralFactors {
  readonly residual: Float64Array;
  readonly g: Float64Array;
}

/**
 * Factors of all eigenvalues at one time. Modes at or below `cutoff` are rounding noise of 0 and never learn: their residual
 * stays and g = 0, so that long times reach the limit at t = Infinity (the pseudo-inverse). `size` is N, the number of target entries times
 * the scale of the eigenvalues.
 */
export function spectralFactors(
  values: Float64Array,
  cutoff: number,
  dynamics: Dynamics,
  size: number,
  t: number,
): SpectralFactors {
  const residual = new Float64Array(values.length);
  const g = new Float64Array(values.length);
  const rate = dynamics.learningRate / size;
  const limit = stabilityLimit(dynamics);
  const forever = t === Infinity || rate * t === Infinity;
  for (let i = 0; i < values.length; i++) {
    const lambda = values[i]!;
    const x = lambda * rate;
    if (!(lambda > cutoff)) {
      residual[i] = 1;
      continue;
    }
    if (forever) {
      if (x >= limit) throw diverges(x, limit, Infinity);
      g[i] = 1 / lambda;
      continue;
    }
    const factors = modeFactors(dynamics, x, t);
    if (!(Math.abs(factors.residual) < 1e150) || !Number.isFinite(factors.integral))
      throw diverges(x, limit, t);
    residual[i] = factors.residual;
    g[i] = factors.integral * rate;
  }
  return { residual, g };
}

function diverges(x: number, limit: number, t: number): NumericalError {
  return new NumericalError(
    `gradient descent diverges: learningRate * lambda / N = ${x.toPrecision(6)} exceeds ${limit} at t = ${t}. Use a learning rate below maxLearningRate(engine, ntk, ...).`,
    { step: t },
  );
}
