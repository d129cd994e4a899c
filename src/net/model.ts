// A finite net: parameters in wasm memory, and everything that can be asked of them for a batch of inputs.
import { sizeOfShape, type Numbers, type Tensors } from '../layers/finite.js';
import type { Shape } from '../layers/shapes.js';
import { allocate, asTensor, assertFinite, tensor, type Tensor, type TensorLike } from '../math/tensor.js';
import type { RandomKey } from '../math/random.js';
import {
  bytesPerElement,
  knownFields,
  knownWord,
  UnsupportedError,
  type Core,
  type Fields,
  type FloatType,
  type Region,
  type Ticket,
} from '../wasm/engine.js';
import { parseNet, type Net, type NetDocument } from './document.js';
import { checkLoss, evaluateLoss, prepareTargets, type LossName, type Reduction } from './losses.js';
import { Machine, type CallOptions } from './machine.js';
import {
  countOf,
  drawParameters,
  flatten,
  slotsOf,
  tensorsOf,
  unflatten,
  type InitKind,
  type LayerParameters,
  type LayerParametersLike,
  type Slot,
} from './parameters.js';
import { compile, type Program } from './program.js';
import { perLayer, widen, type PerLayer, type TensorNumbers } from './width.js';

export interface ModelOptions {
  /** Shape of one sample: spatial axes, then channels. */
  readonly inputShape: Shape;
  /** Whole number >= 0; default 0. The same seed gives the same bits everywhere. */
  readonly seed?: number;
  readonly dtype?: FloatType;
  /** `gaussian` (default) or `uniform` with the same standard deviation. */
  readonly init?: InitKind;
  /** Instead of drawing them: one entry per layer with weights, in document order. */
  readonly parameters?: readonly LayerParametersLike[];
  /** With `baseWidth`: units and channels of all hidden layers are multiplied by width/baseWidth. */
  readonly width?: number;
  readonly baseWidth?: number;
  /**
   * Factors on the initial parameters (also on given ones): one per layer with weights, or by role. `biases` of `multipliers`
   * undo that a framework draws biases with 1/sqrt(fan-in), so they act on given parameters; biases that are drawn here
   * have the deviation `bStd` at every width, and keep it.
   */
  readonly multipliers?: PerLayer;
}

/** What a call may bring beside the inputs. */
export interface CallInputs {
  /** A number that names the dropout masks; without it dropout layers are the identity. */
  readonly dropoutKey?: RandomKey;
  /** Edge weights (n, v, v) for aggregate layers. */
  readonly pattern?: TensorLike;
}

export interface Gradients {
  readonly loss: number;
  readonly outputs: Tensor;
  readonly gradients: readonly LayerParameters[];
}

const CALL: Fields<CallInputs> = { dropoutKey: true, pattern: true };

const GRADIENT_OPTIONS: Fields<CallInputs & { reduction?: Reduction }> = {
  dropoutKey: true,
  pattern: true,
  reduction: true,
};

/**
 * A finite net with parameters of its own. Its memory lives until `dispose()`.
 */
export class Model {
  readonly core: Core;
  readonly net: Net;
  readonly dtype: FloatType;
  readonly inputShape: Shape;
  readonly outputShape: Shape;
  readonly parameterCount: number;
  /** @internal */
  readonly program: Program;
  /** @internal */
  readonly slots: readonly Slot[];
  readonly #region: Region;
  readonly #theta: Ticket<FloatType>;
  readonly #tensors: readonly Tensors[];
  #machine: Machine | null = null;
  #disposed = false;
  #isTrained = false;

