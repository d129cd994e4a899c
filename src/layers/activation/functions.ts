// Activations given in code: a net document holds their name, this registry the functions. Functions do not cross to
// workers, so jobs of nets that use them run on the calling thread (`usesFunctions` of layers/registry.ts).

/** A function of one variable with its derivative. */
export interface ScalarFunction {
  readonly value: (x: number) => number;
  readonly slope: (x: number) => number;
  /** Where it or a derivative of it jumps. */
  readonly kinks: readonly number[];
  /** Functions of users: what errors call them; their panels are refined and their series checked. */
  readonly name?: string;
}

/** kappa = E[phi(u) phi(v)] and its derivative by k12, slope = E[phi'(u) phi'(v)] (Price's theorem). */
export interface DualValue {
  readonly kappa: number;
  readonly slope: number;
}
/** Variances k11 of u, k22 of v and covariance k12 to kappa, or to kappa and slope; |k12| <= sqrt(k11 k22). */
export type DualFunction = (k11: number, k12: number, k22: number) => number | DualValue;

/** An activation in code. `fn` or `kernelFunction` must be given. */
export interface ActivationDefinition {
  /** phi. Equal bits on every machine need a phi with that property: `Math.tanh` and its like have none. */
  readonly fn?: (x: number) => number;
  /** phi'; without it differences of order 8, about 1e-12 exact. */
  readonly derivative?: (x: number) => number;
  /** Where phi has a corner: needed for exact sums, and so that differences do not reach across. */
  readonly kinks?: readonly number[];
  /** The dual in closed form; without it a Hermite series of `fn`. */
  readonly kernelFunction?: DualFunction;
}

/** A defined activation. */
export interface UserActivation {
  readonly name: string;
  /** null: defined by its kernel alone. */
  readonly scalar: ScalarFunction | null;
  readonly dual: DualFunction | null;
}

const defined = new Map<string, UserActivation>();

/** @internal adds to the registry; the public `defineActivation` also returns a builder. */
export function registerActivation(name: string, definition: ActivationDefinition): void {
  const { fn, derivative, kinks = [], kernelFunction } = definition;
  const functions = { fn, derivative, kernelFunction };
  for (const [field, value] of Object.entries(functions)) {
    if (value !== undefined && typeof value !== 'function')
      throw new TypeError(`defineActivation: ${field} must be a function, got ${typeof value}.`);
  }
  if (!fn && !kernelFunction)
    throw new TypeError(`defineActivation: '${name}' needs fn (and derivative), kernelFunction, or both.`);
  if (defined.has(name))
    throw new RangeError(
      `defineActivation: '${name}' is defined already. Take another name, or define it once.`,
    );
  const slope = derivative ?? (fn && ((x: number) => difference(fn, x, kinks)));
  const scalar = fn ? { name, kinks, value: checked(name, fn), slope: checked(`${name}'`, slope!) } : null;
  defined.set(name, { name, scalar, dual: kernelFunction ?? null });
}

/** The activation of a name; RangeError lists what is defined. */
export function userActivation(name: string, where = 'elementwise'): UserActivation {
  const found = defined.get(name);
  if (found) return found;
  const names = [...defined.keys()].join(', ') || 'none';
  throw new RangeError(
    `${where}: no activation '${name}' is defined in this program (defined: ${names}). Call defineActivation('${name}', { fn }) first.`,
  );
}

/** phi and phi' of a name; RangeError where only its kernel was given. */
export function finiteFunction(name: string): ScalarFunction {
  const { scalar } = userActivation(name);
  if (scalar) return scalar;
  throw new RangeError(
    `elementwise: '${name}' is defined by its kernel alone; no finite net has it. Give fn too.`,
  );
}

function checked(name: string, fn: (x: number) => number): (x: number) => number {
  return (x) => {
    const y: unknown = fn(x);
    if (typeof y === 'number' && y - y === 0) return y;
    throw new RangeError(
      `elementwise: ${name}(${x}) is ${String(y)}, expected a finite number. Guard it against overflow.`,
    );
  };
}

const CENTRAL = [4 / 5, -1 / 5, 4 / 105, -1 / 280];
const ONE_SIDED = [-761 / 280, 8, -14, 56 / 3, -35 / 2, 56 / 5, -14 / 3, 8 / 7, -1 / 8];

/**
 * f'(x) by differences of order 8: of a falling sequence of steps the one that agrees best with its neighbour. No stencil
 * crosses a kink; at a kink it is the derivative from the left.
 */
export function difference(f: (x: number) => number, x: number, kinks: readonly number[] = []): number {
  const left = Math.min(...kinks.map((kink) => (kink < x ? x - kink : Infinity)));
  const right = Math.min(...kinks.map((kink) => (kink >= x ? kink - x : Infinity)));
  let h = 2 ** -4;
  while (h < Math.abs(x) * 2 ** -8) h *= 2;
  while (4 * h > Math.min(left, right) && 8 * h > Math.max(left, right)) h /= 2;
  let [best, error, last] = [NaN, Infinity, NaN];
  for (let level = 0; level < 12; level++, h /= 2) {
    const now = 4 * h <= Math.min(left, right) ? central(f, x, h) : oneSided(f, x, left > right ? -h : h);
    const change = Math.abs(now - last);
    if (change < error) [best, error] = [now, change];
    else if (level > 1 && change > 8 * error) break;
    if (level === 0) best = now;
    last = now;
  }
  return best;
}

function central(f: (x: number) => number, x: number, h: number): number {
  return CENTRAL.reduce((sum, c, j) => sum + c * (f(x + (j + 1) * h) - f(x - (j + 1) * h)), 0) / h;
}

function oneSided(f: (x: number) => number, x: number, h: number): number {
  return ONE_SIDED.reduce((sum, c, j) => sum + c * f(x + j * h), 0) / h;
}
