// Optimisers as plain data, and their updates on flat vectors in wasm memory.
import { kernelOf } from '../layers/rows.js';
import { slice, type Core, type FloatType, type Region, type Ticket } from '../wasm/engine.js';
import type { Slot } from './parameters.js';

export type Optimizer =
  | { readonly kind: 'sgd'; readonly learningRate: number }
  | { readonly kind: 'momentum' | 'nesterov'; readonly learningRate: number; readonly momentum: number }
  | { readonly kind: 'rmsprop'; readonly learningRate: number; readonly decay: number; readonly eps: number }
  | {
      readonly kind: 'adam';
      readonly learningRate: number;
      readonly beta1: number;
      readonly beta2: number;
      readonly eps: number;
    };

/** p -= learningRate g. */
export const sgd = (learningRate: number): Optimizer => ({ kind: 'sgd', learningRate });
/** v = momentum v + g; p -= learningRate v. */
export const momentum = (learningRate: number, mass = 0.9): Optimizer => ({
  kind: 'momentum',
  learningRate,
  momentum: mass,
});
/** v = momentum v + g; p -= learningRate (g + momentum v). */
export const nesterov = (learningRate: number, mass = 0.9): Optimizer => ({
  kind: 'nesterov',
  learningRate,
  momentum: mass,
});
/** s = decay s + (1 - decay) g^2; p -= learningRate g/(sqrt(s) + eps). */
export const rmsprop = (
  learningRate: number,
  { decay = 0.99, eps = 1e-8 }: { decay?: number; eps?: number } = {},
): Optimizer => ({
  kind: 'rmsprop',
  learningRate,
  decay,
  eps,
});
/** Bias-corrected; eps is added outside the root. */
export const adam = (
  learningRate: number,
  { beta1 = 0.9, beta2 = 0.999, eps = 1e-8 }: { beta1?: number; beta2?: number; eps?: number } = {},
): Optimizer => ({
  kind: 'adam',
  learningRate,
  beta1,
  beta2,
  eps,
});

/** How the rate changes: a factor on the optimiser's learning rate, by step. A pure record. */
export type Schedule =
  | { readonly kind: 'constant' }
  /** Linear from 0 to 1 over `steps`, then 1. */
  | { readonly kind: 'warmup'; readonly steps: number }
  /** From 1 to `final` (default 0) along half a cosine over `steps`. */
  | { readonly kind: 'cosine'; readonly steps: number; readonly final?: number }
  /** Multiplied by `factor` every `every` steps. */
  | { readonly kind: 'decay'; readonly every: number; readonly factor: number };

export function checkOptimizer(where: string, optimizer: Optimizer): Optimizer {
  const wrong = (rule: string, value: unknown): never => {
    throw new RangeError(`${where}: optimizer: ${rule}, got ${String(value)}.`);
  };
  const { kind, learningRate } = optimizer;
  if (!(learningRate >= 0) || !Number.isFinite(learningRate))
    wrong('learningRate must be >= 0', learningRate);
  const share = (name: string, value: number): void => {
    if (!(value >= 0 && value < 1)) wrong(`${name} must be >= 0 and < 1`, value);
  };
  if (kind === 'momentum' || kind === 'nesterov') share('momentum', optimizer.momentum);
  else if (kind === 'rmsprop') share('decay', optimizer.decay);
  else if (kind === 'adam') {
    share('beta1', optimizer.beta1);
    share('beta2', optimizer.beta2);
  } else if (kind !== 'sgd') wrong('kind must be sgd, momentum, nesterov, rmsprop or adam', kind);
  return optimizer;
}

/** Vectors as long as the parameters that an optimiser keeps. */
export function stateCount({ kind }: Optimizer): number {
  return kind === 'sgd' ? 0 : kind === 'adam' ? 2 : 1;
}

/** The state of one training run's optimiser. */
export class OptimizerState {
  readonly vectors: readonly Ticket<FloatType>[];
  readonly #core: Core;
  readonly #optimizer: Optimizer;
  readonly #slots: readonly Slot[];

  constructor(
    core: Core,
    optimizer: Optimizer,
    slots: readonly Slot[],
    region: Region,
    like: Ticket<FloatType>,
  ) {
    this.#core = core;
    this.#optimizer = optimizer;
    this.#slots = slots;
    this.vectors = Array.from({ length: stateCount(optimizer) }, () => region.zeros(like.dtype, like.length));
  }

  /** One update; `t` counts updates from 1, `rates[l]` multiplies the learning rate of layer l (0 freezes it). */
  update(
    t: number,
    factor: number,
    rates: readonly number[],
    gradient: Ticket<FloatType>,
    theta: Ticket<FloatType>,
  ): void {
    this.#slots.forEach(({ offset, wSize, bSize }, layer) => {
      const rate = this.#optimizer.learningRate * factor * rates[layer]!;
      if (rate === 0) return;
      const part = (vector: Ticket<FloatType>) => slice(vector, offset, wSize + bSize);
      this.#layer(t, rate, part(gradient), part(theta), this.vectors.map(part));
    });
  }

  #layer(
    t: number,
    rate: number,
    g: Ticket<FloatType>,
    p: Ticket<FloatType>,
    [first, second]: readonly Ticket<FloatType>[],
  ): void {
    const n = g.length;
    const call = (name: string, ...args: unknown[]): void =>
      void kernelOf(this.#core, name, g.dtype)(...args);
    const move = (a: number, x: Ticket, b: number, y: Ticket): void =>
      call('rowsCombine', 1, n, a, x.ptr, 0, b, y.ptr, 0);
    const optimizer = this.#optimizer;
    switch (optimizer.kind) {
      case 'sgd':
        return move(-rate, g, 1, p);
      case 'momentum':
        move(1, g, optimizer.momentum, first!);
        return move(-rate, first!, 1, p);
      case 'nesterov':
        move(1, g, optimizer.momentum, first!);
        move(-rate, g, 1, p);
        return move(-rate * optimizer.momentum, first!, 1, p);
      case 'rmsprop':
        return call('rmsprop', n, rate, optimizer.decay, optimizer.eps, g.ptr, first!.ptr, p.ptr);
      case 'adam': {
        const { beta1, beta2, eps } = optimizer;
        const c1 = 1 / (1 - power(beta1, t));
        const c2 = 1 / (1 - power(beta2, t));
        return call('adam', n, rate, beta1, beta2, c1, c2, eps, g.ptr, first!.ptr, second!.ptr, p.ptr);
      }
    }
  }
}

/** x^n for whole n by squaring: the same bits in every engine. */
function power(x: number, n: number): number {
  let result = 1;
  for (let base = x; n > 0; n = Math.floor(n / 2), base *= base) if (n % 2 === 1) result *= base;
  return result;
}