  /** @internal use createModel */
  constructor(core: Core, document: NetDocument, options: ModelOptions) {
    const { width, baseWidth, dtype = 'f64', seed = 0, init = 'gaussian' } = options;
    if ((width === undefined) !== (baseWidth === undefined)) {
      throw new RangeError('createModel: give width and baseWidth together.');
    }
    knownWord('createModel', 'init', init, ['gaussian', 'uniform']);
    if (dtype !== 'f32' && dtype !== 'f64') {
      throw new RangeError(`createModel: dtype must be 'f32' or 'f64', got ${String(dtype)}.`);
    }
    this.net = parseNet(width === undefined ? document : widen(document, width, baseWidth!));
    this.core = core;
    this.dtype = dtype;
    this.program = compile(this.net, options.inputShape);
    this.inputShape = this.program.inputShape;
    this.outputShape = this.program.outputShape;
    this.slots = slotsOf(this.program.parameters);
    this.parameterCount = countOf(this.slots);
    const bytes = this.parameterCount * bytesPerElement(dtype);
    if (bytes > core.memoryBytes) {
      throw new RangeError(
        `createModel: ${this.parameterCount} parameters need ${bytes} bytes, the limit is ${core.memoryBytes}. Use a narrower net or f32.`,
      );
    }
    const flat = options.parameters
      ? flatten('createModel: parameters', this.slots, options.parameters, dtype)
      : drawParameters(core, this.slots, { seed, init, dtype });
    if (options.multipliers) scale(flat, this.slots, initialFactors(options, this.slots.length));
    this.#region = core.heap.region();
    this.#theta = this.#region.put(flat as Float64Array<ArrayBuffer>);
    this.#tensors = tensorsOf(this.slots, this.#theta);
  }

  /** @internal the flat vector of all parameters. TypeError after `dispose()`: its memory may be another model's by then. */
  get theta(): Ticket<FloatType> {
    this.#alive();
    return this.#theta;
  }

  /** @internal the same, layer by layer */
  get tensors(): readonly Tensors[] {
    this.#alive();
    return this.#tensors;
  }

