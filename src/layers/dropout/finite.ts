// Dropout: x * mask / keep in training, with masks from the stream of the call; the identity otherwise.
import type { Builder, Numbers, Operation, Pass, ValueRef } from '../finite.js';
import { sizeOfShape } from '../finite.js';
import { combine, kernelOf } from '../rows.js';
import type { Shaped } from '../shapes.js';
import type { DropoutLayer } from '../vocabulary.js';
import { used } from '../merge/finite.js';

export function compileDropout(
  { layer, path }: Shaped<DropoutLayer>,
  builder: Builder,
  input: ValueRef,
): ValueRef {
  if (layer.mode === 'test' || layer.keep === 1) return input;
  const output = builder.value(input.shape);
  const size = sizeOfShape(input.shape);
  const apply = (pass: Pass, x: Numbers, beta: number, y: Numbers): void => {
    const mask = maskOf(pass, operation, layer.keep, pass.n * size);
    if (mask) kernelOf(pass.core, 'rowsMultiply', pass.dtype)(pass.n * size, x.ptr, mask.ptr, beta, y.ptr);
    else combine(pass, 1, used(pass, x, size), beta, y);
  };
  const operation: Operation = {
    path,
    inputs: [input.id],
    output: output.id,
    parameter: null,
    forward(pass, order) {
      if (pass.isZero(input.id, order)) pass.core.heap.fill(pass.value(output.id, order), 0);
      else apply(pass, pass.value(input.id, order), 0, pass.value(output.id, order));
    },
    backward(pass, order) {
      const target = pass.addTo(input.id, order);
      if (target) apply(pass, pass.cotangent(output.id, order), target.beta, target.to);
    },
  };
  builder.push(operation);
  return output;
}

/** 1/keep where the uniform number is below keep, else 0; null in test mode. Drawn once per call. */
function maskOf(pass: Pass, operation: Operation, keep: number, length: number): Numbers | null {
  const uniforms = pass.uniforms(operation, length);
  if (!uniforms) return null;
  const values = pass.core.heap.read(uniforms, 0, length);
  for (let i = 0; i < length; i++) values[i] = values[i]! < keep ? 1 / keep : 0;
  const mask = pass.scratch(`mask ${operation.output}`, length);
  pass.core.heap.write(mask, values);
  return mask;
}
