// What the factorised tangent kernel is made of, for one block of samples: the inputs of every layer with weights and, per
// output, the cotangents of what it returns. Never a Jacobian.
import { isWeightOperation } from '../layers/affine/finite.js';
import { denseMap } from '../layers/affine/dense.js';
import { sizeOfShape, type Numbers, type Operation, type WeightOperation } from '../layers/finite.js';
import { after, kernelOf } from '../layers/rows.js';
import { Machine, type CallOptions } from '../net/machine.js';
import { expansionPointOf, type Model } from '../net/model.js';
import { bytesPerElement } from '../wasm/engine.js';

/** One layer with weights on one block of samples. */
export interface LayerSignals {
  readonly operation: WeightOperation;
  /** (n, input size). */
  readonly x: Numbers;
  /** (outputs, n, positions, channels). */
  readonly g: Numbers;
}

/** Where an operation lies among the positions of its layer. */
interface Use {
  readonly layer: LayerSignals;
  readonly at: number;
  readonly step: number;
}

/** The operations of every wanted parameter, in document order. */
function groups(operations: readonly Operation[], wanted: ReadonlySet<number>): WeightOperation[][] {
  const found = new Map<number, WeightOperation[]>();
  for (const operation of operations) {
    if (!isWeightOperation(operation) || !wanted.has(operation.parameter)) continue;
    const group = found.get(operation.parameter);
    if (group) group.push(operation);
    else found.set(operation.parameter, [operation]);
  }
  return [...found.values()];
}

function copyRows(
  machine: Machine,
  {
    rows,
    width,
    x,
    xStep,
    y,
    yStep,
  }: {
    readonly rows: number;
    readonly width: number;
    readonly x: Numbers;
    readonly xStep: number;
    readonly y: { readonly ptr: number };
    readonly yStep: number;
  },
): void {
  kernelOf(machine.core, 'rowsCombine', machine.dtype)(rows, width, 1, x.ptr, xStep, 0, y.ptr, yStep);
}

export class Signals {
  readonly machine: Machine;
  readonly n: number;
  readonly layers: readonly LayerSignals[];

  readonly #uses = new Map<WeightOperation, Use>();

  /** Runs `n` samples forward; `wanted` are parameter indices. The cotangents come with `backward`. */
  constructor(
    model: Model,
    data: Float64Array | Float32Array,
    n: number,
    wanted: ReadonlySet<number>,
    call: CallOptions = {},
  ) {
    const { core, program, dtype } = model;
    this.n = n;
    const theta = expansionPointOf('empiricalNtk', model);
    this.machine = new Machine(core, program, dtype, n);
    const { machine } = this;
    machine.theta = theta;
    machine.begin(n, call);
    machine.setInput(data);
    machine.forward(0);
    const size = sizeOfShape(program.outputShape);
    this.layers = groups(program.operations, wanted).map((group) => {
      const layer = this.#layer(group, size);
      const step = layer.operation.map.positions / group.length;
      group.forEach((operation, at) => this.#uses.set(operation, { layer, at: at * step, step }));
      return layer;
    });
  }

  /** One backward pass per output; pauses after each. */
  *backward(): Generator<void, void> {
    const { machine, n } = this;
    const { outputShape, output } = machine.program;
    const size = sizeOfShape(outputShape);
    const unit = new Float64Array(n * size);
    for (let i = 0; i < size; i++) {
      unit.fill(0);
      for (let s = 0; s < n; s++) unit[s * size + i] = 1;
      machine.core.heap.write(machine.cotangent(output, 0), unit);
      machine.backward(0, (operation) => {
        const use = this.#uses.get(operation as WeightOperation);
        if (use) this.#keep(use, machine.cotangent(operation.output, 0), i);
      });
      yield;
    }
  }

  /** Uses of one parameter as one layer: those of a recurrent layer are positions that share weights. */
  #layer(group: readonly WeightOperation[], outputs: number): LayerSignals {
    const { machine, n } = this;
    const [first] = group as [WeightOperation];
    const { map, parameter } = first;
    const positions = map.positions * group.length;
    const g = machine.scratch(`signals ${parameter}`, outputs * n * positions * map.channels);
    const inputs = group.map((operation) => machine.value(operation.inputs[0]!, 0));
    if (group.length === 1) return { operation: first, x: inputs[0]!, g };
    const operation = { ...first, map: denseMap(positions, map.fanIn, map.channels) };
    const x = machine.scratch(`inputs ${parameter}`, n * positions * map.fanIn);
    const width = map.positions * map.fanIn;
    for (const [at, input] of inputs.entries())
      copyRows(machine, {
        rows: n,
        width,
        x: input,
        xStep: width,
        y: after(machine, x, at * width),
        yStep: positions * map.fanIn,
      });
    return { operation, x, g };
  }

  #keep({ layer, at, step }: Use, cotangent: Numbers, output: number): void {
    const { machine, n } = this;
    const { positions, channels } = layer.operation.map;
    const [width, all] = [step * channels, positions * channels];
    const to = after(machine, layer.g, (output * n * positions + at) * channels);
    copyRows(machine, { rows: n, width, x: cotangent, xStep: width, y: to, yStep: all });
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