  /** @internal one trainer at a time: the updates of two would mix. TypeError for a second; returns what ends the first. */
  claim(where: string): () => void {
    this.#alive();
    if (this.#isTrained)
      throw new TypeError(
        `${where}: the model is being trained by another call that has not ended. Let it end, call return() on its iterator, or train another model.`,
      );
    this.#isTrained = true;
    return () => (this.#isTrained = false);
  }

  #alive(): void {
    if (this.#disposed) throw new TypeError('model: used after dispose(). Create another one.');
  }

  /** Outputs (n, ...) for inputs (n, ...inputShape). */
  forward(x: TensorLike, call: CallInputs = {}): Tensor {
    knownFields('forward', call, CALL);
    const { data, n } = this.input('forward', x);
    const outputs = this.outputSize;
    const result = this.array(n * outputs);
    this.chunks(n, data, call, (machine, first) => {
      const part = this.core.heap.read(this.run(machine), 0, machine.n * outputs);
      result.set(part, first * outputs);
    });
    return tensor(result, [n, ...this.outputShape]);
  }

  /** Loss, outputs and the gradient of every parameter. */
  gradients(
    x: TensorLike,
    y: TensorLike,
    loss: LossName,
    options: CallInputs & { reduction?: Reduction } = {},
  ): Gradients {
    knownFields('gradients', options, GRADIENT_OPTIONS);
    const { reduction, ...call } = options;
    knownFields('gradients', call, CALL);
    const { data, n } = this.input('gradients', x);
    checkLoss('gradients', loss);
    const targets = prepareTargets('gradients', loss, asTensor(y, 'gradients: y'), n, this.outputSize);
    const outputs = this.forward(x, call);
    const result = evaluateLoss(this.core, loss, outputs.data, targets, {
      outputs: this.outputSize,
      reduction,
    });
    return { loss: result.loss, outputs, gradients: this.pullBack(data, result.cotangent, call) };
  }

  /** J(x)^T v: the gradient of sum(v * outputs). */
  vectorJacobian(x: TensorLike, v: TensorLike, call: CallInputs = {}): LayerParameters[] {
    knownFields('vectorJacobian', call, CALL);
    const { data, n } = this.input('vectorJacobian', x);
    const { data: cotangent } = asTensor(v, 'vectorJacobian: v');
    if (cotangent.length !== n * this.outputSize) {
      throw new RangeError(
        `vectorJacobian: v must have ${n * this.outputSize} entries (samples x outputs), got ${cotangent.length}.`,
      );
    }
    return this.pullBack(data, cotangent, call);
  }

  /** J(x) u: the derivative of the outputs when the parameters move along `direction`. */
  jacobianVector(x: TensorLike, direction: readonly LayerParametersLike[], call: CallInputs = {}): Tensor {
    return this.coefficients(x, direction, 1, call)[1]!;
  }

  /** The outputs at parameters + eps direction as a power series: coefficients 0 .. order of eps. */
  coefficients(
    x: TensorLike,
    direction: readonly LayerParametersLike[],
    order: number,
    call: CallInputs = {},
  ): Tensor[] {
    knownFields('coefficients', call, CALL);
    const theta = expansionPointOf('coefficients', this);
    const flat = flatten('direction', this.slots, direction, this.dtype);
    const { data, n } = this.input('coefficients', x);
    const size = this.outputSize;
    const results = Array.from({ length: order + 1 }, () => this.array(n * size));
    this.core.heap.scope((scope) => {
      const moved = tensorsOf(this.slots, scope.put(flat as Float64Array<ArrayBuffer>));
      this.chunks(n, data, call, (machine, first) => {
        machine.theta = theta;
        machine.direction = moved;
        for (let m = 0; m <= order; m++) {
          machine.forward(m);
          const part = this.core.heap.read(machine.value(this.program.output, m), 0, machine.n * size);
          results[m]!.set(part, first * size);
        }
      });
    });
    return results.map((result) => tensor(result, [n, ...this.outputShape]));
  }

  /** A copy of the parameters, one entry per layer with weights. */
  get parameters(): LayerParameters[] {
    return unflatten(this.slots, this.core.heap.read(this.theta));
  }

  setParameters(list: readonly LayerParametersLike[]): void {
    this.core.heap.write(this.theta, flatten('setParameters', this.slots, list, this.dtype));
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#machine?.dispose();
    this.#machine = null;
    this.#region.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Numbers per sample of the output. */
  get outputSize(): number {
    return sizeOfShape(this.outputShape);
  }

  /**
   * @internal the parameters at which the program's tangents and cotangents of order 0 are those of this model, or null:
   * expansions override it
   */
  get expansionPoint(): readonly Tensors[] | null {
    return this.tensors;
  }

  /** @internal runs the samples of the machine forward; where the outputs are */
  run(machine: Machine): Numbers {
    machine.forward(0);
    return machine.value(this.program.output, 0);
  }

  /** @internal from the outputs' cotangent of order 0 to the gradients */
  runBack(machine: Machine): void {
    machine.backward(0);
  }

  /** @internal checked inputs */
  input(where: string, x: TensorLike): { data: Float64Array | Float32Array; n: number } {
    const value = asTensor(x, `${where}: x`);
    const { shape, data } = value;
    if (
      shape.length !== this.inputShape.length + 1 ||
      this.inputShape.some((size, i) => size !== shape[i + 1])
    ) {
      throw new RangeError(
        `${where}: x must have shape [n, ${this.inputShape.join(', ')}], got [${shape.join(', ')}].`,
      );
    }
    assertFinite(value, `${where}: x`);
    return { data, n: shape[0]! };
  }

  /** @internal an array of the model's precision */
  array(length: number): Float64Array<ArrayBuffer> | Float32Array<ArrayBuffer> {
    return allocate(this.dtype, length, 'model: the result', 'Use fewer samples or outputs, or f32.');
  }

  /** @internal samples that fit into a quarter of the memory budget, values and cotangents counted */
  get chunkSize(): number {
    const perSample =
      this.program.sizes.reduce((sum, size) => sum + 2 * size, 0) * bytesPerElement(this.dtype);
    return Math.max(1, Math.min(1024, Math.floor(this.core.memoryBytes / 4 / perSample)));
  }

  /** @internal a machine for up to `n` samples, with these parameters */
  machine(n: number): Machine {
    this.#alive();
    if (!this.#machine || this.#machine.capacity < n) {
      this.#machine?.dispose();
      this.#machine = new Machine(this.core, this.program, this.dtype, n);
    }
    this.#machine.theta = this.tensors;
    this.#machine.direction = null;
    this.#machine.gradients = null;
    return this.#machine;
  }

  /** @internal runs `each` on consecutive chunks of samples, whose inputs have been set */
  chunks(
    n: number,
    data: Float64Array | Float32Array,
    call: CallInputs,
    each: (machine: Machine, first: number) => void,
  ): void {
    const size = Math.min(n, this.chunkSize);
    const width = this.program.sizes[0]!;
    const pattern = call.pattern ? asTensor(call.pattern, 'pattern').data : null;
    for (let first = 0; first < n; first += size) {
      const count = Math.min(size, n - first);
      const machine = this.machine(size);
      const edges = pattern ? pattern.length / n : 0;
      const options: CallOptions = {
        first,
        dropoutKey: call.dropoutKey ?? null,
        pattern: pattern ? Float64Array.from(pattern.subarray(first * edges, (first + count) * edges)) : null,
      };
      machine.begin(count, options);
      machine.setInput(data.subarray(first * width, (first + count) * width));
      each(machine, first);
    }
  }

  /** @internal J^T cotangent, a flat vector in a list of layers */
  pullBack(
    data: Float64Array | Float32Array,
    cotangent: ArrayLike<number>,
    call: CallInputs,
  ): LayerParameters[] {
    const n = data.length / this.program.sizes[0]!;
    const size = this.outputSize;
    return this.core.heap.scope((scope) => {
      const flat = scope.zeros(this.dtype, this.parameterCount);
      const tensors = tensorsOf(this.slots, flat);
      this.chunks(n, data, call, (machine, first) => {
        this.run(machine);
        machine.gradients = tensors;
        machine.gradientBeta = 1;
        const part = Array.prototype.slice.call(cotangent, first * size, (first + machine.n) * size);
        this.core.heap.write(machine.cotangent(this.program.output, 0), part);
        this.runBack(machine);
      });
      return unflatten(this.slots, this.core.heap.read(flat));
    });
  }
}

/** @internal `model.expansionPoint`, where there is one */
export function expansionPointOf(where: string, model: Model): readonly Tensors[] {
  if (model.expansionPoint) return model.expansionPoint;
  throw new UnsupportedError(
    `${where}: the tangent of a Taylor model of order 0, or of order 2 and more away from its origin,`,
    'Use order 1 (its kernel is that of the net at the origin), or a net with these parameters.',
  );
}

function initialFactors({ multipliers, parameters }: ModelOptions, count: number): TensorNumbers[] {
  const factors = perLayer('createModel: multipliers', multipliers!, count);
  const isRelative = 'biases' in multipliers! && !parameters;
  return isRelative ? factors.map(({ w }) => ({ w, b: 1 })) : factors;
}

function scale(
  flat: Float64Array | Float32Array,
  slots: readonly Slot[],
  factors: readonly TensorNumbers[],
): void {
  slots.forEach(({ offset, wSize, bSize }, i) => {
    const { w, b } = factors[i]!;
    for (let j = 0; j < wSize + bSize; j++) flat[offset + j]! *= j < wSize ? w : b;
  });
}

/** @internal */
export const MODEL_OPTIONS: Fields<ModelOptions> = {
  inputShape: true,
  seed: true,
  dtype: true,
  init: true,
  parameters: true,
  width: true,
  baseWidth: true,
  multipliers: true,
};

/**
 * A finite net of the document `net` for samples of `inputShape`. Synchronous: it computes on the engine's own core.
 * RangeError for nets, shapes, parameters or sizes that do not fit.
 */
export function createModel(core: Core, net: NetDocument, options: ModelOptions): Model {
  knownFields('createModel', options, MODEL_OPTIONS);
  return new Model(core, net, options);
}
