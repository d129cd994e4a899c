import type { Allocator, Core } from '../../wasm/engine.js';
import { GramNet } from './gram-net.js';
import { HiddenNet, type Batch, type StepRule } from './hidden-net.js';
import { coordinates, decompose, evaluate, grams, increments } from './hidden-probes.js';
import { restoreState, saveState } from './hidden-state.js';
import { drawWeights, keepStart, readWeights, scaleWeights, setWeights } from './hidden-start.js';
import { plainObjective } from './loss.js';
import { multipliers, type LayerFactors } from '../theory/multipliers.js';
import type {
  BinaryData,
  RunCheckpoint,
  Coordinates,
  Increments,
  OneHiddenModel,
  Resume,
  RunParams,
  RunTrace,
  Terms,
} from './run.js';
import { inGramSpace } from './space.js';
import { Loop } from './train.js';

/** Trains one net; reports epochs done and, where `resume` asks for them, checkpoints. */
export function trainRun(
  core: Core,
  params: RunParams,
  report?: (message: number | RunCheckpoint) => void,
  resume?: Resume,
): RunTrace {
  const region = core.heap.region();
  try {
    const model = new FiniteModel(core, region, params);
    return new Loop(core, model, plainObjective(params.loss), params).go(report, resume);
  } finally {
    region.dispose();
  }
}

/** A scaled finite net as the loop trains it. */
export class FiniteModel implements OneHiddenModel {
  readonly rates: { readonly input: number; readonly output: number };
  readonly #core: Core;
  readonly #p: RunParams;
  readonly #net: HiddenNet;
  readonly #rule: StepRule;
  readonly #train: Batch;
  readonly #test: Batch;
  /** Constant parts of init-corrected outputs: f_un(0) - f(0), or f_un(0); in stored order. */
  #shift: { readonly train: Float64Array; readonly test: Float64Array } | null = null;
  #order: Int32Array | null = null;

