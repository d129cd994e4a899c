// Where a one-hidden-layer net starts: weights drawn, given, scaled, and remembered.
import { foldIn, randomKey } from '../../math/random.js';
import type { Allocator, FloatType, Ticket } from '../../wasm/engine.js';
import type { HiddenNet } from './hidden-net.js';

/**
 * Weights drawn with unit variance times `gain / sqrt(fan-in)`; unit r is the same in nets of every width. With
 * `pairs` units come as (a, w), (-a, w), so that the output starts at zero, exactly: partners are a
 * SIMD vector apart, so that the output's two partial sums are each other's negatives.
 */
export function drawWeights(
  { shape: { inputs, width, dtype }, core: { heap, kernels }, blocks }: HiddenNet,
  seed: number,
  law: 'uniform' | 'normal',
  gain: number,
  pairs = false,
): void {
  const kernel = kernels[`random${law === 'normal' ? 'Normal' : 'Uniform'}_${dtype}`] as unknown as (
    ...args: number[]
  ) => void;
  const draw = (name: string, first: number, out: Ticket<FloatType>, count: number, std: number): void => {
    const [k0, k1] = foldIn(randomKey(seed), 'onehidden', name);
    const bound = std * Math.sqrt(3);
    kernel(k0, k1, first, count, law === 'uniform' ? -bound : 0, law === 'uniform' ? bound : std, out.ptr);
  };
  let unit = 0;
  for (const { w, a, units } of blocks) {
    const drawn = pairs ? units / 2 : units;
    if (!Number.isInteger(drawn))
      throw new RangeError(`train: pairs of units need an even width, got ${width}`);
    draw('input', unit * inputs, w, drawn * inputs, gain / Math.sqrt(inputs));
    draw('output', unit, a, drawn, gain / Math.sqrt(width));
    unit += drawn;
    if (!pairs) continue;
    const [rows, outputs] = [heap.read(w), heap.read(a)];
    const lanes = dtype === 'f32' ? 4 : 2;
    for (let at = units - 1; at >= 0; at--) {
      const half = at < units - (units % (2 * lanes)) ? lanes : 1; // what fills no vectors is summed one by one
      const group = at - (at % (2 * half));
      const from = group / 2 + ((at - group) % half);
      rows.copyWithin(at * inputs, from * inputs, (from + 1) * inputs);
      outputs[at] = at - group < half ? outputs[from]! : -outputs[from]!;
    }
    heap.write(w, rows);
    heap.write(a, outputs);
  }
}

/** Weights as given: input `(width, inputs)` row by row, output `(width)`. */
export function setWeights(
  { shape: { inputs }, core: { heap }, blocks }: HiddenNet,
  input: ArrayLike<number>,
  output: ArrayLike<number>,
): void {
  const part = (all: ArrayLike<number>, from: number, to: number): Float64Array =>
    Float64Array.from({ length: to - from }, (_, i) => all[from + i]!);
  let unit = 0;
  for (const { w, a, units } of blocks) {
    heap.write(w, part(input, unit * inputs, (unit + units) * inputs));
    heap.write(a, part(output, unit, unit + units));
    unit += units;
  }
}

/** The present weights, input `(width, inputs)` row by row. */
export function readWeights(net: HiddenNet): { input: Float64Array; output: Float64Array } {
  const { shape, core, blocks } = net;
  const input = new Float64Array(shape.width * shape.inputs);
  const output = new Float64Array(shape.width);
  let unit = 0;
  for (const block of blocks) {
    core.heap.scope((scope) =>
      input.set(core.heap.read(net.inputWeights(block, scope)), unit * shape.inputs),
    );
    output.set(core.heap.read(block.a), unit);
    unit += block.units;
  }
  return { input, output };
}

/** Multiplies the weights of one layer. */
export function scaleWeights({ core: { heap }, blocks }: HiddenNet, layer: 'w' | 'a', factor: number): void {
  if (factor === 1) return;
  for (const { [layer]: weights } of blocks) {
    const values = heap.read(weights);
    for (let r = 0; r < values.length; r++) values[r] = values[r]! * factor;
    heap.write(weights, values);
  }
}

/** Remembers the present weights as the initial ones, in `memory`. */
export function keepStart({ core: { heap }, blocks }: HiddenNet, memory: Allocator): void {
  for (const block of blocks) {
    block.w0 = memory.put(heap.read(block.w));
    const a = heap.read(block.a);
    block.a0 = memory.put(a);
    block.minusA0 = memory.put(a.map((value) => -value) as typeof a);
  }
}
