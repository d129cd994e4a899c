// Activations entry by entry: y = phi(x). Frequent ones run in kernels (assembly/activation.ts), all of them as series.
import type { Builder, Numbers, Pass, ValueRef } from '../finite.js';
import { sizeOfShape } from '../finite.js';
import { kernelOf } from '../rows.js';
import { composeSeries, derivativeSeries, multiplySeries, seriesThrough } from '../series.js';
import type { ActivationLayer } from '../vocabulary.js';
import { seriesRule, type SeriesRule } from './series.js';

/** The kind and parameters of assembly/activation.ts. */
type Kernel = readonly [kind: number, a: number, b: number, c: number];

interface Parts {
  readonly x: number;
  readonly y: number;
  readonly size: number;
  readonly rule: SeriesRule;
  readonly kernel: Kernel | null;
}

export function compileActivation(
  layer: ActivationLayer,
  path: string,
  builder: Builder,
  input: ValueRef,
): ValueRef {
  const output = builder.value(input.shape);
  const parts: Parts = {
    x: input.id,
    y: output.id,
    size: sizeOfShape(input.shape),
    rule: seriesRule(layer),
    kernel: kernelKind(layer),
  };
  builder.push({
    path,
    inputs: [input.id],
    output: output.id,
    parameter: null,
    forward: (pass, order) => forward(pass, order, parts),
    backward: (pass, order) => backward(pass, order, parts),
  });
  return output;
}

function kernelKind(layer: ActivationLayer): Kernel | null {
  switch (layer.layer) {
    case 'relu':
      return [0, 0, 1, 0];
    case 'leakyRelu':
      return [0, layer.alpha, 1, 0];
    case 'abs':
      return [0, -1, 1, 0];
    case 'abRelu':
      return [0, layer.a, layer.b, 0];
    case 'tanh':
      return [1, 0, 0, 0];
    case 'sigmoid':
      return [2, 0, 0, 0];
    case 'erf':
      return [3, layer.a, layer.b, layer.c];
    case 'sin':
      return [4, layer.a, layer.b, layer.c];
    case 'gelu':
      return layer.approximate ? null : [5, 0, 0, 0];
    case 'swish':
      return [6, 0, 0, 0];
    default:
      return null;
  }
}

function forward(pass: Pass, order: number, parts: Parts): void {
  const { x, y, size, rule } = parts;
  const length = pass.n * size;
  const out = pass.value(y, order);
  if (order === 0) return derivative(pass, parts, 0, pass.value(x, 0), out, length);
  const linear = order === 1 || parts.kernel?.[0] === 0;
  if (!linear) return seriesThrough(pass, x, y, order, length, 1, ([entry]) => [rule(entry!)]);
  if (pass.isZero(x, order)) return pass.core.heap.fill(out, 0);
  timesSlope(pass, parts, pass.value(x, order), 0, out);
}

function backward(pass: Pass, order: number, parts: Parts): void {
  const { x, y } = parts;
  const target = pass.addTo(x, order);
  if (!target) return;
  timesSlope(pass, parts, pass.cotangent(y, order), target.beta, target.to);
  if (order > 0) addHigher(pass, order, parts, target.to);
}

/** out = beta out + phi'(x0) g. */
function timesSlope(pass: Pass, parts: Parts, g: Numbers, beta: number, out: Numbers): void {
  const { x, size, kernel } = parts;
  const length = pass.n * size;
  const x0 = pass.value(x, 0);
  if (kernel?.[0] === 0) {
    kernelOf(pass.core, 'bend_back', pass.dtype)(length, kernel[1], kernel[2], x0.ptr, g.ptr, beta, out.ptr);
    return;
  }
  const slope = pass.scratch('slope', length);
  derivative(pass, parts, 1, x0, slope, length);
  kernelOf(pass.core, 'rows_multiply', pass.dtype)(length, slope.ptr, g.ptr, beta, out.ptr);
}

/** out += the terms of (phi'(x) g) of order `order` in which phi' has an order above 0. */
function addHigher(pass: Pass, order: number, { x, y, size, rule, kernel }: Parts, out: Numbers): void {
  if (kernel?.[0] === 0) return; // piecewise linear
  const length = pass.n * size;
  const { heap } = pass.core;
  const xs = Array.from({ length: order + 1 }, (_, j) =>
    pass.isZero(x, j) ? new Float64Array(length) : heap.read(pass.value(x, j), 0, length),
  );
  const gs = Array.from({ length: order + 1 }, (_, j) => heap.read(pass.cotangent(y, j), 0, length));
  const sum = heap.read(out, 0, length);
  for (let i = 0; i < length; i++) {
    const at = new Float64Array(order + 2);
    at[0] = xs[0]![i]!;
    at[1] = 1;
    const steps = Float64Array.from(xs, (coefficient, j) => (j === 0 ? 0 : coefficient[i]!));
    const slope = composeSeries(derivativeSeries(rule(at)), steps);
    slope[0] = 0; // timesSlope has done it
    sum[i]! += multiplySeries(
      slope,
      Float64Array.from(gs, (coefficient) => coefficient[i]!),
    )[order]!;
  }
  heap.write(out, sum);
}

/** out = phi (order 0) or phi' (order 1) at every entry of x. */
function derivative(
  pass: Pass,
  { rule, kernel }: Parts,
  order: 0 | 1,
  x: Numbers,
  out: Numbers,
  length: number,
): void {
  if (kernel) {
    const [kind, a, b, c] = kernel;
    kernelOf(pass.core, 'activate', pass.dtype)(kind, order, length, a, b, c, x.ptr, out.ptr);
    return;
  }
  const at = new Float64Array(order + 1);
  if (order > 0) at[1] = 1;
  const values = Float64Array.from(pass.core.heap.read(x, 0, length), (entry) => {
    at[0] = entry;
    return rule(at)[order]!;
  });
  pass.core.heap.write(out, values);
}
