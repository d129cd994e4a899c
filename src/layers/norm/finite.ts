// Layer norm: (x - mean)/sqrt(eps + population variance) over the channels and any spatial axes, no trainable scale.
import { UnsupportedError } from '../../wasm/engine.js';
import type { Builder, Pass, ValueRef } from '../finite.js';
import { sizeOfShape } from '../finite.js';
import { kernelOf } from '../rows.js';
import { normaliseAxis, type Shaped } from '../shapes.js';
import type { LayerNormLayer } from '../vocabulary.js';
import { pushMap } from '../position/finite.js';
import { permutation } from '../position/rules.js';
import { pushRowwise } from '../rowwise.js';
import { normaliseSeries, projectSeries } from './series.js';

export function compileLayerNorm(
  { layer, path }: Shaped<LayerNormLayer>,
  builder: Builder,
  input: ValueRef,
): ValueRef {
  const axes = layer.axis.map((axis) => normaliseAxis(axis, input.shape.length + 1) - 1);
  if (axes.includes(-1)) {
    throw new UnsupportedError(
      `Normalising over samples in a finite net (${path})`,
      'Leave the samples axis out of "axis".',
    );
  }
  const kept = input.shape.map((_, i) => i).filter((i) => !axes.includes(i));
  const order = [...kept, ...axes.toSorted((a, b) => a - b)];
  const width = sizeOfShape(axes.map((axis) => input.shape[axis]!));
  if (order.every((axis, i) => axis === i)) return pushRows(builder, path, input, width, layer.eps);
  const shape = order.map((axis) => input.shape[axis]!);
  const front = pushMap(builder, path, input, shape, permutation(input.shape, order));
  const normalised = pushRows(builder, path, front, width, layer.eps);
  const inverse = order.map((_, i) => order.indexOf(i));
  return pushMap(builder, path, normalised, input.shape, permutation(shape, inverse));
}

/** Normalises every run of `width` numbers. */
function pushRows(builder: Builder, path: string, input: ValueRef, width: number, eps: number): ValueRef {
  return pushRowwise(builder, path, input, width, (output) => {
    const inverse = (pass: Pass, rows: number): number => pass.scratch(`inverse ${output}`, rows).ptr;
    return {
      value: (pass, rows, x, y) =>
        void kernelOf(pass.core, 'rowsNormalise', pass.dtype)(rows, width, eps, x, y, inverse(pass, rows)),
      project: (pass, rows, y, v, beta, to) =>
        void kernelOf(
          pass.core,
          'rowsProject',
          pass.dtype,
        )(...[rows, width, y, inverse(pass, rows), v, beta, to]),
      series: (row) => normaliseSeries(row, eps),
      projectSeries: (row, v) => projectSeries(row, v, eps),
    };
  });
}
