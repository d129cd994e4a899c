// Graph aggregation: y[j] = sum_i x[i] pattern[i, j] along the aggregated axes; the pattern is an argument of the call.
import type { Builder, Numbers, Pass, ValueRef } from '../finite.js';
import { sizeOfShape } from '../finite.js';
import { gemmCall, after } from '../rows.js';
import { normaliseAxis, type Shaped } from '../shapes.js';
import type { AggregateLayer } from '../vocabulary.js';
import { pushMap } from './finite.js';
import { permutation } from './rules.js';

/** Adds an aggregation; without a pattern in the call it is the identity. */
export function compileAggregate(
  { layer, path }: Shaped<AggregateLayer>,
  builder: Builder,
  input: ValueRef,
): ValueRef {
  const rank = input.shape.length;
  const spatial = input.shape.slice(0, -1).map((_, i) => i);
  const axes = layer.axis ? layer.axis.map((axis) => normaliseAxis(axis, rank + 1) - 1) : spatial;
  const rest = input.shape.map((_, i) => i).filter((i) => !axes.includes(i));
  const order = [...axes, ...rest];
  const straight = order.every((axis, i) => axis === i);
  const shape = order.map((axis) => input.shape[axis]!);
  const front = straight ? input : pushMap(builder, path, input, shape, permutation(input.shape, order));
  const v = sizeOfShape(axes.map((axis) => input.shape[axis]!));
  const output = builder.value(shape);
  const width = sizeOfShape(shape) / v;
  const run = (pass: Pass, x: Numbers, y: Numbers, back: boolean, beta: number): void =>
    aggregate(pass, { path, v, width, x, y, back, beta });
  builder.push({
    path,
    inputs: [front.id],
    output: output.id,
    parameter: null,
    forward(pass, k) {
      if (pass.isZero(front.id, k)) pass.core.heap.fill(pass.value(output.id, k), 0);
      else run(pass, pass.value(front.id, k), pass.value(output.id, k), false, 0);
    },
    backward(pass, k) {
      const target = pass.addTo(front.id, k);
      if (target) run(pass, pass.cotangent(output.id, k), target.to, true, target.beta);
    },
  });
  if (straight) return output;
  const inverse = order.map((_, i) => order.indexOf(i));
  return pushMap(builder, path, output, input.shape, permutation(shape, inverse));
}

interface Aggregation {
  readonly path: string;
  readonly v: number;
  readonly width: number;
  readonly x: Numbers;
  readonly y: Numbers;
  readonly back: boolean;
  readonly beta: number;
}

function aggregate(pass: Pass, { path, v, width, x, y, back, beta }: Aggregation): void {
  const pattern = pass.pattern() ?? identityPattern(pass.n, v);
  if (pattern.length !== pass.n * v * v) {
    throw new RangeError(
      `aggregate: ${path} needs a pattern of shape (${pass.n}, ${v}, ${v}), got ${pattern.length} numbers.`,
    );
  }
  const p = pass.scratch('pattern', pattern.length);
  pass.core.heap.write(p, pattern);
  for (let s = 0; s < pass.n; s++) {
    gemmCall(pass, {
      ...{ m: v, n: width, k: v, a: after(pass, p, s * v * v), lda: v, transA: !back },
      ...{ b: after(pass, x, s * v * width), ldb: width },
      ...{ c: after(pass, y, s * v * width), ldc: width, beta },
    });
  }
}

function identityPattern(n: number, v: number): Float64Array {
  const eye = new Float64Array(n * v * v);
  for (let s = 0; s < n; s++) for (let i = 0; i < v; i++) eye[(s * v + i) * v + i] = 1;
  return eye;
}
