// Layer norm: (x - mean)/sqrt(eps + population variance) over the channels and any spatial axes, no trainable scale.
import { UnsupportedError } from '../../wasm/engine.js';
import type { Builder, Pass, ValueRef } from '../finite.js';
import { sizeOfShape } from '../finite.js';
import { kernelOf } from '../rows.js';
import { normaliseAxis, type Shaped } from '../shapes.js';
import type { LayerNormLayer } from '../vocabulary.js';
import { pushMap } from '../position/finite.js';
import { permutation } from '../position/rules.js';
import { seriesThrough } from '../series.js';
import { normaliseSeries } from './series.js';

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
  const output = builder.value(input.shape);
  const size = sizeOfShape(input.shape);
  const inverse = (pass: Pass) => pass.scratch(`inverse ${output.id}`, (pass.n * size) / width);
  builder.push({
    path,
    inputs: [input.id],
    output: output.id,
    parameter: null,
    forward(pass, order) {
      const rows = (pass.n * size) / width;
      const y = pass.value(output.id, 0).ptr;
      const s = inverse(pass).ptr;
      if (order === 0) {
        const x = pass.value(input.id, 0).ptr;
        kernelOf(pass.core, 'rows_normalise', pass.dtype)(rows, width, eps, x, y, s);
      } else if (pass.isZero(input.id, order) && order === 1) {
        pass.core.heap.fill(pass.value(output.id, order), 0);
      } else if (order === 1) {
        const [v, out] = [pass.value(input.id, 1).ptr, pass.value(output.id, 1).ptr];
        kernelOf(pass.core, 'rows_project', pass.dtype)(rows, width, y, s, v, 0, out);
      } else seriesThrough(pass, input.id, output.id, order, rows, width, (x) => normaliseSeries(x, eps));
    },
    backward(pass, order) {
      if (order > 0) throw new UnsupportedError(`The second derivative of layerNorm (${path})`);
      const target = pass.addTo(input.id, 0);
      if (!target) return;
      const [y, v] = [pass.value(output.id, 0).ptr, pass.cotangent(output.id, 0).ptr];
      kernelOf(
        pass.core,
        'rows_project',
        pass.dtype,
      )(...[(pass.n * size) / width, width, y, inverse(pass).ptr, v, target.beta, target.to.ptr]);
    },
  });
  return output;
}
