// A one-hidden-layer net f(x) = sum_r a_r phi(w_r x) in wasm memory, split into blocks of hidden units that fit a
// core's cache: a block's backward pass, update and next forward pass run while its pre-activations are warm.
import { gemm } from '../../math/matmul.js';
import type { Allocator, Core, FloatType, Ticket } from '../../wasm/engine.js';
import { activateInto, slopeOf, type HiddenActivation } from './activation.js';

export interface HiddenNetShape {
  readonly width: number;
  readonly inputs: number;
  /** Rows of pre-activations that are kept: the largest batch. */
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

export interface Block {
  readonly units: number;
  readonly w: Ticket<FloatType>; // units x inputs
  readonly a: Ticket<FloatType>;
  readonly z: Ticket<FloatType>; // rows x units: pre-activations, or phi where the activation is not leaky
  readonly d: Ticket<FloatType> | null; // phi'
  w0: Ticket<FloatType> | null;
  a0: Ticket<FloatType> | null;
  minusA0: Ticket<FloatType> | null;
  moments: {
    readonly w: readonly [Ticket<FloatType>, Ticket<FloatType>];
    readonly a: readonly [Ticket<FloatType>, Ticket<FloatType>];
  } | null;
}

/** A batch of inputs in wasm memory, rows x inputs. */
export interface Batch {
  readonly x: Ticket<FloatType>;
  readonly rows: number;
  /** Place of its first row in the training set. */
  readonly first?: number;
}

type Kernel = (...args: number[]) => void;
type KernelName =
  | 'hiddenDot'
  | 'hiddenBack'
  | 'hiddenKernels'
  | 'hiddenUpdate'
  | 'adam'
  | 'rmsprop'
  | 'rowsCombine'
  | 'rowsMultiply';

export class HiddenNet {
  readonly core: Core;
  readonly shape: HiddenNetShape;
  readonly slope: number | null;
  readonly blocks: readonly Block[];
  mode: HiddenNetMode = {};
  protected readonly memory: Allocator;
  protected readonly scratch: {
    readonly t: Ticket<FloatType>; // dL/dw_r / a_r of a block
    readonly da: Ticket<FloatType>;
    readonly one: Ticket<FloatType>;
    readonly g: Ticket<'f64'>;
    readonly f: Ticket<'f64'>;
  };
  /** Steps taken: corrections of moments need them. */
  steps = 0;

