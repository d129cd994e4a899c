// A net compiled for one input shape: operations in order of evaluation, the sizes of the values between them, and what
// parameters they need. The same layer rules serve every width.
import { compileActivation } from '../layers/activation/finite.js';
import { compileAffine } from '../layers/affine/finite.js';
import { compileAttention } from '../layers/attention/finite.js';
import { compileDropout } from '../layers/dropout/finite.js';
import {
  sizeOfShape,
  type Builder,
  type Operation,
  type ParameterSpec,
  type ValueRef,
} from '../layers/finite.js';
import { pushConcat, pushProduct, pushSum } from '../layers/merge/finite.js';
import { compileLayerNorm } from '../layers/norm/finite.js';
import { compileAggregate } from '../layers/position/aggregate.js';
import { compileMaxPool } from '../layers/position/max.js';
import { compilePositions } from '../layers/position/rules.js';
import { compileRnn } from '../layers/recurrent/finite.js';
import { normaliseAxis, type Shape, type Shaped } from '../layers/shapes.js';
import { isActivation, type Layer } from '../layers/vocabulary.js';
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
  const { layer, path, children, output } = shaped;
  if (isActivation(layer)) return compileActivation(layer, path, builder, input);
  switch (layer.layer) {
    case 'serial':
    case 'repeat':
      return children.reduce((value, child) => compileLayer(child, builder, value), input);
    case 'sum':
      return pushSum(builder, path, branches(children, builder, input));
    case 'product':
      return pushProduct(builder, path, branches(children, builder, input));
    case 'concat': {
      const axis = normaliseAxis(layer.axis, output.length + 1) - 1;
      return pushConcat(builder, path, branches(children, builder, input), axis, output);
    }
    case 'dense':
    case 'conv':
    case 'convTranspose':
    case 'convLocal':
      return compileAffine(as(shaped, layer), builder, input);
    case 'rnn':
      return compileRnn(as(shaped, layer), builder, input);
    case 'identity':
      return input;
    case 'flatten':
      return { id: input.id, shape: output };
    case 'layerNorm':
      return compileLayerNorm(as(shaped, layer), builder, input);
    case 'dropout':
      return compileDropout(as(shaped, layer), builder, input);
    case 'attention':
      return compileAttention(as(shaped, layer), builder, input);
    case 'aggregate':
      return compileAggregate(as(shaped, layer), builder, input);
    case 'maxPool':
      return compileMaxPool(as(shaped, layer), builder, input);
    case 'globalAvgPool':
    case 'globalSumPool':
    case 'avgPool':
    case 'sumPool':
    case 'imageResize':
    case 'index':
      return compilePositions(as(shaped, layer), builder, input);
  }
}

/** `shaped` with the type of its layer. */
function as<L extends Layer>(shaped: Shaped, layer: L): Shaped<L> {
  return { ...shaped, layer };
}

function branches(children: readonly Shaped[], builder: Builder, input: ValueRef): ValueRef[] {
  return children.map((child) => compileLayer(child, builder, input));
}
