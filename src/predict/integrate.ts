// Adaptive integrators for y' = f(y): Dormand-Prince 5(4), and for stiff problems with real negative spectrum the
// stabilised explicit Runge-Kutta-Chebyshev method of order 2 (Sommeijer, Shampine & Verwer 1998, "RKC").
import { exp, log } from '../math/elementary.js';
import { NumericalError } from '../wasm/engine.js';

export type Derivative = (y: Float64Array, out: Float64Array) => void;

export interface IntegrateOptions {
  readonly rtol: number;
  readonly atol: number;
  readonly maxSteps: number;
  /** Bound of the spectral radius of df/dy near y; with it, stiffness switches to RKC. Absent: Dormand-Prince only. */
  readonly spectralRadius?: ((y: Float64Array) => number) | undefined;
  readonly onStep?: ((t: number) => void) | undefined;
}

/** What the integrator did. */
export interface IntegrateReport {
  readonly steps: number;
  readonly rejected: number;
  readonly evaluations: number;
  readonly method: 'dormand-prince' | 'dormand-prince, then runge-kutta-chebyshev';
}

const A: readonly (readonly number[])[] = [
  [],
  [1 / 5],
  [3 / 40, 9 / 40],
  [44 / 45, -56 / 15, 32 / 9],
  [19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729],
  [9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656],
  [35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84],
];
const E: readonly number[] = [71 / 57600, 0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40];

/** Stages of one step of RKC at most, so that a step does not take for ever; it then is shorter. */
const MOST_STAGES = 400;
/** Evaluations of the derivative per step allowed, on the average: a step of Dormand-Prince takes 6. */
const EVALUATIONS_PER_STEP = 10;

/**
 * Integrates from t = 0 through the increasing `times`; `visit(i, y)` sees the state at each. Changes `y`. It yields
 * between steps. NumericalError after `maxSteps` steps, or ten times as many evaluations.
 */
export function* integrate(
  derivative: Derivative,
  y: Float64Array,
  times: ArrayLike<number>,
  options: IntegrateOptions,
  visit: (index: number, y: Float64Array) => void,
): Generator<void, IntegrateReport> {
  const run = new Integration(derivative, y, options);
  for (let i = 0; i < times.length; i++) {
    yield* run.advance(times[i]!);
    visit(i, y);
  }
  return run.report();
}

class Integration {
  readonly #f: Derivative;
  readonly #y: Float64Array;
  readonly #options: IntegrateOptions;
  readonly #k: Float64Array[];
  readonly #trial: Float64Array;
  readonly #slope: Float64Array; // f at y
  #t = 0;
  #h = 0;
  #steps = 0;
  #rejected = 0;
  #evaluations = 0;
  #stiffness = 0;
  #stiff = false;
  #radius = 0;

  constructor(f: Derivative, y: Float64Array, options: IntegrateOptions) {
    this.#f = f;
    this.#y = y;
    this.#options = options;
    this.#k = Array.from({ length: 7 }, () => new Float64Array(y.length));
    this.#trial = new Float64Array(y.length);
    this.#slope = this.#k[0]!;
    this.#eval(y, this.#slope);
  }

  report(): IntegrateReport {
    return {
      steps: this.#steps,
      rejected: this.#rejected,
      evaluations: this.#evaluations,
      method: this.#stiff ? 'dormand-prince, then runge-kutta-chebyshev' : 'dormand-prince',
    };
  }