  constructor(core: Core, memory: Allocator, shape: HiddenNetShape, blockBytes: number = 2 ** 18) {
    this.core = core;
    this.memory = memory;
    this.shape = shape;
    this.slope = slopeOf(shape.activation);
    const { width, inputs, rows, dtype } = shape;
    const size = dtype === 'f32' ? 4 : 8;
    const fitting = Math.floor(blockBytes / (size * rows) / 16) * 16;
    const units = Math.min(width, Math.max(32, Math.min(512, fitting)));
    const blocks: Block[] = [];
    for (let first = 0; first < width; first += units) {
      const count = Math.min(units, width - first);
      blocks.push({
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
    this.blocks = blocks;
    const one = memory.alloc(dtype, 1);
    core.heap.fill(one, 1);
    this.scratch = {
      t: memory.alloc(dtype, units * inputs),
      da: memory.alloc(dtype, units),
      one,
      g: memory.alloc('f64', rows),
      f: memory.alloc('f64', rows),
    };
  }

  kernel(name: KernelName): Kernel {
    return this.core.kernels[`${name}_${this.shape.dtype}` as 'hiddenDot_f64'] as unknown as Kernel;
  }

  /** The present input weights of a block; memory for them, where it takes any, is `scope`'s. */
  inputWeights({ w }: Block, _scope: Allocator): Ticket<FloatType> {
    return w;
  }

  /** Outputs on a batch; the blocks keep its pre-activations for `step`. */
  forward(batch: Batch): Float64Array<ArrayBuffer> {
    const { f } = this.scratch;
    this.core.heap.fill(f, 0);
    for (const block of this.blocks) this.addOutputs(block, block.w, { batch, z: block.z, d: block.d, f });
    return this.core.heap.read(f, 0, batch.rows);
  }

  /**
   * One step of training from the loss derivatives `g` of the batch last given to `forward` or `step`; then the
   * outputs of the next batch.
   */
  step(batch: Batch, g: Float64Array, rule: StepRule, next: Batch): Float64Array<ArrayBuffer> {
    const { heap } = this.core;
    heap.write(this.scratch.g, g);
    heap.fill(this.scratch.f, 0);
    this.steps++;
    for (const block of this.blocks) {
      this.#backward(block, batch);
      this.#move(block, rule);
      this.addOutputs(block, block.w, { batch: next, z: block.z, d: block.d, f: this.scratch.f });
    }
    return heap.read(this.scratch.f, 0, next.rows);
  }

  /** Adds a block's part of the outputs with input weights `w` to `f`; leaves its pre-activations in z. */
  addOutputs(
    block: Block,
    w: Ticket<FloatType>,
    {
      batch: { x, rows },
      z,
      d,
      f,
    }: {
      readonly batch: Batch;
      readonly z: Ticket<FloatType>;
      readonly d: Ticket<FloatType> | null;
      readonly f: Ticket<'f64'>;
    },
  ): void {
    const { inputs } = this.shape;
    const { units, a, a0, w0, minusA0 } = block;
    const sizes = [rows, units, inputs] as const;
    gemm(this.core, [x, w, z], sizes, { transB: true });
    const dot = (mask: Ticket, y: Ticket, output: Ticket, slope: number): void =>
      this.kernel('hiddenDot')(rows, units, mask.ptr, y.ptr, output.ptr, slope, f.ptr);
    if (d) {
      activateInto(this.core, this.shape.activation, z, d, rows * units);
      return dot(z, z, a, 1);
    }
    const slope = this.slope!;
    if (!this.mode.maskedStart && !this.mode.firstOrder) return dot(z, z, a, slope);
    this.core.heap.scope((scope) => {
      const z0 = scope.alloc(this.shape.dtype, rows * units);
      gemm(this.core, [x, w0!, z0], sizes, { transB: true });
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
    const { t, da, g } = this.scratch;
    this.core.heap.fill(da, 0);
    const finish = (at: Ticket<FloatType>): void => {
      this.kernel('hiddenBack')(rows, units, at.ptr, d?.ptr ?? 0, g.ptr, this.slope ?? 0, at.ptr, da.ptr);
      gemm(this.core, [at, x, t], [units, inputs, rows], { transA: true });
    };
    if (!this.mode.frozenGradient) return finish(z);
    if (d) throw new RangeError('train: gradients at the start are available for leaky activations only');
    this.core.heap.scope((scope) => {
      const z0 = scope.alloc(dtype, rows * units);
      gemm(this.core, [x, w0!, z0], [rows, units, inputs], { transB: true });
      finish(z0);
    });
  }

  #move(block: Block, rule: StepRule): void {
    const { inputs } = this.shape;
    const { units, w, a } = block;
    const { t, da } = this.scratch;
    const factor = this.mode.frozenGradient ? block.a0! : a;
    const update = this.kernel('hiddenUpdate');
    if (rule.kind === 'sgd') {
      update(units, inputs, 1, w.ptr, -rule.input, factor.ptr, t.ptr);
      return this.moveOutput(block, rule.output);
    }
    update(units, inputs, 0, t.ptr, 1, factor.ptr, t.ptr);
    const moments = this.#moments(block);
    const { kind, beta1, beta2, eps } = rule;
    const go = (
      n: number,
      x: Ticket,
      grad: Ticket,
      [m, v]: readonly [Ticket, Ticket],
      rate: number,
    ): void => {
      const optimizer = this.kernel(kind);
      if (kind === 'rmsprop') return optimizer(n, rate, beta2, eps, grad.ptr, v.ptr, x.ptr);
      const [c1, c2] = [1 / (1 - power(beta1, this.steps)), 1 / (1 - power(beta2, this.steps))];
      optimizer(n, rate, beta1, beta2, c1, c2, eps, grad.ptr, m.ptr, v.ptr, x.ptr);
    };
    go(units * inputs, w, t, moments.w, rule.input);
    go(units, a, da, moments.a, rule.output);
  }

  #moments(block: Block): Block['moments'] & object {
    const pair = (n: number): readonly [Ticket<FloatType>, Ticket<FloatType>] => [
      this.memory.zeros(this.shape.dtype, n),
      this.memory.zeros(this.shape.dtype, n),
    ];
    return (block.moments ??= { w: pair(block.units * this.shape.inputs), a: pair(block.units) });
  }

  /** What training changes, block by block: all of it is written to a checkpoint and read back. */
  changing(block: Block, moments: boolean): Record<string, Ticket<FloatType>> {
    const { w, a } = block;
    if (!moments) return { w, a };
    const {
      w: [mw, vw],
      a: [ma, va],
    } = this.#moments(block);
    return { w, a, mw, vw, ma, va };
  }

  /** One SGD step of a block's output weights, from scratch.da. */
  protected moveOutput({ units, a }: Block, rate: number): void {
    const { one, da } = this.scratch;
    this.kernel('hiddenUpdate')(1, units, 1, a.ptr, -rate, one.ptr, da.ptr);
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
