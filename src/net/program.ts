// A net compiled for one input shape: operations in order of evaluation, the sizes of the values between them, and what
// parameters they need. The same layer rules serve every width.
import {
  sizeOfShape,
  type Builder,
  type Operation,
  type ParameterSpec,
  type ValueRef,
} from '../layers/finite.js';
import { descriptorOf } from '../layers/registry.js';
import type { Shape, Shaped } from '../layers/shapes.js';
import { inferShapes } from './shapes.js';
import type { NetDocument } from './document.js';

export interface Program {
  readonly shaped: Shaped;
  readonly inputShape: Shape;
  readonly outputShape: Shape;
  readonly operations: readonly Operation[];
  /** Numbers per sample of every value; value 0 is the input. */
  readonly sizes: readonly number[];
  readonly output: number;
  readonly parameters: readonly ParameterSpec[];
}

/** Compiles `net` for samples of `inputShape`. */
export function compile(net: NetDocument, inputShape: Shape): Program {
  const shaped = inferShapes(net, inputShape); // checks the shape
  const operations: Operation[] = [];
  const sizes = [sizeOfShape(inputShape)];
  const parameters: ParameterSpec[] = [];
  const builder: Builder = {
    value(shape) {
      sizes.push(sizeOfShape(shape));
      return { id: sizes.length - 1, shape };
    },
    parameter(spec) {
      parameters.push(spec);
      return parameters.length - 1;
    },
    push: (operation) => void operations.push(operation),
  };
  const output = compileLayer(shaped, builder, { id: 0, shape: inputShape });
  return {
    shaped,
    inputShape,
    outputShape: shaped.output,
    operations,
    sizes,
    output: output.id,
    parameters,
  };
}

function compileLayer(shaped: Shaped, builder: Builder, input: ValueRef): ValueRef {
  const descriptor = descriptorOf(shaped.layer);
  if (descriptor.kind === 'leaf') return descriptor.finite(shaped, builder, input);
  if (descriptor.kind === 'sequence')
    return shaped.children.reduce((value, child) => compileLayer(child, builder, value), input);
  const branches = shaped.children.map((child) => compileLayer(child, builder, input));
  return descriptor.finite(shaped, builder, branches);
}
