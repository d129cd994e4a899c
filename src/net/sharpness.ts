// The largest eigenvalue of the Gauss-Newton matrix J^T H J of the loss: 2/lambda is the largest stable learning rate.
import { kernelOf } from '../layers/rows.js';
import { asTensor, type TensorLike } from '../math/tensor.js';
import { foldIn, normalInto, randomKey } from '../math/random.js';
import { lossCurvature, type LossName, type Reduction } from './losses.js';
import { expansionPointOf, type Model } from './model.js';
import { tensorsOf } from './parameters.js';
import type { TensorNumbers } from './width.js';

const ITERATIONS = 1000;

/**
 * lambda_max at the model's parameters by power iteration, on the first `most` samples, until it changes by less than
 * `tolerance` of itself (the error is that over 1 - (lambda_2/lambda_1)^2). `rates[l]` weigh the tensors, as their
 * learning rates do.
 */
export function sharpness(
  model: Model,
  { x, loss, reduction }: { readonly x: TensorLike; readonly loss: LossName; readonly reduction?: Reduction },
  rates: readonly TensorNumbers[] = model.slots.map(() => ({ w: 1, b: 1 })),
  most: number = Infinity,
  tolerance = 1e-4,
): number {
  const { data, n } = model.input('sharpness', asTensor(x));
  const count = Math.min(n, most, model.chunkSize);
  const { core } = model;
  expansionPointOf('sharpness', model);
  const enough = Math.max(tolerance, model.dtype === 'f32' ? 1e-5 : 1e-14);
  return core.heap.scope((scope) => {
    const v = scope.alloc(model.dtype, model.parameterCount);
    const u = scope.alloc(model.dtype, model.parameterCount);
    normalInto(core, foldIn(randomKey(0), 'sharpness'), v);
    const [direction, gradients] = [tensorsOf(model.slots, v), tensorsOf(model.slots, u)];
    const machine = model.machine(count);
    machine.begin(count);
    machine.setInput(data.subarray(0, count * model.program.sizes[0]!));
    const size = count * model.outputSize;
    const f = core.heap.read(model.run(machine), 0, size);
    const combine = kernelOf(core, 'rowsCombine', model.dtype);
    let lambda = 0;
    for (let i = 0; i < ITERATIONS; i++) {
      const dot = kernelOf(core, 'rowsDot', model.dtype);
      const norm = Math.sqrt(dot(v.length, v.ptr, v.ptr));
      if (norm === 0) return 0;
      combine(1, v.length, 1 / norm, v.ptr, 0, 0, v.ptr, 0);
      const change = Math.abs(norm - lambda);
      if (i > 0) lambda = norm;
      if (i > 1 && change <= enough * lambda) return lambda;
      // u = D J^T H J v with D the tensors' rates.
      machine.direction = direction;
      machine.forward(1);
      machine.direction = null;
      const moved = core.heap.read(machine.value(model.program.output, 1), 0, size);
      const bent = lossCurvature(loss, f, moved, model.outputSize, reduction);
      core.heap.write(machine.cotangent(model.program.output, 0), bent);
      machine.gradients = gradients;
      machine.gradientBeta = 0;
      machine.backward(0);
      model.slots.forEach(({ offset, wSize, bSize }, layer) => {
        const bytes = model.dtype === 'f32' ? 4 : 8;
        const { w, b } = rates[layer]!;
        const weigh = (first: number, size: number, rate: number): void =>
          void combine(1, size, rate, u.ptr + first * bytes, 0, 0, v.ptr + first * bytes, 0);
        weigh(offset, wSize, w);
        if (bSize) weigh(offset + wSize, bSize, b);
      });
    }
    return lambda;
  });
}