  *advance(end: number): Generator<void, void> {
    if (this.#h === 0) this.#h = this.#firstStep();
    while (this.#t < end) {
      yield;
      const { maxSteps } = this.#options;
      const made = this.#steps + this.#rejected;
      if (made >= maxSteps || this.#evaluations >= EVALUATIONS_PER_STEP * maxSteps) {
        throw new NumericalError(
          `gradientFlow: ${made} steps with ${this.#evaluations} evaluations reached only t = ${this.#t.toPrecision(6)} of ${end}. Raise maxSteps, relax rtol and atol, ask for earlier times, or lower the learning rate.`,
          { step: this.#t },
        );
      }
      if (this.#stiff) this.#limitStep();
      const left = end - this.#t;
      const last = this.#h >= left * (1 - 1e-12);
      const h = last ? left : Math.min(this.#h, left / 2);
      const error = this.#stiff ? this.#chebyshev(h) : this.#dormandPrince(h);
      const order = this.#stiff ? 3 : 5;
      const factor = Math.min(5, Math.max(0.2, 0.9 * root(error, order)));
      if (error <= 1) {
        this.#steps++;
        this.#t = last ? end : this.#t + h;
        if (!last || factor < 1) this.#h = h * factor;
        else this.#h = Math.max(this.#h, h * factor);
        this.#options.onStep?.(this.#t);
      } else {
        this.#rejected++;
        this.#h = h * (Number.isFinite(error) ? factor : 0.1);
      }
      if (!(this.#h > 1e-14 * this.#t) || this.#h === 0) {
        throw new NumericalError(
          `gradientFlow: the step size underflowed at t = ${this.#t.toPrecision(6)}; the outputs grow without bound. Lower the learning rate or scale the kernel.`,
          { step: this.#t },
        );
      }
    }
  }

  /** The bound at the state where a step begins, and the longest step it allows. */
  #limitStep(): void {
    // The bound may grow within the step: twice as much is taken. A step that is unstable all the same is rejected.
    this.#radius = 2 * this.#options.spectralRadius!(this.#y);
    this.#h = Math.min(this.#h, ((MOST_STAGES - 1) ** 2 - 1) / (1.54 * this.#radius));
  }

  #eval(y: Float64Array, out: Float64Array): void {
    this.#f(y, out);
    this.#evaluations++;
  }

  /** Weighted root mean square; 1 is the tolerance. */
  #norm(error: Float64Array, next: Float64Array): number {
    const { rtol, atol } = this.#options;
    let sum = 0;
    for (let i = 0; i < error.length; i++) {
      const scale = atol + rtol * Math.max(Math.abs(this.#y[i]!), Math.abs(next[i]!));
      const ratio = error[i]! / scale;
      sum += ratio * ratio;
    }
    return Math.sqrt(sum / error.length);
  }

  #firstStep(): number {
    const size = this.#norm(this.#y, this.#y);
    const speed = this.#norm(this.#slope, this.#y);
    if (speed === 0) return 1;
    const guess = size > 1e-5 && speed > 1e-5 ? (0.01 * size) / speed : 1e-6;
    const limit = 1 / (this.#options.spectralRadius?.(this.#y) ?? 0);
    return Math.min(guess, limit, 1e300) || 1e-300;
  }

  #dormandPrince(h: number): number {
    const y = this.#y;
    const k = this.#k;
    const trial = this.#trial;
    const before = new Float64Array(0);
    let sixth = before;
    for (let stage = 1; stage < 7; stage++) {
      trial.set(y);
      for (const [j, a] of A[stage]!.entries()) if (a !== 0) addScaled(trial, h * a, k[j]!);
      if (stage === 5) sixth = trial.slice();
      this.#eval(trial, k[stage]!);
    }
    const error = new Float64Array(y.length);
    for (const [j, e] of E.entries()) if (e !== 0) addScaled(error, h * e, k[j]!);
    const norm = this.#norm(error, trial);
    if (norm <= 1) {
      this.#watchStiffness(h, sixth, trial);
      y.set(trial);
      this.#slope.set(k[6]!);
    }
    return norm;
  }

  /** Hairer & Wanner II, IV.2: h times a Rayleigh-like estimate of the dominant eigenvalue stays at the stability edge. */
  #watchStiffness(h: number, sixth: Float64Array, next: Float64Array): void {
    if (this.#options.spectralRadius === undefined) return;
    let slope = 0;
    let space = 0;
    const [k6, k7] = [this.#k[5]!, this.#k[6]!];
    for (let i = 0; i < next.length; i++) {
      slope += (k7[i]! - k6[i]!) ** 2;
      space += (next[i]! - sixth[i]!) ** 2;
    }
    const product = space > 0 ? h * Math.sqrt(slope / space) : 0;
    this.#stiffness = product > 2.5 ? this.#stiffness + 1 : Math.max(0, this.#stiffness - 1);
    if (this.#stiffness >= 25) this.#stiff = true;
  }

  #chebyshev(h: number): number {
    const y = this.#y;
    const f0 = this.#slope;
    const stages = 1 + Math.floor(Math.sqrt(1 + 1.54 * h * this.#radius));
    const s = Math.max(2, stages);
    const { w1, b, mu, nu, tilde, gamma } = chebyshevCoefficients(s);
    const [fj, spare, one, two] = [this.#k[1]!, this.#k[2]!, this.#k[3]!, this.#k[4]!];
    let before: Float64Array = y.slice();
    let now: Float64Array = one;
    now.set(y);
    addScaled(now, h * b * w1, f0);
    let next: Float64Array = two;
    for (let j = 2; j <= s; j++) {
      this.#eval(now, fj);
      const [m, v, t, g] = [mu[j]!, nu[j]!, tilde[j]! * h, gamma[j]! * h];
      for (let i = 0; i < y.length; i++) {
        next[i] = (1 - m - v) * y[i]! + m * now[i]! + v * before[i]! + t * fj[i]! + g * f0[i]!;
      }
      [before, now, next] = [now, next, j === 2 ? this.#k[5]! : before];
    }
    this.#eval(now, fj);
    for (let i = 0; i < y.length; i++) spare[i] = 0.8 * (y[i]! - now[i]!) + 0.4 * h * (f0[i]! + fj[i]!);
    const norm = this.#norm(spare, now);
    if (norm <= 1) {
      y.set(now);
      this.#slope.set(fj);
    }
    return norm;
  }
}

interface Chebyshev {
  readonly w1: number;
  /** b_1, so that the first stage is y + b w1 h f. */
  readonly b: number;
  readonly mu: number[];
  readonly nu: number[];
  readonly tilde: number[];
  readonly gamma: number[];
}

const cache = new Map<number, Chebyshev>();

function chebyshevCoefficients(s: number): Chebyshev {
  const known = cache.get(s);
  if (known) return known;
  const w0 = 1 + 2 / 13 / (s * s);
  const [t, d, dd] = [
    [1, w0],
    [0, 1],
    [0, 0],
  ];
  for (let j = 2; j <= s; j++) {
    t![j] = 2 * w0 * t![j - 1]! - t![j - 2]!;
    d![j] = 2 * w0 * d![j - 1]! - d![j - 2]! + 2 * t![j - 1]!;
    dd![j] = 2 * w0 * dd![j - 1]! - dd![j - 2]! + 4 * d![j - 1]!;
  }
  const w1 = d![s]! / dd![s]!;
  const b = t!.map((_, j) => (j < 2 ? 0 : dd![j]! / (d![j]! * d![j]!)));
  b[0] = b[2]!;
  b[1] = 1 / w0;
  const blank = (): number[] => Array.from({ length: s + 1 }, () => 0);
  const result: Chebyshev = { w1, b: b[1], mu: blank(), nu: blank(), tilde: blank(), gamma: blank() };
  for (let j = 2; j <= s; j++) {
    result.mu[j] = (2 * b[j]! * w0) / b[j - 1]!;
    result.nu[j] = -b[j]! / b[j - 2]!;
    result.tilde[j] = (2 * b[j]! * w1) / b[j - 1]!;
    result.gamma[j] = -(1 - b[j - 1]! * t![j - 1]!) * result.tilde[j]!;
  }
  cache.set(s, result);
  return result;
}

function addScaled(target: Float64Array, factor: number, source: Float64Array): void {
  for (let i = 0; i < target.length; i++) target[i]! += factor * source[i]!;
}

/** error^(-1/order), safe at 0 and infinity. */
function root(error: number, order: number): number {
  if (error === 0) return 5;
  return Number.isFinite(error) ? exp(-log(error) / order) : 0.1;
}
