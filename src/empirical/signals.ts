// What the factorised tangent kernel is made of, for one block of samples: the inputs of every layer with weights and, per
// output, the cotangents of what it returns. Never a Jacobian.
import { isWeightOperation } from '../layers/affine/finite.js';
import { sizeOfShape, type Numbers, type WeightOperation } from '../layers/finite.js';
import { combine } from '../layers/rows.js';
import { Machine } from '../net/machine.js';
import type { Model } from '../net/model.js';
import { bytesPerElement, slice } from '../wasm/engine.js';

/** One layer with weights on one block of samples. */
export interface LayerSignals {
  readonly operation: WeightOperation;
  /** (n, input size). */
  readonly x: Numbers;
  /** (outputs, n, positions, channels). */
  readonly g: Numbers;
}

export class Signals {
  readonly machine: Machine;
  readonly n: number;
  readonly layers: readonly LayerSignals[];
  readonly outputs: Float64Array | Float32Array;

  /** Runs `n` samples forward and one backward pass per output. `wanted` are parameter indices. */
  constructor(model: Model, data: Float64Array | Float32Array, n: number, wanted: ReadonlySet<number>) {
    const { core, program, dtype } = model;
    this.n = n;
    this.machine = new Machine(core, program, dtype, n);
    const { machine } = this;
    machine.theta = model.tensors;
    machine.begin(n);
    machine.setInput(data);
    machine.forward(0);
    const size = sizeOfShape(program.outputShape);
    this.outputs = core.heap.read(machine.value(program.output, 0), 0, n * size);
    const layers = new Map<WeightOperation, LayerSignals>();
    for (const operation of program.operations) {
      if (!isWeightOperation(operation) || !wanted.has(operation.parameter)) continue;
      const { map, parameter } = operation;
      const g = machine.scratch(`signals ${parameter}`, size * n * map.positions * map.channels);
      layers.set(operation, { operation, x: machine.value(operation.inputs[0]!, 0), g });
    }
    this.layers = [...layers.values()];
    const unit = new Float64Array(n * size);
    for (let i = 0; i < size; i++) {
      unit.fill(0);
      for (let s = 0; s < n; s++) unit[s * size + i] = 1;
      core.heap.write(machine.cotangent(program.output, 0), unit);
      machine.backward(0, (operation) => {
        const kept = layers.get(operation as WeightOperation);
        if (!kept) return;
        const length = n * kept.operation.map.positions * kept.operation.map.channels;
        combine(
          machine,
          1,
          slice(machine.cotangent(operation.output, 0), 0, length),
          0,
          slice(kept.g, i * length, length),
        );
      });
    }
  }

  dispose(): void {
    this.machine.dispose();
  }
}

/** Bytes that one sample needs in `Signals`. */
export function signalBytes(model: Model): number {
  const { program } = model;
  const outputs = sizeOfShape(program.outputShape);
  let numbers = program.sizes.reduce((sum, size) => sum + 2 * size, 0);
  for (const operation of program.operations) {
    if (isWeightOperation(operation)) numbers += outputs * operation.map.positions * operation.map.channels;
  }
  return numbers * bytesPerElement(model.dtype);
}
