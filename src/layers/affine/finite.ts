// Layers with weights: y = scale L(x; w) + biasScale b. 'ntk': scale wStd/sqrt(fan in), biasScale bStd, numbers N(0, 1);
// 'standard' (arXiv:2001.07301): scale 1/sqrt(sIn), biasScale 1, weights N(0, wStd^2 sIn / fan in), bias N(0, bStd^2).
import type { Builder, Operation, Pass, ValueRef, WeightMap, WeightOperation } from '../finite.js';
import { sizeOfShape } from '../finite.js';
import { kernelOf } from '../rows.js';
import type { Shaped } from '../shapes.js';
import type { ConvLayer, DenseLayer } from '../vocabulary.js';
import { convMap } from './conv.js';
import { baseWidthOf } from './kernel.js';
import { denseMap } from './dense.js';
import { localMap } from './local.js';

/** An affine operation and its parameter entry, for layers that are not in the document under this name. */
export interface AffineSpec {
  readonly path: string;
  readonly map: WeightMap;
  readonly wShape: readonly number[];
  readonly bShape: readonly number[] | null;
  readonly scale: number;
  readonly biasScale: number;
  readonly wStd: number;
  readonly bStd: number;
}

/** Adds a dense or convolutional layer. */
export function compileAffine(
  shaped: Shaped<DenseLayer | ConvLayer>,
  builder: Builder,
  input: ValueRef,
): ValueRef {
  const { layer, path, output } = shaped;
  const channels = output.at(-1)!;
  const map = makeMap(shaped, input.shape);
  const local = layer.layer === 'convLocal';
  const positions = output.slice(0, -1);
  const filter = layer.layer === 'dense' ? [] : local ? positions : layer.filter;
  const channelsIn = input.shape.at(-1)!;
  const sIn = channelsIn / baseWidthOf(layer, channelsIn);
  const standard = layer.parametrization === 'standard';
  return pushAffine(builder, input, output, {
    path,
    map,
    wShape: local ? [...positions, map.fanIn, channels] : [...filter, channelsIn, channels],
    bShape: layer.bStd === null ? null : local ? [...positions, channels] : [channels],
    scale: standard ? 1 / Math.sqrt(sIn) : layer.wStd / Math.sqrt(map.fanIn),
    biasScale: standard ? 1 : (layer.bStd ?? 0),
    wStd: standard ? layer.wStd * Math.sqrt(sIn / map.fanIn) : 1,
    bStd: standard ? (layer.bStd ?? 0) : 1,
  });
}

/** `shared`: the index of a parameter that another operation has made, for weights used more than once. */
export function pushAffine(
  builder: Builder,
  input: ValueRef,
  shape: readonly number[],
  spec: AffineSpec,
  shared?: number,
): ValueRef {
  const output = builder.value(shape);
  const { path, map, scale, biasScale } = spec;
  const parameter =
    shared ??
    builder.parameter({
      path,
      w: spec.wShape,
      b: spec.bShape,
      wStd: spec.wStd,
      bStd: spec.bStd,
      fanIn: map.fanIn,
    });
  const biasLength = spec.bShape ? sizeOfShape(spec.bShape) : 0;
  const x = input.id;
  const y = output.id;
  const parts: Parts = { x, y, parameter, map, scale, biasScale, biasLength };
  builder.push({
    path,
    inputs: [x],
    output: y,
    parameter,
    map,
    scale,
    biasScale,
    forward: (pass, order) => forward(pass, order, parts),
    backward: (pass, order) => backward(pass, order, parts),
  } as WeightOperation);
  return output;
}

export function isWeightOperation(operation: Operation): operation is WeightOperation {
  return 'map' in operation && operation.parameter !== null;
}

function makeMap(shaped: Shaped<DenseLayer | ConvLayer>, input: readonly number[]): WeightMap {
  const { layer, output } = shaped;
  const positions = sizeOfShape(output.slice(0, -1));
  const channels = output.at(-1)!;
  if (layer.layer === 'dense') return denseMap(positions, input.at(-1)!, channels);
  const one = layer.filter.every((k) => k === 1) && layer.strides.every((t) => t === 1);
  if (layer.layer === 'convLocal') return localMap(layer, input, positions, channels);
  return one ? denseMap(positions, input.at(-1)!, channels) : convMap(layer, input, positions, channels);
}

interface Parts {
  readonly x: number;
  readonly y: number;
  readonly parameter: number;
  readonly map: WeightMap;
  readonly scale: number;
  readonly biasScale: number;
  readonly biasLength: number;
}

function forward(
  pass: Pass,
  order: number,
  { x, y, parameter, map, scale, biasScale, biasLength }: Parts,
): void {
  const out = pass.value(y, order);
  const w0 = pass.weights(parameter);
  const w1 = order > 0 ? pass.displacement(parameter) : null;
  let beta = 0;
  if (!pass.isZero(x, order)) {
    map.apply(pass, w0.w, pass.value(x, order), out, { alpha: scale, beta: 0 });
    beta = 1;
  }
  if (w1 && !pass.isZero(x, order - 1)) {
    map.apply(pass, w1.w, pass.value(x, order - 1), out, { alpha: scale, beta });
    beta = 1;
  }
  if (beta === 0) pass.core.heap.fill(out, 0);
  const bias = order === 0 ? w0.b : order === 1 ? w1?.b : null;
  if (!bias) return;
  const rows = (pass.n * map.positions * map.channels) / biasLength;
  kernelOf(pass.core, 'rowsCombine', pass.dtype)(
    rows,
    biasLength,
    biasScale,
    bias.ptr,
    0,
    1,
    out.ptr,
    biasLength,
  );
}

function backward(pass: Pass, order: number, parts: Parts): void {
  const { x, y, parameter, map, scale, biasScale, biasLength } = parts;
  const gy = pass.cotangent(y, order);
  const target = pass.addTo(x, order);
  if (target) {
    map.transpose(pass, pass.weights(parameter).w, gy, target.to, { alpha: scale, beta: target.beta });
    const moved = order > 0 ? pass.displacement(parameter) : null;
    if (moved)
      map.transpose(pass, moved.w, pass.cotangent(y, order - 1), target.to, { alpha: scale, beta: 1 });
  }
  const gradient = pass.gradient(parameter);
  if (!gradient) return;
  let beta = gradient.beta;
  for (let j = 0; j <= order; j++) {
    if (pass.isZero(x, j)) continue;
    map.gradient(pass, pass.value(x, j), pass.cotangent(y, order - j), gradient.to.w, { alpha: scale, beta });
    beta = 1;
  }
  if (!gradient.to.b) return;
  const rows = (pass.n * map.positions * map.channels) / biasLength;
  kernelOf(pass.core, 'rowsSum', pass.dtype)(
    rows,
    biasLength,
    biasScale,
    gy.ptr,
    gradient.beta,
    gradient.to.b.ptr,
  );
}
