// layerNorm: (x - mean)/sqrt(eps + population variance), rmsNorm: x/sqrt(eps + mean of x^2), over the channels and any spatial axes,
// without a trainable scale.
import { bytesPerElement, UnsupportedError } from '../../wasm/engine.js';
import type { Builder, Numbers, Pass, ValueRef } from '../finite.js';
import { sizeOfShape } from '../finite.js';
import { kernelOf } from '../rows.js';
import { normaliseAxis, type Shaped } from '../shapes.js';
import type { LayerNormLayer, NormLayer, RmsNormLayer } from './types.js';
import { pushMap } from '../position/finite.js';
import { permutation } from '../position/rules.js';
import { pushRowwise } from '../rowwise.js';
import { normaliseSeries, projectRmsSeries, projectSeries, rmsSeries } from './series.js';

type PushRows = (builder: Builder, path: string, input: ValueRef, width: number, eps: number) => ValueRef;

export const compileLayerNorm = (node: Shaped<LayerNormLayer>, builder: Builder, input: ValueRef): ValueRef =>
  compileNorm(node, builder, input, pushLayerNorm);

export const compileRmsNorm = (node: Shaped<RmsNormLayer>, builder: Builder, input: ValueRef): ValueRef =>
  compileNorm(node, builder, input, pushRmsNorm);

/** Brings the normalised axes to the end, where they are rows, and back. */
function compileNorm(
  { layer, path }: Shaped<NormLayer>,
  builder: Builder,
  input: ValueRef,
  pushRows: PushRows,
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

const pushLayerNorm: PushRows = (builder, path, input, width, eps) =>
  pushRowwise(builder, path, input, width, (output) => {
    const inverse = (pass: Pass, rows: number): number => pass.scratch(`inverse ${output}`, rows).ptr;
    return {
      value: (pass, rows, x, y) =>
        void kernelOf(pass.core, 'rowsNormalise', pass.dtype)(rows, width, eps, x, y, inverse(pass, rows)),
      project: (pass, rows, y, v, { beta, to }) =>
        void kernelOf(
          pass.core,
          'rowsProject',
          pass.dtype,
        )(...[rows, width, y, inverse(pass, rows), v, beta, to]),
      series: (row) => normaliseSeries(row, eps),
      projectSeries: (row, v) => projectSeries(row, v, eps),
    };
  });

/** Row by row: y = s x with s = 1/sqrt(eps + mean(x^2)), and J v = s (v - y mean(y v)). */
const pushRmsNorm: PushRows = (builder, path, input, width, eps) =>
  pushRowwise(builder, path, input, width, (output) => {
    const inverse = (pass: Pass, rows: number): Numbers => pass.scratch(`inverse ${output}`, rows);
    return {
      value(pass, rows, x, y) {
        const { dot, combine, row } = rowsOf(pass, width);
        const factors = Float64Array.from({ length: rows }, (_, r) => {
          const v = eps + dot(width, row(x, r), row(x, r)) / width;
          return v > 0 ? 1 / Math.sqrt(v) : 0;
        });
        pass.core.heap.write(inverse(pass, rows), ofType(pass, factors));
        for (let r = 0; r < rows; r++) combine(1, width, factors[r]!, row(x, r), 0, 0, row(y, r), 0);
      },
      project(pass, rows, y, v, { beta, to }) {
        const { dot, combine, row } = rowsOf(pass, width);
        const factors = pass.core.heap.read(inverse(pass, rows), 0, rows);
        for (let r = 0; r < rows; r++) {
          const along = dot(width, row(y, r), row(v, r)) / width;
          combine(1, width, factors[r]!, row(v, r), 0, beta, row(to, r), 0);
          combine(1, width, -factors[r]! * along, row(y, r), 0, 1, row(to, r), 0);
        }
      },
      series: (row) => rmsSeries(row, eps),
      projectSeries: (row, v) => projectRmsSeries(row, v, eps),
    };
  });

function rowsOf(
  { core, dtype }: Pass,
  width: number,
): Record<'dot' | 'combine', ReturnType<typeof kernelOf>> & { row(ptr: number, r: number): number } {
  return {
    dot: kernelOf(core, 'rowsDot', dtype),
    combine: kernelOf(core, 'rowsCombine', dtype),
    row: (ptr, r) => ptr + r * width * bytesPerElement(dtype),
  };
}

const ofType = ({ dtype }: Pass, values: Float64Array): Float64Array | Float32Array =>
  dtype === 'f32' ? Float32Array.from(values) : values;
