// The memory in which a program runs on a batch: values, cotangents and their higher orders, allocated when first used.
import type { Numbers, Operation, Pass, Target, Tensors } from '../layers/finite.js';
import { slice, type Core, type FloatType, type Region, type Ticket } from '../wasm/engine.js';
import { kernelOf } from '../layers/rows.js';
import { foldIn, type RandomKey } from '../math/random.js';
import type { Program } from './program.js';

/** What one call adds to the parameters and the input. */
export interface CallOptions {
  /** Draws the masks of dropout layers in mode 'train'; without it they are the identity. */
  readonly dropoutKey?: RandomKey | null;
  /** Edge weights (n, v, v) of aggregate layers. */
  readonly pattern?: Float64Array | null;
  /** The place of the first sample among all of the call, so that masks do not depend on how it is cut; default 0. */
  readonly first?: number;
}

export class Machine implements Pass {
  readonly core: Core;
  readonly dtype: FloatType;
  readonly program: Program;
  readonly capacity: number;
  n = 0;
  /** theta0, and theta1 when the parameters move. */
  theta: readonly Tensors[] = [];
  direction: readonly Tensors[] | null = null;
  gradients: readonly Tensors[] | null = null;
  gradientBeta = 0;
  wantsInputCotangent = false;
  #region: Region;
  /** By order, then by value: looked up several times per operation. */
  #values: Numbers[][] = [];
  #cotangents: Numbers[][] = [];
  #scratch = new Map<string, Numbers>();
  #tables = new Map<object, Ticket>();
  /** Values whose cotangent, and parameters whose gradient, this backward pass has written. */
  #writtenValues = new Set<number>();
  #writtenWeights = new Set<number>();
  #call: CallOptions = {};
  #uniforms = new Map<Operation, Numbers>();

  constructor(core: Core, program: Program, dtype: FloatType, capacity: number) {
    this.core = core;
    this.program = program;
    this.dtype = dtype;
    this.capacity = capacity;
    this.#region = core.heap.region();
  }

  /** Starts work on `n` samples. */
  begin(n: number, call: CallOptions = {}): void {
    this.n = n;
    this.#call = call;
    this.#uniforms.clear();
  }

  setInput(x: ArrayLike<number>): void {
    this.core.heap.write(this.value(0, 0), x);
  }

  /** Runs the operations forward for one order; `order` 0 first. */
  forward(order = 0): void {
    for (const operation of this.program.operations) operation.forward(this, order);
  }

  /** Runs them backward; the output's cotangent of that order must have been written. */
  backward(order = 0, observe?: (operation: Operation) => void): void {
    this.#writtenValues.clear();
    this.#writtenWeights.clear();
    this.#writtenValues.add(this.program.output);
    const { operations } = this.program;
    for (let i = operations.length - 1; i >= 0; i--) {
      const operation = operations[i]!;
      observe?.(operation);
      operation.backward(this, order);
    }
  }

  isZero(value: number, order: number): boolean {
    return value === 0 && order > 0;
  }
  value(value: number, order: number): Numbers {
    return this.#buffer(this.#values, value, order);
  }
  cotangent(value: number, order: number): Numbers {
    return this.#buffer(this.#cotangents, value, order);
  }
  addTo(value: number, order: number): Target<Numbers> | null {
    if (value === 0 && !this.wantsInputCotangent) return null;
    const beta = this.#writtenValues.has(value) ? 1 : 0;
    this.#writtenValues.add(value);
    return { to: slice(this.cotangent(value, order), 0, this.n * this.program.sizes[value]!), beta };
  }
  weights(parameter: number): Tensors {
    return this.theta[parameter]!;
  }
  displacement(parameter: number): Tensors | null {
    return this.direction ? this.direction[parameter]! : null;
  }
  gradient(parameter: number): Target<Tensors> | null {
    if (!this.gradients) return null;
    const beta = this.#writtenWeights.has(parameter) ? 1 : this.gradientBeta; // shared weights: later uses add
    this.#writtenWeights.add(parameter);
    return { to: this.gradients[parameter]!, beta };
  }
  scratch(key: string, length: number): Numbers {
    const have = this.#scratch.get(key);
    if (have && have.length >= length) return slice(have, 0, length);
    const made = this.#region.alloc(this.dtype, length);
    this.#scratch.set(key, made);
    return made;
  }
  table(key: object, make: () => Int32Array<ArrayBuffer>): Ticket<'i32'> {
    let ticket = this.#tables.get(key);
    if (!ticket) this.#tables.set(key, (ticket = this.#region.put(make())));
    return ticket as Ticket<'i32'>;
  }
  constants(key: object, make: () => Float64Array<ArrayBuffer>): Numbers {
    let ticket = this.#tables.get(key);
    if (!ticket) {
      const values = make();
      ticket = this.dtype === 'f32' ? this.#region.put(Float32Array.from(values)) : this.#region.put(values);
      this.#tables.set(key, ticket);
    }
    return ticket as Numbers;
  }
  uniforms(operation: Operation, length: number): Numbers | null {
    const { dropoutKey, first = 0 } = this.#call;
    if (!dropoutKey) return null;
    let drawn = this.#uniforms.get(operation);
    if (!drawn) {
      drawn = this.scratch(`uniform ${operation.output}`, length);
      const [high, low] = foldIn(dropoutKey, 'dropout', operation.output);
      const before = (first * length) / this.n;
      kernelOf(this.core, 'randomUniform', this.dtype)(high, low, before, length, 0, 1, drawn.ptr);
      this.#uniforms.set(operation, drawn);
    }
    return drawn;
  }
  pattern(): Float64Array | null {
    return this.#call.pattern ?? null;
  }

  #buffer(buffers: Numbers[][], value: number, order: number): Numbers {
    const ofOrder = (buffers[order] ??= []);
    return (ofOrder[value] ??= this.#region.alloc(this.dtype, this.capacity * this.program.sizes[value]!));
  }

  dispose(): void {
    this.#region.dispose();
    this.#values = [];
    this.#cotangents = [];
    this.#scratch.clear();
    this.#tables.clear();
  }
}
