// Activations entry by entry: y = phi(x). Values and slopes run in kernels, higher orders as power series.
import type { Builder, Numbers, Pass, ValueRef } from '../finite.js';
import { sizeOfShape } from '../finite.js';
import { kernelOf } from '../rows.js';
import { composeSeries, derivativeSeries, multiplySeries, seriesThrough } from '../series.js';
import type { ActivationLayer } from '../vocabulary.js';
import { activationCode, type ActivationCode } from './codes.js';
import { seriesRule, type SeriesRule } from './series.js';

interface Parts {
  readonly x: number;
  readonly y: number;
  readonly size: number;
  readonly rule: SeriesRule;
  readonly phi: ActivationCode;
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
    phi: activationCode(layer),
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

function forward(pass: Pass, order: number, parts: Parts): void {
  const { x, y, size, rule } = parts;
  const length = pass.n * size;
  const out = pass.value(y, order);
  if (order === 0) return values(pass, parts, out);
  const linear = order === 1 || parts.phi.code === 0;
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

/** out = phi(x0). */
function values(pass: Pass, { x, size, phi }: Parts, out: Numbers): void {
  const { core, dtype, n } = pass;
  if (phi.fn) {
    const at = core.heap.read(pass.value(x, 0), 0, n * size);
    return core.heap.write(out, at.map(phi.fn.value));
  }
  const rest = [...phi.parameters, ...coefficients(pass, phi, 0)];
  kernelOf(core, 'activation', dtype)(phi.code, 0, n * size, pass.value(x, 0).ptr, out.ptr, ...rest);
}

/** out = beta out + phi'(x0) g. */
function timesSlope(pass: Pass, { x, size, phi }: Parts, g: Numbers, beta: number, out: Numbers): void {
  const { core, dtype, n } = pass;
  if (phi.fn) {
    const at = core.heap.read(pass.value(x, 0), 0, n * size);
    const [along, old] = [core.heap.read(g, 0, n * size), core.heap.read(out, 0, n * size)];
    const { slope } = phi.fn;
    return core.heap.write(
      out,
      old.map((value, i) => (beta === 0 ? 0 : beta * value) + slope(at[i]!) * along[i]!),
    );
  }
  const rest = [...phi.parameters, ...coefficients(pass, phi, 1)];
  const x0 = pass.value(x, 0).ptr;
  kernelOf(core, 'activation_product', dtype)(phi.code, 1, n * size, x0, g.ptr, beta, out.ptr, ...rest);
}

/** Where the coefficients of the derivative lie, and how many there are. */
function coefficients(pass: Pass, phi: ActivationCode, order: number): [number, number] {
  const values = phi.coefficients[order];
  return values?.length ? [pass.constants(values, () => values).ptr, values.length] : [0, 0];
}

/** out += the terms of (phi'(x) g) of order `order` in which phi' has an order above 0. */
function addHigher(pass: Pass, order: number, { x, y, size, rule, phi }: Parts, out: Numbers): void {
  if (phi.code === 0) return; // piecewise linear
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
