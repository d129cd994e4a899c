// The largest eigenvalue of the Gauss-Newton matrix J^T H J of the loss: 2/lambda is the largest stable learning rate.
import { extendKrylov, ritzRange, startKrylov } from '../math/lanczos.js';
import { asTensor, type TensorLike } from '../math/tensor.js';
import { foldIn, normal, randomKey } from '../math/random.js';
import { lossCurvature, type LossName, type Reduction } from './losses.js';
import { expansionPointOf, type Model } from './model.js';
import { tensorsOf } from './parameters.js';
import type { TensorNumbers } from './width.js';

const ITERATIONS = 1000;

/**
 * lambda_max at the model's parameters on the first `most` samples (default all), by Lanczos iteration until two steps in
 * a row change it by less than `tolerance` of itself. It is a bound from below. `rates[l]` weigh the tensors, as their learning rates do.
 */
export function sharpness(
  model: Model,
  { x, loss, reduction }: { readonly x: TensorLike; readonly loss: LossName; readonly reduction?: Reduction },
  rates: readonly TensorNumbers[] = model.slots.map(() => ({ w: 1, b: 1 })),
  most: number = Infinity,
  tolerance = 1e-6,
): number {
  const input = model.input('sharpness', asTensor(x));
  const n = Math.min(input.n, most);
  const data = input.data.subarray(0, n * model.program.sizes[0]!);
  const { core } = model;
  expansionPointOf('sharpness', model);
  const enough = Math.max(tolerance, model.dtype === 'f32' ? 1e-5 : 1e-14);
  const roots = rootsOf(model, rates);
  if (roots.every((root) => root === 0)) return 0;
  return core.heap.scope((scope) => {
    const v = scope.alloc(model.dtype, model.parameterCount);
    const u = scope.alloc(model.dtype, model.parameterCount);
    const [direction, gradients] = [tensorsOf(model.slots, v), tensorsOf(model.slots, u)];
    /** R J^T H J R q with R the roots of the rates: symmetric, with the eigenvalues of R R J^T H J. */
    const multiply = (q: Float64Array): Float64Array => {
      core.heap.write(
        v,
        q.map((value, i) => value * roots[i]!),
      );
      model.chunks(n, data, {}, (machine, first) => {
        const size = machine.n * model.outputSize;
        const f = core.heap.read(model.run(machine), 0, size);
        machine.direction = direction;
        machine.forward(1);
        machine.direction = null;
        const moved = core.heap.read(machine.value(model.program.output, 1), 0, size);
        const bent = lossCurvature(loss, f, moved, model.outputSize, reduction);
        // A mean over the chunk is its share of the mean over all samples.
        const share = reduction === 'sum' ? 1 : machine.n / n;
        core.heap.write(
          machine.cotangent(model.program.output, 0),
          bent.map((value) => value * share),
        );
        machine.gradients = gradients;
        machine.gradientBeta = first === 0 ? 0 : 1;
        machine.backward(0);
      });
      return Float64Array.from(core.heap.read(u), (value, i) => value * roots[i]!);
    };
    return largestOf(multiply, normal(core, foldIn(randomKey(0), 'sharpness'), model.parameterCount), enough);
  });
}

/** The root of each parameter's rate. */
function rootsOf(model: Model, rates: readonly TensorNumbers[]): Float64Array {
  const roots = new Float64Array(model.parameterCount);
  model.slots.forEach(({ offset, wSize, bSize }, layer) => {
    const { w, b } = rates[layer]!;
    roots.fill(Math.sqrt(w), offset, offset + wSize);
    roots.fill(Math.sqrt(b), offset + wSize, offset + wSize + bSize);
  });
  return roots;
}

/** The last two basis vectors are kept: lost orthogonality repeats Ritz values, and leaves the largest where it is. */
function largestOf(
  multiply: (q: Float64Array) => Float64Array,
  start: Float64Array,
  tolerance: number,
): number {
  const krylov = startKrylov(start);
  let [largest, calm] = [0, 0];
  for (let step = 0; step < ITERATIONS && calm < 2; step++) {
    const more = extendKrylov(krylov, multiply(krylov.basis.at(-1)!));
    const last = largest;
    largest = ritzRange(krylov)[1];
    if (!more) break;
    if (krylov.basis.length > 2) krylov.basis.shift();
    calm = step > 0 && Math.abs(largest - last) <= tolerance * Math.abs(largest) ? calm + 1 : 0;
  }
  return Math.max(0, largest);
}
