// A one-hidden-layer net f(x) = sum_r a_r phi(w_r x) in wasm memory, split into blocks of hidden units that fit a
// core's cache: a block's backward pass, update and next forward pass run while its pre-activations are warm.
import { gemm } from '../math/matmul.js';
import { foldIn, randomKey } from '../math/random.js';
import { slice, type Allocator, type Core, type FloatType, type Ticket } from '../wasm/engine.js';
import { activateInto, slopeOf, type HiddenActivation } from './activation.js';

export interface HiddenNetShape {
  readonly width: number;
  readonly inputs: number;
  /** The largest batch. */
  readonly rows: number;
  readonly dtype: FloatType;
  readonly activation: HiddenActivation;
}

/** How the output depends on the weights beside the plain net. */
export interface HiddenNetMode {
  /** Subtract the initial net seen through the current on/off pattern (leaky activations). */
  readonly maskedStart?: boolean;
  /** Move along the gradient at the initial weights. */
  readonly frozenGradient?: boolean;
  /** The output is the first-order Taylor model in the weights (leaky activations). */
  readonly firstOrder?: boolean;
}

export type StepRule =
  | { readonly kind: 'sgd'; readonly input: number; readonly output: number }
  | {
      readonly kind: 'rmsprop' | 'adam';
      readonly input: number;
      readonly output: number;
      readonly beta1: number;
      readonly beta2: number;
      readonly eps: number;
    };

interface Block {
  readonly units: number;
  readonly w: Ticket<FloatType>; // units x inputs
  readonly a: Ticket<FloatType>;
  readonly z: Ticket<FloatType>; // rows x units: pre-activations, or phi where the activation is not leaky
  readonly d: Ticket<FloatType> | null; // phi'
  w0: Ticket<FloatType> | null;
  a0: Ticket<FloatType> | null;
  minusA0: Ticket<FloatType> | null;
  moments: { readonly w: readonly [Ticket, Ticket]; readonly a: readonly [Ticket, Ticket] } | null;
}

/** A batch of inputs in wasm memory, rows x inputs. */
export interface Batch {
  readonly x: Ticket<FloatType>;
  readonly rows: number;
}

type Kernel = (...args: number[]) => void;
const BLOCK_BYTES = 2 ** 18;

export class HiddenNet {
  readonly shape: HiddenNetShape;
  readonly slope: number | null;
  mode: HiddenNetMode = {};
  readonly #core: Core;
  readonly #memory: Allocator;
  readonly #blocks: Block[] = [];
  readonly #kernels: Record<'dot' | 'back' | 'diagonal' | 'update' | 'adam' | 'rmsprop', Kernel>;
  readonly #scratch: { t: Ticket<FloatType>; da: Ticket<FloatType>; g: Ticket<'f64'>; f: Ticket<'f64'> };
  #steps = 0;

