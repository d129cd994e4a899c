// Taylor models: f_k(theta) = sum over m <= k of (1/m!) D^m f(theta0)[theta - theta0, ...], trained like any model. Along
// theta0 + eps (theta - theta0) the outputs are a power series, and d f_k / d theta is the series of the gradient, summed
// up to order k - 1.
import { combine } from '../layers/rows.js';
import type { Numbers, Tensors } from '../layers/finite.js';
import { tensor, type Tensor, type TensorLike } from '../math/tensor.js';
import { Model, type CallInputs } from '../net/model.js';
import type { Machine } from '../net/machine.js';
import { tensorsOf, type LayerParametersLike } from '../net/parameters.js';
import { slice, UnsupportedError, type FloatType, type Region, type Ticket } from '../wasm/engine.js';

const MOST = 8;

/** A Taylor expansion of a model around its parameters at construction; `parameters` are theta. */
export class TaylorModel extends Model {
  readonly order: number;
  readonly #own: Region;
  readonly #origin: Ticket<FloatType>;
  readonly #moved: Ticket<FloatType>;

  /** @internal use linearize or taylorExpand */
  constructor(model: Model, order: number) {
    if (!Number.isInteger(order) || order < 0 || order > MOST) {
      throw new RangeError(`taylorExpand: order must be a whole number from 0 to ${MOST}, got ${order}.`);
    }
    const { core, net, inputShape, dtype } = model;
    super(core, net, { inputShape, dtype, parameters: model.parameters });
    this.order = order;
    this.#own = core.heap.region();
    this.#origin = this.#own.put(core.heap.read(this.theta));
    this.#moved = this.#own.alloc(dtype, this.parameterCount);
  }

  /** Linear in theta: the tangent is that of the net at theta0, everywhere. Higher orders share it at theta0 alone. */
  override get expansionPoint(): readonly Tensors[] | null {
    const { heap } = this.core;
    const still = (): boolean => {
      const origin = heap.read(this.#origin);
      return heap.read(this.theta).every((value, i) => value === origin[i]);
    };
    const here = super.expansionPoint; // an error after dispose()
    return here && (this.order === 1 || (this.order > 1 && still()))
      ? tensorsOf(this.slots, this.#origin)
      : null;
  }

  override coefficients(
    x: TensorLike,
    direction: readonly LayerParametersLike[],
    order: number,
    call: CallInputs = {},
  ): Tensor[] {
    if (this.order !== 1)
      throw new UnsupportedError('The power series of a Taylor model of order other than 1');
    const [, moved] = super.coefficients(x, direction, 1, call);
    const outputs = this.forward(x, call);
    const zero = (): Tensor => tensor(this.array(outputs.data.length), outputs.shape);
    return Array.from({ length: order + 1 }, (_, m) => (m === 0 ? outputs : m === 1 ? moved! : zero()));
  }

  override run(machine: Machine): Numbers {
    combine(machine, 1, this.theta, 0, this.#moved);
    combine(machine, -1, this.#origin, 1, this.#moved);
    machine.theta = tensorsOf(this.slots, this.#origin);
    machine.direction = tensorsOf(this.slots, this.#moved);
    const length = machine.n * this.outputSize;
    const sum = machine.scratch('taylor', length);
    for (let m = 0; m <= this.order; m++) {
      machine.forward(m);
      combine(machine, 1, slice(machine.value(this.program.output, m), 0, length), m === 0 ? 0 : 1, sum);
    }
    return sum;
  }

  override runBack(machine: Machine): void {
    const beta = machine.gradientBeta;
    if (this.order === 0 && machine.gradients && beta === 0) {
      for (const { w, b } of machine.gradients) {
        this.core.heap.fill(w, 0);
        if (b) this.core.heap.fill(b, 0);
      }
    }
    for (let m = 0; m < this.order; m++) {
      if (m > 0) this.core.heap.fill(machine.cotangent(this.program.output, m), 0);
      machine.gradientBeta = m === 0 ? beta : 1;
      machine.backward(m);
    }
    machine.gradientBeta = beta;
  }

  override dispose(): void {
    super.dispose();
    this.#own.dispose();
  }
}

/**
 * f(theta0) + J (theta - theta0): the model that infinite width trains. Any loss, optimiser and call takes it for the
 * model.
 */
export function linearize(model: Model): TaylorModel {
  return new TaylorModel(model, 1);
}

/**
 * The Taylor model of degree `order`; nets with layerNorm or softmax attention have gradients up to order 1.
 * RangeError for other orders, UnsupportedError for such nets beyond order 1.
 */
export function taylorExpand(model: Model, order: number): TaylorModel {
  return new TaylorModel(model, order);
}