  constructor(core: Core, memory: Allocator, p: RunParams) {
    this.#core = core;
    this.#p = p;
    const { data, dtype } = p;
    const put = (values: Float64Array): Batch => ({
      x: dtype === 'f32' ? memory.put(Float32Array.from(values)) : memory.put(Float64Array.from(values)),
      rows: values.length / data.inputs,
    });
    this.#train = put(data.xTrain);
    this.#test = put(data.xTest);
    const shape = {
      width: p.width,
      inputs: data.inputs,
      rows: p.batchSize,
      dtype,
      activation: p.activation,
    };
    this.#net = inGramSpace(p)
      ? new GramNet(core, memory, shape, this.#train, p.batchSize)
      : new HiddenNet(core, memory, shape);
    const factors = p.factors ?? multipliers(p.scaling, p.width / p.baseWidth, { optimizer: p.optimizer });
    this.rates = {
      input: p.learningRate * factors.rates.input,
      output: p.learningRate * factors.rates.output,
    };
    this.#rule =
      p.optimizer === 'sgd'
        ? { kind: 'sgd', ...this.rates }
        : {
            kind: p.optimizer,
            ...this.rates,
            beta1: 0.9,
            beta2: p.optimizer === 'adam' ? 0.999 : 0.99,
            eps: 1e-8,
          };
    this.#start(factors, memory);
  }

  #start(factors: LayerFactors, memory: Allocator): void {
    const net = this.#net;
    const { weights, init, seed, mode, keep, scaling, particles } = this.#p;
    if (weights) setWeights(net, weights.input, weights.output);
    else drawWeights(net, seed, init.law, init.gain, particles?.pairs ?? false);
    const correction = scaling.initCorrection;
    const both = (): { train: Float64Array; test: Float64Array } => ({
      train: evaluate(net, this.#train).f,
      test: evaluate(net, this.#test).f,
    });
    const unscaled = correction === 'none' ? null : both();
    scaleWeights(net, 'a', particles?.outputStart ?? factors.weights.output);
    scaleWeights(net, 'w', particles?.inputStart ?? 1);
    if (mode !== 'full' || correction === 'mask' || keep.decomposition || keep.increments || keep.coordinates)
      keepStart(net, memory);
    if (!unscaled) {
      net.mode = { frozenGradient: mode !== 'full', firstOrder: mode === 'firstOrder' };
    } else if (correction === 'mask') {
      if (net.slope === null) {
        throw new RangeError(
          "train: initCorrection 'mask' needs an on/off activation (leakyRelu, relu). Use 'simple'.",
        );
      }
      net.mode = { maskedStart: true };
      this.#shift = unscaled;
    } else {
      const start = both();
      const difference = (part: 'train' | 'test'): Float64Array =>
        unscaled[part].map((u, i) => u - start[part][i]!);
      this.#shift = { train: difference('train'), test: difference('test') };
    }
    if (net instanceof GramNet) net.begin();
  }

  #batch(first: number, rows: number): Batch {
    const { inputs } = this.#p.data;
    const { ptr, dtype } = this.#train.x;
    const bytes = dtype === 'f32' ? 4 : 8;
    return {
      x: { ptr: (ptr + first * inputs * bytes) as typeof ptr, length: rows * inputs, dtype },
      rows,
      first,
    };
  }

  #corrected(f: Float64Array, first: number): Float64Array {
    const shift = this.#shift?.train;
    return shift ? f.map((value, i) => value + shift[this.#order ? this.#order[first + i]! : first + i]!) : f;
  }

  forward(first: number, rows: number): Float64Array {
    return this.#corrected(this.#net.forward(this.#batch(first, rows)), first);
  }

  step(first: number, rows: number, g: Float64Array, next: { first: number; rows: number }): Float64Array {
    const f = this.#net.step(this.#batch(first, rows), g, this.#rule, this.#batch(next.first, next.rows));
    return this.#corrected(f, next.first);
  }

  reorder(order: Int32Array): void {
    const { inputs, xTrain } = this.#p.data;
    const x = new Float64Array(xTrain.length);
    order.forEach((from, to) => x.set(xTrain.subarray(from * inputs, (from + 1) * inputs), to * inputs));
    this.#core.heap.write(this.#train.x, x);
    this.#order = order;
  }

  evaluate(
    part: 'train' | 'test',
    points = 0,
  ): { f: Float64Array; outputKernel: Float64Array; inputKernel: Float64Array } {
    if (part === 'train') {
      const { f } = evaluate(this.#net, this.#train);
      const shown = this.#corrected(f, 0);
      if (!this.#order)
        return { f: shown, outputKernel: new Float64Array(), inputKernel: new Float64Array() };
      const stored = new Float64Array(f.length);
      this.#order.forEach((from, to) => (stored[from] = shown[to]!));
      return { f: stored, outputKernel: new Float64Array(), inputKernel: new Float64Array() };
    }
    const { f, ka, kw } = evaluate(this.#net, this.#test, points);
    const shift = this.#shift?.test;
    return {
      f: shift ? f.map((value, i) => value + shift[i]!) : f,
      outputKernel: ka.map((value) => this.rates.output * value),
      inputKernel: kw.map((value, i) => this.rates.input * value * dotRows(this.#p.data, i, i)),
    };
  }

  grams(points: number): { output: Float64Array; input: Float64Array } {
    const { x } = this.#test;
    const batch = { x: { ...x, length: points * this.#p.data.inputs }, rows: points };
    const { ka, kw } = grams(this.#net, batch);
    return {
      output: ka.map((value) => this.rates.output * value),
      input: kw.map(
        (value, at) => this.rates.input * value * dotRows(this.#p.data, Math.floor(at / points), at % points),
      ),
    };
  }

  increments(): Increments {
    return increments(this.#net);
  }
  coordinates(): Coordinates {
    return coordinates(this.#net, this.#test);
  }
  decompose(): Terms {
    return decompose(this.#net, this.#test);
  }
  save(): RunCheckpoint['state'] {
    return saveState(this.#net, this.#p.optimizer !== 'sgd');
  }
  restore(state: RunCheckpoint['state']): void {
    restoreState(this.#net, state, this.#p.optimizer !== 'sgd');
  }
  weights(): { input: Float64Array; output: Float64Array } {
    return readWeights(this.#net);
  }
}

/** Inner product of two test inputs. */
export function dotRows({ xTest, inputs }: BinaryData, i: number, j: number): number {
  let sum = 0;
  for (let k = 0; k < inputs; k++) sum += xTest[i * inputs + k]! * xTest[j * inputs + k]!;
  return sum;
}