  constructor(core: Core, memory: Allocator, shape: HiddenNetShape) {
    this.#core = core;
    this.#memory = memory;
    this.shape = shape;
    this.slope = slopeOf(shape.activation);
    const { width, inputs, rows, dtype } = shape;
    const size = dtype === 'f32' ? 4 : 8;
    const units = Math.min(
      width,
      Math.max(32, Math.min(512, Math.floor(BLOCK_BYTES / (size * rows) / 16) * 16)),
    );
    for (let first = 0; first < width; first += units) {
      const count = Math.min(units, width - first);
      this.#blocks.push({
        units: count,
        w: memory.zeros(dtype, count * inputs),
        a: memory.zeros(dtype, count),
        z: memory.alloc(dtype, rows * count),
        d: this.slope === null ? memory.alloc(dtype, rows * count) : null,
        w0: null,
        a0: null,
        minusA0: null,
        moments: null,
      });
    }
    const named = (name: string): Kernel =>
      core.kernels[`${name}_${dtype}` as 'hiddenDot_f64'] as unknown as Kernel;
    this.#kernels = {
      dot: named('hiddenDot'),
      back: named('hiddenBack'),
      diagonal: named('hiddenKernels'),
      update: named('hiddenUpdate'),
      adam: named('adam'),
      rmsprop: named('rmsprop'),
    };
    this.#scratch = {
      t: memory.alloc(dtype, units * inputs),
      da: memory.alloc(dtype, units),
      g: memory.alloc('f64', rows),
      f: memory.alloc('f64', rows),
    };
  }

  /**
   * Weights drawn with unit variance times `gain / sqrt(fan-in)`; unit r is the same in nets of every width. With
   * `pairs` units come as (a, w), (-a, w), so that the output starts at exactly zero.
   */
  init(seed: number, law: 'uniform' | 'normal', gain: number, pairs = false): void {
    const { inputs, width, dtype } = this.shape;
    const { heap, kernels } = this.#core;
    const draw = (name: string, first: number, out: Ticket<FloatType>, count: number, std: number): void => {
      const [k0, k1] = foldIn(randomKey(seed), 'onehidden', name);
      const kernel = kernels[`random_${law}_${dtype}` as 'random_normal_f64'] as unknown as Kernel;
      const bound = std * Math.sqrt(3);
      kernel(k0, k1, first, count, law === 'uniform' ? -bound : 0, law === 'uniform' ? bound : std, out.ptr);
    };
    let unit = 0;
    for (const { w, a, units } of this.#blocks) {
      const drawn = pairs ? units / 2 : units;
      if (!Number.isInteger(drawn))
        throw new RangeError(`train: pairs of units need an even width, got ${width}`);
      draw('input', unit * inputs, w, drawn * inputs, gain / Math.sqrt(inputs));
      draw('output', unit, a, drawn, gain / Math.sqrt(width));
      unit += drawn;
      if (!pairs) continue;
      heap.write(w, heap.read(w, 0, drawn * inputs), drawn * inputs);
      heap.write(
        a,
        heap.read(a, 0, drawn).map((value) => -value),
        drawn,
      );
    }
  }

  setWeights(input: ArrayLike<number>, output: ArrayLike<number>): void {
    const { inputs } = this.shape;
    const part = (all: ArrayLike<number>, from: number, to: number): Float64Array =>
      Float64Array.from({ length: to - from }, (_, i) => all[from + i]!);
    let unit = 0;
    for (const { w, a, units } of this.#blocks) {
      this.#core.heap.write(w, part(input, unit * inputs, (unit + units) * inputs));
      this.#core.heap.write(a, part(output, unit, unit + units));
      unit += units;
    }
  }

  /** The weights, input `(width, inputs)` row by row. */
  weights(): { input: Float64Array<ArrayBuffer>; output: Float64Array<ArrayBuffer> } {
    return { input: this.#join(({ w }) => w), output: this.#join(({ a }) => a) };
  }

  #join(pick: (block: Block) => Ticket<FloatType>): Float64Array<ArrayBuffer> {
    return Float64Array.from(this.#blocks.flatMap((block) => [...this.#core.heap.read(pick(block))]));
  }

  scale(layer: 'input' | 'output', factor: number): void {
    if (factor === 1) return;
    for (const block of this.#blocks) {
      const weights = layer === 'input' ? block.w : block.a;
      const values = this.#core.heap.read(weights);
      for (let r = 0; r < values.length; r++) values[r] = values[r]! * factor;
      this.#core.heap.write(weights, values);
    }
  }

  /** Remembers the present weights as the initial ones. */
  keepStart(): void {
    const { heap } = this.#core;
    for (const block of this.#blocks) {
      block.w0 = this.#memory.put(heap.read(block.w));
      const a = heap.read(block.a);
      block.a0 = this.#memory.put(a);
      block.minusA0 = this.#memory.put(a.map((value) => -value) as typeof a);
    }
  }

  /** Outputs on a batch; the blocks keep its pre-activations for `step`. */
  forward(batch: Batch): Float64Array<ArrayBuffer> {
    this.#core.heap.fill(this.#scratch.f, 0);
    for (const block of this.#blocks) this.#forward(block, batch, block.z, block.d, this.#scratch.f);
    return this.#core.heap.read(this.#scratch.f, 0, batch.rows);
  }

  /**
   * One step of training from the loss derivatives `g` of the batch last given to `forward` or `step`; then the
   * outputs of the next batch.
   */
  step(batch: Batch, g: Float64Array, rule: StepRule, next: Batch): Float64Array<ArrayBuffer> {
    const { heap } = this.#core;
    heap.write(this.#scratch.g, g);
    heap.fill(this.#scratch.f, 0);
    this.#steps++;
    for (const block of this.#blocks) {
      this.#backward(block, batch);
      this.#move(block, rule);
      this.#forward(block, next, block.z, block.d, this.#scratch.f);
    }
    return heap.read(this.#scratch.f, 0, next.rows);
  }

  /** Outputs on other inputs, with the diagonal kernels (without rates and |x|^2) of the first rows. */
  evaluate({ x, rows }: Batch, kernelRows = 0): { f: Float64Array; ka: Float64Array; kw: Float64Array } {
    const { heap } = this.#core;
    const { inputs, dtype } = this.shape;
    return heap.scope((scope) => {
      const chunk = Math.min(rows, 1024);
      const units = this.#blocks[0]!.units;
      const z = scope.alloc(dtype, chunk * units);
      const d = this.slope === null ? scope.alloc(dtype, chunk * units) : null;
      const f = scope.zeros('f64', rows);
      const ka = scope.zeros('f64', kernelRows);
      const kw = scope.zeros('f64', kernelRows);
      for (let first = 0; first < rows; first += chunk) {
        const count = Math.min(chunk, rows - first);
        const part = { x: slice(x, first * inputs, count * inputs), rows: count };
        const diagonal = Math.min(count, kernelRows - first);
        for (const block of this.#blocks) {
          this.#forward(block, part, z, d, slice(f, first, count));
          if (diagonal <= 0) continue;
          const [ka0, kw0] = [slice(ka, first, diagonal).ptr, slice(kw, first, diagonal).ptr];
          this.#kernels.diagonal(
            diagonal,
            block.units,
            z.ptr,
            d?.ptr ?? 0,
            block.a.ptr,
            this.slope ?? 0,
            ka0,
            kw0,
          );
        }
      }
      return { f: heap.read(f), ka: heap.read(ka), kw: heap.read(kw) };
    });
  }

  /** Sums over units of phi phi' and a^2 phi' phi' between a few inputs: `(rows, rows)` each. */
  grams({ x, rows }: Batch): { ka: Float64Array; kw: Float64Array } {
    const { heap } = this.#core;
    const { inputs, dtype, activation } = this.shape;
    return heap.scope((scope) => {
      const size = rows * this.#blocks[0]!.units;
      const [z, d] = [scope.alloc(dtype, size), scope.alloc(dtype, size)];
      const [ka, kw] = [scope.zeros(dtype, rows * rows), scope.zeros(dtype, rows * rows)];
      for (const { w, a, units } of this.#blocks) {
        // Units as rows, so that a_r multiplies rows.
        gemm(this.#core, w, x, z, [units, rows, inputs], { transB: true });
        activateInto(this.#core, activation, z, d, rows * units);
        this.#kernels.update(units, rows, 0, d.ptr, 1, a.ptr, d.ptr);
        gemm(this.#core, z, z, ka, [rows, rows, units], { transA: true, beta: 1 });
        gemm(this.#core, d, d, kw, [rows, rows, units], { transA: true, beta: 1 });
      }
      return { ka: Float64Array.from(heap.read(ka)), kw: Float64Array.from(heap.read(kw)) };
    });
  }

  /** How far the weights have moved: mean length of an input row's increment, mean absolute output increment. */
  increments(): { input: number; output: number } {
    const { heap } = this.#core;
    const { inputs, width } = this.shape;
    let [input, output] = [0, 0];
    for (const { w, w0, a, a0, units } of this.#blocks) {
      const [now, start, aNow, aStart] = [heap.read(w), heap.read(w0!), heap.read(a), heap.read(a0!)];
      for (let r = 0; r < units; r++) {
        let square = 0;
        for (let k = r * inputs; k < (r + 1) * inputs; k++)
          square += (now[k]! - start[k]!) * (now[k]! - start[k]!);
        input += Math.sqrt(square) / width;
        output += Math.abs(aNow[r]! - aStart[r]!) / width;
      }
    }
    return { input, output };
  }

  /** Mean absolute pre-activation over units and inputs, and of its change since the start. */
  coordinates({ x, rows }: Batch): { hidden: number; change: number } {
    const { heap } = this.#core;
    const { inputs, width, dtype } = this.shape;
    let [hidden, change] = [0, 0];
    for (const { units, w, w0 } of this.#blocks) {
      heap.scope((scope) => {
        const z = scope.alloc(dtype, rows * units);
        const product = (weights: Ticket<FloatType>): ArrayLike<number> => {
          gemm(this.#core, x, weights, z, [rows, units, inputs], { transB: true });
          return heap.read(z);
        };
        const [now, start] = [product(w), product(w0!)];
        for (let i = 0; i < now.length; i++) {
          hidden += Math.abs(now[i]!) / (rows * width);
          change += Math.abs(now[i]! - start[i]!) / (rows * width);
        }
      });
    }
    return { hidden, change };
  }

  /** Terms of the output: a and w each at their start or as increments, through the present on/off pattern. */
  decompose({ x, rows }: Batch): Record<'f0' | 'fa' | 'fw' | 'faw', Float64Array> {
    const { heap } = this.#core;
    const { inputs, dtype } = this.shape;
    if (this.slope === null) throw new RangeError('decompose: the terms exist for leaky activations only');
    return heap.scope((scope) => {
      const terms = {
        f0: scope.zeros('f64', rows),
        fa: scope.zeros('f64', rows),
        fw: scope.zeros('f64', rows),
        faw: scope.zeros('f64', rows),
      };
      const size = rows * this.#blocks[0]!.units;
      const [z, z0, dz] = [scope.alloc(dtype, size), scope.alloc(dtype, size), scope.alloc(dtype, size)];
      for (const { units, w, w0, a, a0 } of this.#blocks) {
        if (!w0 || !a0) throw new Error('decompose: the start was not kept');
        const minus = (left: Ticket<FloatType>, right: Ticket<FloatType>): Ticket<FloatType> => {
          const values = heap.read(left);
          const start = heap.read(right);
          for (let i = 0; i < values.length; i++) values[i] = values[i]! - start[i]!;
          return scope.put(values);
        };
        const da = minus(a, a0);
        const sizes = [rows, units, inputs] as const;
        gemm(this.#core, x, w, z, sizes, { transB: true });
        gemm(this.#core, x, w0, z0, sizes, { transB: true });
        gemm(this.#core, x, minus(w, w0), dz, sizes, { transB: true });
        const add = (y: Ticket, output: Ticket, term: Ticket<'f64'>): void =>
          this.#kernels.dot(rows, units, z.ptr, y.ptr, output.ptr, this.slope!, term.ptr);
        add(z0, a0, terms.f0);
        add(z0, da, terms.fa);
        add(dz, a0, terms.fw);
        add(dz, da, terms.faw);
      }
      return {
        f0: heap.read(terms.f0),
        fa: heap.read(terms.fa),
        fw: heap.read(terms.fw),
        faw: heap.read(terms.faw),
      };
    });
  }

  #forward(
    block: Block,
    { x, rows }: Batch,
    z: Ticket<FloatType>,
    d: Ticket<FloatType> | null,
    f: Ticket<'f64'>,
  ): void {
    const { inputs } = this.shape;
    const { units, w, a, a0, w0, minusA0 } = block;
    const sizes = [rows, units, inputs] as const;
    gemm(this.#core, x, w, z, sizes, { transB: true });
    const dot = (mask: Ticket, y: Ticket, output: Ticket, slope: number): void =>
      this.#kernels.dot(rows, units, mask.ptr, y.ptr, output.ptr, slope, f.ptr);
    if (d) {
      activateInto(this.#core, this.shape.activation, z, d, rows * units);
      return dot(z, z, a, 1);
    }
    const slope = this.slope!;
    if (!this.mode.maskedStart && !this.mode.firstOrder) return dot(z, z, a, slope);
    this.#core.heap.scope((scope) => {
      const z0 = scope.alloc(this.shape.dtype, rows * units);
      gemm(this.#core, x, w0!, z0, sizes, { transB: true });
      if (this.mode.firstOrder) {
        dot(z0, z0, a, slope);
        dot(z0, z, a0!, slope);
        dot(z0, z0, minusA0!, slope);
      } else {
        dot(z, z, a, slope);
        dot(z, z0, minusA0!, slope);
      }
    });
  }

  /** Leaves dL/dw_r / a_r in scratch.t and dL/da in scratch.da. */
  #backward(block: Block, { x, rows }: Batch): void {
    const { inputs, dtype } = this.shape;
    const { units, w0, z, d } = block;
    const { t, da, g } = this.#scratch;
    this.#core.heap.fill(da, 0);
    const finish = (at: Ticket<FloatType>): void => {
      this.#kernels.back(rows, units, at.ptr, d?.ptr ?? 0, g.ptr, this.slope ?? 0, at.ptr, da.ptr);
      gemm(this.#core, at, x, t, [units, inputs, rows], { transA: true });
    };
    if (!this.mode.frozenGradient) return finish(z);
    if (d) throw new RangeError('train: gradients at the start are available for leaky activations only');
    this.#core.heap.scope((scope) => {
      const z0 = scope.alloc(dtype, rows * units);
      gemm(this.#core, x, w0!, z0, [rows, units, inputs], { transB: true });
      finish(z0);
    });
  }

  #move(block: Block, rule: StepRule): void {
    const { inputs, dtype } = this.shape;
    const { units, w, a } = block;
    const { t, da } = this.#scratch;
    const factor = this.mode.frozenGradient ? block.a0! : a;
    const { update, adam, rmsprop } = this.#kernels;
    if (rule.kind === 'sgd') {
      update(units, inputs, 1, w.ptr, -rule.input, factor.ptr, t.ptr);
      update(1, units, 1, a.ptr, -rule.output, this.#one().ptr, da.ptr);
      return;
    }
    update(units, inputs, 0, t.ptr, 1, factor.ptr, t.ptr);
    const pair = (n: number): readonly [Ticket, Ticket] => [
      this.#memory.zeros(dtype, n),
      this.#memory.zeros(dtype, n),
    ];
    block.moments ??= { w: pair(units * inputs), a: pair(units) };
    const go = (
      n: number,
      x: Ticket,
      grad: Ticket,
      [m, v]: readonly [Ticket, Ticket],
      rate: number,
    ): void => {
      if (rule.kind === 'rmsprop') return rmsprop(n, rate, rule.beta2, rule.eps, grad.ptr, v.ptr, x.ptr);
      const [c1, c2] = [1 / (1 - power(rule.beta1, this.#steps)), 1 / (1 - power(rule.beta2, this.#steps))];
      adam(n, rate, rule.beta1, rule.beta2, c1, c2, rule.eps, grad.ptr, m.ptr, v.ptr, x.ptr);
    };
    go(units * inputs, w, t, block.moments.w, rule.input);
    go(units, a, da, block.moments.a, rule.output);
  }

  #unit: Ticket<FloatType> | null = null;
  #one(): Ticket<FloatType> {
    if (!this.#unit) {
      this.#unit = this.#memory.alloc(this.shape.dtype, 1);
      this.#core.heap.fill(this.#unit, 1);
    }
    return this.#unit;
  }
}

function power(base: number, n: number): number {
  let result = 1;
  for (; n > 0; n = Math.floor(n / 2)) {
    if (n % 2) result *= base;
    base *= base;
  }
  return result;
}
