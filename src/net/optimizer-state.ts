// The updates of optimisers on flat vectors in wasm memory, tensor by tensor.
import { kernelOf } from '../layers/rows.js';
import { slice, type Core, type FloatType, type Region, type Ticket } from '../wasm/engine.js';
import { muonFactor, newtonSchulz } from './muon.js';
import {
  decayFormOf,
  stateCount,
  type EntrywiseOptimizer,
  type MuonOptimizer,
  type Optimizer,
} from './optimizers.js';
import type { Slot } from './parameters.js';
import type { TensorNumbers } from './width.js';

/** Factors on the optimiser's own numbers, one per tensor. A rate of 0 freezes a tensor. */
export interface TensorFactors {
  readonly rates: readonly TensorNumbers[];
  readonly decays: readonly TensorNumbers[];
  readonly epsilons: readonly TensorNumbers[];
}

/** One tensor of the flat vector with all that its update needs. */
interface Part {
  readonly offset: number;
  readonly size: number;
  /** (inputs, outputs) of a matrix that Muon moves; null for all other tensors. */
  readonly matrix: readonly [number, number] | null;
  readonly rate: number;
  readonly decay: number;
  readonly eps: number;
}

function partsOf(
  slots: readonly Slot[],
  { rates, decays, epsilons }: TensorFactors,
  optimizer: Optimizer,
): Part[] {
  const isMuon = optimizer.kind === 'muon';
  return slots.flatMap(({ spec, offset, wSize, bSize }, l) => {
    const isHidden = (l > 0 && l < slots.length - 1) || (isMuon && optimizer.matrices === 'all');
    const outputs = spec.w.at(-1)!;
    const of = (tensor: 'w' | 'b'): Pick<Part, 'rate' | 'decay' | 'eps'> => ({
      ...{ rate: rates[l]![tensor], decay: decays[l]![tensor], eps: epsilons[l]![tensor] },
    });
    const matrix = isMuon && isHidden && spec.w.length > 1 ? ([wSize / outputs, outputs] as const) : null;
    const weights: Part = { offset, size: wSize, matrix, ...of('w') };
    return bSize ? [weights, { offset: offset + wSize, size: bSize, matrix: null, ...of('b') }] : [weights];
  });
}

/** The state of one training run's optimiser. */
export class OptimizerState {
  readonly vectors: readonly Ticket<FloatType>[];
  readonly #core: Core;
  readonly #optimizer: Optimizer;
  readonly #parts: readonly Part[];

  constructor(
    core: Core,
    optimizer: Optimizer,
    slots: readonly Slot[],
    factors: TensorFactors,
    { region, like }: { readonly region: Region; readonly like: Ticket<FloatType> },
  ) {
    this.#core = core;
    this.#optimizer = optimizer;
    this.#parts = partsOf(slots, factors, optimizer);
    this.vectors = Array.from({ length: stateCount(optimizer) }, () => region.zeros(like.dtype, like.length));
  }

