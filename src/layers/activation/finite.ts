// Activations entry by entry: y = phi(x). Orders up to 3 run in kernels, higher ones as power series in TypeScript.
import type { Builder, Numbers, Pass, ValueRef } from '../finite.js';
import { sizeOfShape } from '../finite.js';
import { kernelOf } from '../rows.js';
import { composeSeries, derivativeSeries, multiplySeries, seriesThrough } from '../power-series.js';
import type { ActivationLayer } from '../vocabulary.js';
import { activationCode, type ActivationCode } from './codes.js';
import { entrywise, MOST_DERIVATIVES, powerCoefficient } from './jets.js';
import { scalarFunction } from './dual/scalar.js';
import { seriesRule, type SeriesRule } from './series-rule.js';

/** The code of the piecewise linear activations. */
const LINEAR = 0;

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
  const phi = activationCode(layer);
  const parts: Parts = {
    x: input.id,
    y: output.id,
    size: sizeOfShape(input.shape),
    rule: seriesRule(layer),
    phi: phi.code < 0 && !phi.fn ? { ...phi, fn: scalarFunction(layer) } : phi,
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
  if (pass.isZero(x, order)) return pass.core.heap.fill(out, 0); // the input of the net: no order above 0
  const highest = parts.phi.code === LINEAR ? 1 : order;
  if (highest > mostDerivatives(parts.phi))
    return seriesThrough(pass, { x, y, order, rows: length, width: 1, rule: ([entry]) => [rule(entry!)] });
  for (let k = 1; k <= highest; k++)
    timesDerivative(pass, parts, {
      k,
      g: powerCoefficient(pass, x, length, order, k),
      beta: k === 1 ? 0 : 1,
      out,
    });
}

function backward(pass: Pass, order: number, parts: Parts): void {
  const { x, y, size } = parts;
  const target = pass.addTo(x, order);
  if (!target) return;
  timesDerivative(pass, parts, { k: 1, g: pass.cotangent(y, order), beta: target.beta, out: target.to });
  if (order === 0 || parts.phi.code === LINEAR || pass.isZero(x, 1)) return;
  if (order + 1 > mostDerivatives(parts.phi)) return addHigher(pass, order, parts, target.to);
  const length = pass.n * size;
  for (let j = 1; j <= order; j++) {
    for (let k = 1; k <= j; k++) {
      const moved = powerCoefficient(pass, x, length, j, k);
      const product = entrywise(pass, moved, pass.cotangent(y, order - j), length);
      timesDerivative(pass, parts, { k: k + 1, g: product, beta: 1, out: target.to });
    }
  }
}

/** The highest derivative that needs no power series. */
const mostDerivatives = (phi: ActivationCode): number => (phi.fn ? 1 : MOST_DERIVATIVES);

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

/** out = beta out + phi^(k)(x0) g. */
function timesDerivative(
  pass: Pass,
  { x, size, phi }: Parts,
  {
    k,
    g,
    beta,
    out,
  }: { readonly k: number; readonly g: Numbers; readonly beta: number; readonly out: Numbers },
): void {
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
  const rest = [...phi.parameters, ...coefficients(pass, phi, k)];
  const x0 = pass.value(x, 0).ptr;
  kernelOf(core, 'activationProduct', dtype)(phi.code, k, n * size, x0, g.ptr, beta, out.ptr, ...rest);
}

/** Where the coefficients of the derivative lie, and how many there are. */
function coefficients(pass: Pass, phi: ActivationCode, order: number): [number, number] {
  const values = phi.coefficients[order];
  return values?.length ? [pass.constants(values, () => values).ptr, values.length] : [0, 0];
}

/** out += the terms of (phi'(x) g) of order `order` in which phi' has an order above 0, for orders beyond the kernels. */
function addHigher(pass: Pass, order: number, { x, y, size, rule }: Parts, out: Numbers): void {
  const length = pass.n * size;
  const { heap } = pass.core;
  const xs = Array.from({ length: order + 1 }, (_, j) => heap.read(pass.value(x, j), 0, length));
  const gs = Array.from({ length: order + 1 }, (_, j) => heap.read(pass.cotangent(y, j), 0, length));
  const sum = heap.read(out, 0, length);
  for (let i = 0; i < length; i++) {
    const at = new Float64Array(order + 2);
    at[0] = xs[0]![i]!;
    at[1] = 1;
    const steps = Float64Array.from(xs, (coefficient, j) => (j === 0 ? 0 : coefficient[i]!));
    const slope = composeSeries(derivativeSeries(rule(at)), steps);
    slope[0] = 0; // timesDerivative has done it
    sum[i]! += multiplySeries(
      slope,
      Float64Array.from(gs, (coefficient) => coefficient[i]!),
    )[order]!;
  }
  heap.write(out, sum);
}
