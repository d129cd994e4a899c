// Branches that meet: sum, product entry by entry, concatenation.
import type { Builder, Numbers, Pass, ValueRef } from '../finite.js';
import { sizeOfShape } from '../finite.js';
import { after, combine, kernelOf } from '../rows.js';
import { slice } from '../../wasm/engine.js';

/** The first `n` samples of a value's memory. */
export function used(pass: Pass, numbers: Numbers, size: number): Numbers {
  return slice(numbers, 0, pass.n * size);
}

export function pushSum(builder: Builder, path: string, inputs: readonly ValueRef[]): ValueRef {
  const output = builder.value(inputs[0]!.shape);
  const size = sizeOfShape(output.shape);
  builder.push({
    path,
    inputs: inputs.map((input) => input.id),
    output: output.id,
    parameter: null,
    forward(pass, order) {
      const y = used(pass, pass.value(output.id, order), size);
      let beta = 0;
      for (const { id } of inputs) {
        if (pass.isZero(id, order)) continue;
        combine(pass, 1, pass.value(id, order), beta, y);
        beta = 1;
      }
      if (beta === 0) pass.core.heap.fill(y, 0);
    },
    backward(pass, order) {
      const gy = used(pass, pass.cotangent(output.id, order), size);
      for (const { id } of inputs) {
        const target = pass.addTo(id, order);
        if (target) combine(pass, 1, gy, target.beta, target.to);
      }
    },
  });
  return output;
}

/** Products of more than two branches are products of products. */
export function pushProduct(builder: Builder, path: string, inputs: readonly ValueRef[]): ValueRef {
  return inputs.slice(1).reduce((left, right) => pushPair(builder, path, left, right), inputs[0]!);
}

function pushPair(builder: Builder, path: string, a: ValueRef, b: ValueRef): ValueRef {
  const size = sizeOfShape(a.shape);
  const multiply: Bilinear['apply'] = (pass, x, y, beta, z) =>
    void kernelOf(pass.core, 'rowsMultiply', pass.dtype)(pass.n * size, x.ptr, y.ptr, beta, z.ptr);
  return pushBilinear(builder, path, a, b, {
    shape: a.shape,
    maps: { apply: multiply, left: multiply, right: multiply },
  });
}

/** z = beta z + x*y for a product linear in both, and its transposes given the cotangent and the other factor. */
export interface Bilinear {
  readonly apply: (pass: Pass, x: Numbers, y: Numbers, beta: number, z: Numbers) => void;
  readonly left: (pass: Pass, g: Numbers, y: Numbers, beta: number, gx: Numbers) => void;
  readonly right: (pass: Pass, g: Numbers, x: Numbers, beta: number, gy: Numbers) => void;
}

/** Adds a product of two values; its series is the convolution of theirs. */
export function pushBilinear(
  builder: Builder,
  path: string,
  a: ValueRef,
  b: ValueRef,
  { shape, maps: { apply, left, right } }: { readonly shape: readonly number[]; readonly maps: Bilinear },
): ValueRef {
  const output = builder.value(shape);
  const transpose = (pass: Pass, order: number, mine: number, other: number, run: Bilinear['left']): void => {
    const target = pass.addTo(mine, order);
    if (!target) return;
    for (let j = 0; j <= order; j++) {
      if (pass.isZero(other, j)) continue;
      const beta = j === 0 ? target.beta : 1;
      run(pass, pass.cotangent(output.id, order - j), pass.value(other, j), beta, target.to);
    }
  };
  builder.push({
    path,
    inputs: [a.id, b.id],
    output: output.id,
    parameter: null,
    forward(pass, order) {
      const z = pass.value(output.id, order);
      let beta = 0;
      for (let j = 0; j <= order; j++) {
        if (pass.isZero(a.id, j) || pass.isZero(b.id, order - j)) continue;
        apply(pass, pass.value(a.id, j), pass.value(b.id, order - j), beta, z);
        beta = 1;
      }
      if (beta === 0) pass.core.heap.fill(z, 0);
    },
    backward(pass, order) {
      transpose(pass, order, a.id, b.id, left);
      transpose(pass, order, b.id, a.id, right);
    },
  });
  return output;
}

/** Concatenation along `axis` of the shape without samples: blocks of every branch side by side. */
export function pushConcat(
  builder: Builder,
  path: string,
  inputs: readonly ValueRef[],
  axis: number,
  shape: readonly number[],
): ValueRef {
  const output = builder.value(shape);
  const outer = sizeOfShape(shape.slice(0, axis));
  const widths = inputs.map((input) => sizeOfShape(input.shape.slice(axis)));
  const total = widths.reduce((sum, width) => sum + width, 0);
  const starts = widths.map((_, i) => widths.slice(0, i).reduce((sum, width) => sum + width, 0));
  const copy = (
    pass: Pass,
    {
      from,
      fromStep,
      beta,
      to,
      toStep,
      width,
    }: {
      readonly from: { readonly ptr: number };
      readonly fromStep: number;
      readonly beta: number;
      readonly to: { readonly ptr: number };
      readonly toStep: number;
      readonly width: number;
    },
  ): void =>
    void kernelOf(
      pass.core,
      'rowsCombine',
      pass.dtype,
    )(...[pass.n * outer, width, 1, from.ptr, fromStep, beta, to.ptr, toStep]);
  builder.push({
    path,
    inputs: inputs.map((input) => input.id),
    output: output.id,
    parameter: null,
    forward(pass, order) {
      const y = pass.value(output.id, order);
      if (inputs.some(({ id }) => pass.isZero(id, order))) pass.core.heap.fill(y, 0);
      inputs.forEach(({ id }, i) => {
        if (pass.isZero(id, order)) return;
        copy(pass, {
          from: pass.value(id, order),
          fromStep: widths[i]!,
          beta: 0,
          to: after(pass, y, starts[i]!),
          toStep: total,
          width: widths[i]!,
        });
      });
    },
    backward(pass, order) {
      const gy = pass.cotangent(output.id, order);
      inputs.forEach(({ id }, i) => {
        const target = pass.addTo(id, order);
        if (!target) return;
        copy(pass, {
          from: after(pass, gy, starts[i]!),
          fromStep: total,
          beta: target.beta,
          to: target.to,
          toStep: widths[i]!,
          width: widths[i]!,
        });
      });
    },
  });
  return output;
}
