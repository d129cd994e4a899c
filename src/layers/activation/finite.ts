// Activations entry by entry: y = phi(x).
import type { Builder, Numbers, Pass, ValueRef } from '../finite.js';
import { sizeOfShape } from '../finite.js';
import { kernelOf } from '../rows.js';
import { seriesThrough, type Series } from '../series.js';
import type { ActivationLayer } from '../vocabulary.js';
import { seriesRule, type SeriesRule } from './series.js';

export function compileActivation(
  layer: ActivationLayer,
  path: string,
  builder: Builder,
  input: ValueRef,
): ValueRef {
  const output = builder.value(input.shape);
  const size = sizeOfShape(input.shape);
  const rule = seriesRule(layer);
  const [x, y] = [input.id, output.id];
  builder.push({
    path,
    inputs: [x],
    output: y,
    parameter: null,
    forward(pass, order) {
      const length = pass.n * size;
      const out = pass.value(y, order);
      if (order === 0) {
        derivative(pass, rule, 0, pass.value(x, 0), out, length);
      } else if (order === 1) {
        if (pass.isZero(x, 1)) return pass.core.heap.fill(out, 0);
        const slope = pass.scratch('slope', length);
        derivative(pass, rule, 1, pass.value(x, 0), slope, length);
        multiply(pass, length, slope, pass.value(x, 1), 0, out);
      } else seriesThrough(pass, x, y, order, length, 1, ([entry]) => [rule(entry!)]);
    },
    backward(pass, order) {
      const target = pass.addTo(x, order);
      if (!target) return;
      const length = pass.n * size;
      const slope = pass.scratch('slope', length);
      derivative(pass, rule, 1, pass.value(x, 0), slope, length);
      multiply(pass, length, slope, pass.cotangent(y, order), target.beta, target.to);
      if (order === 0 || pass.isZero(x, 1)) return;
      derivative(pass, rule, 2, pass.value(x, 0), slope, length);
      multiply(pass, length, slope, pass.value(x, 1), 0, slope);
      multiply(pass, length, slope, pass.cotangent(y, 0), 1, target.to);
    },
  });
  return output;
}

function multiply(pass: Pass, n: number, x: Numbers, y: Numbers, beta: number, z: Numbers): void {
  kernelOf(pass.core, 'rows_multiply', pass.dtype)(n, x.ptr, y.ptr, beta, z.ptr);
}

const FACTORIAL = [1, 1, 2] as const;

/** out = the derivative of order 0, 1 or 2 at every entry of x. */
function derivative(
  pass: Pass,
  rule: SeriesRule,
  order: 0 | 1 | 2,
  x: Numbers,
  out: Numbers,
  length: number,
): void {
  const { heap } = pass.core;
  const at: Series = new Float64Array(order + 1);
  if (order > 0) at[1] = 1;
  const values = Float64Array.from(heap.read(x, 0, length), (entry) => {
    at[0] = entry;
    return rule(at)[order]! * FACTORIAL[order];
  });
  heap.write(out, values);
}
