// The gradients of every output of every sample as power series along a direction of the parameters: coefficient m of
// grad f_p(theta + eps v). Row p = sample * outputs + output. Any net whose layers have cotangents of that order.
import type { Numbers } from '../layers/finite.js';
import type { TensorLike } from '../math/tensor.js';
import { gemm } from '../math/matmul.js';
import { Machine } from '../net/machine.js';
import type { Model } from '../net/model.js';
import { tensorsOf } from '../net/parameters.js';
import { slice, UnsupportedError, type Core } from '../wasm/engine.js';

export class GradientSeries {
  readonly rows: number;
  readonly #model: Model;
  readonly #data: Float64Array | Float32Array;
  /** For one sample at a time: a row's gradient is that of a single sample. */
  readonly #machine: Machine;

  constructor(where: string, model: Model, x: TensorLike) {
    const { data, n } = model.input(where, x);
    if (model.expansionPoint !== model.tensors) {
      throw new UnsupportedError(`${where} of a Taylor model`, 'Give the net that it expands.');
    }
    this.#model = model;
    this.#data = data;
    this.rows = n * model.outputSize;
    this.#machine = new Machine(model.core, model.program, model.dtype, 1);
  }

  /** Writes coefficients 0, 1, ... along `direction` (all parameters) into matrices (rows, parameters). */
  fill(direction: Numbers | null, into: readonly Numbers[]): void {
    const { core, program, slots, tensors, parameterCount: count, outputSize: o } = this.#model;
    const machine = this.#machine;
    machine.theta = tensors;
    machine.direction = direction && tensorsOf(slots, direction);
    const width = program.sizes[0]!;
    for (let s = 0; s * o < this.rows; s++) {
      machine.begin(1);
      machine.setInput(this.#data.subarray(s * width, (s + 1) * width));
      into.forEach((_, m) => machine.forward(m));
      for (let i = 0; i < o; i++) {
        into.forEach((matrix, m) => {
          const unit = new Float64Array(o);
          if (m === 0) unit[i] = 1;
          core.heap.write(machine.cotangent(program.output, m), unit);
          machine.gradients = tensorsOf(slots, slice(matrix, (s * o + i) * count, count));
          machine.gradientBeta = 0;
          machine.backward(m);
        });
      }
    }
  }

  dispose(): void {
    this.#machine.dispose();
  }
}

/** A B^T of two matrices of `rows` rows. */
export function products(
  core: Core,
  a: Numbers,
  b: Numbers,
  rows: number,
  alpha = 1,
): Float64Array<ArrayBuffer> {
  return core.heap.scope((scope) => {
    const c = scope.alloc(a.dtype, rows * rows);
    gemm(core, [a, b, c], [rows, rows, a.length / rows], { transB: true, alpha });
    return Float64Array.from(core.heap.read(c));
  });
}