  /** Scales the gradient of all tensors that move to a joint norm of at most `most`, as torch's clip_grad_norm_ does. */
  clip(gradient: Ticket<FloatType>, most: number): void {
    const moving = this.#parts.filter(({ rate }) => rate !== 0);
    let square = 0;
    for (const { offset, size } of moving) {
      const g = slice(gradient, offset, size);
      square += kernelOf(this.#core, 'rowsDot', g.dtype)(size, g.ptr, g.ptr);
    }
    const factor = most / (Math.sqrt(square) + 1e-6);
    if (!(factor < 1)) return;
    for (const { offset, size } of moving) this.#move(factor, slice(gradient, offset, size), 0);
  }

  /** One update; `t` counts updates from 1, `factor` is the schedule's. Overwrites the gradient. */
  update(t: number, factor: number, gradient: Ticket<FloatType>, theta: Ticket<FloatType>): void {
    for (const part of this.#parts) {
      if (part.rate === 0) continue;
      const of = (vector: Ticket<FloatType>): Ticket<FloatType> => slice(vector, part.offset, part.size);
      const isMuon = this.#optimizer.kind === 'muon' && part.matrix;
      const own = this.#optimizer.kind === 'muon' && !isMuon ? this.#optimizer.others : this.#optimizer;
      const rate = own.learningRate * factor * part.rate;
      const [g, p] = [of(gradient), of(theta)];
      this.#decay(own, { rate, factor, share: part.decay }, g, p);
      const state = this.vectors.map(of);
      if (own.kind === 'muon')
        this.#muon(own, { rate, matrix: part.matrix!, eps: part.eps }, g, p, state[0]!);
      else this.#entrywise(own, { t, rate, eps: part.eps }, g, p, state);
    }
  }

  /** x = a x + b y; without y, x = a x. */
  #move(a: number, x: Ticket<FloatType>, b: number, y: Ticket<FloatType> = x): void {
    kernelOf(this.#core, 'rowsCombine', x.dtype)(1, x.length, b, y.ptr, 0, a, x.ptr, 0);
  }

  #decay(
    optimizer: Optimizer,
    { rate, factor, share }: { readonly rate: number; readonly factor: number; readonly share: number },
    g: Ticket<FloatType>,
    p: Ticket<FloatType>,
  ): void {
    const decay = (optimizer.weightDecay ?? 0) * share;
    if (decay === 0) return;
    const form = decayFormOf(optimizer);
    if (form === 'coupled') this.#move(1, g, decay, p);
    else this.#move(1 - decay * (form === 'decoupled' ? rate : factor), p, 0);
  }

  #entrywise(
    optimizer: EntrywiseOptimizer,
    { t, rate, eps: share }: { readonly t: number; readonly rate: number; readonly eps: number },
    g: Ticket<FloatType>,
    p: Ticket<FloatType>,
    [first, second]: readonly Ticket<FloatType>[],
  ): void {
    const n = g.length;
    const call = (name: string, ...args: unknown[]): void =>
      void kernelOf(this.#core, name, g.dtype)(...args);
    switch (optimizer.kind) {
      case 'sgd':
        return this.#move(1, p, -rate, g);
      case 'momentum':
        this.#move(optimizer.momentum, first!, 1, g);
        return this.#move(1, p, -rate, first!);
      case 'nesterov':
        this.#move(optimizer.momentum, first!, 1, g);
        this.#move(1, p, -rate, g);
        return this.#move(1, p, -rate * optimizer.momentum, first!);
      case 'rmsprop':
        return call('rmsprop', n, rate, optimizer.decay, optimizer.eps * share, g.ptr, first!.ptr, p.ptr);
      case 'lion':
        return call('lion', n, rate, optimizer.beta1, optimizer.beta2, g.ptr, first!.ptr, p.ptr);
      case 'adam': {
        const { beta1, beta2, eps } = optimizer;
        const c1 = 1 / (1 - power(beta1, t));
        const c2 = 1 / (1 - power(beta2, t));
        const moments = [g.ptr, first!.ptr, second!.ptr];
        return call('adam', n, rate, beta1, beta2, c1, c2, eps * share, ...moments, p.ptr);
      }
    }
  }

  /** Stored matrices are (inputs, outputs): U V^T of the transpose is the transpose of U V^T. */
  #muon(
    { momentum, nesterov, iterations, eps, factor }: MuonOptimizer,
    part: { readonly rate: number; readonly matrix: readonly [number, number]; readonly eps: number },
    g: Ticket<FloatType>,
    p: Ticket<FloatType>,
    average: Ticket<FloatType>,
  ): void {
    this.#move(momentum, average, 1 - momentum, g);
    if (nesterov) this.#move(1 - momentum, g, momentum, average);
    else this.#move(0, g, 1, average);
    newtonSchulz(this.#core, g, part.matrix, { iterations, eps: eps * part.eps });
    const [inputs, outputs] = part.matrix;
    this.#move(1, p, -part.rate * muonFactor(factor, outputs, inputs), g);
  }
}

/** x^n for whole n by squaring: the same bits in every engine. */
function power(x: number, n: number): number {
  let result = 1;
  for (let base = x; n > 0; n = Math.floor(n / 2), base *= base) if (n % 2 === 1) result *= base;
  return result;
}
