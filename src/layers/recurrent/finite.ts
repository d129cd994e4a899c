// A recurrent layer unrolled over its one spatial axis, time: p_t = W x_t + U h_(t-1) + b, h_t = phi(p_t), h_(-1) = 0. One W, one
// U and one b serve all steps. Parameters: <path> (W and b) and <path>.recurrent (U; absent for a single step).
import { compileActivation } from '../activation/finite.js';
import { denseMap } from '../affine/dense.js';
import { baseWidthOf } from '../affine/kernel.js';
import { pushAffine, type AffineSpec } from '../affine/finite.js';
import type { Builder, ValueRef } from '../finite.js';
import { pushConcat, pushSum } from '../merge/finite.js';
import { positionMap, pushMap } from '../position/finite.js';
import type { Shaped } from '../shapes.js';
import type { RnnLayer } from '../vocabulary.js';

export function compileRnn(
  { layer, path, input, output }: Shaped<RnnLayer>,
  builder: Builder,
  x: ValueRef,
): ValueRef {
  const [steps, channels] = input as [number, number];
  const units = output.at(-1)!;
  const projected = pushAffine(builder, x, [steps, units], inputSpec(layer, path, steps, channels, units));
  const recurrent = recurrentSpec(layer, path, units);
  const parameter =
    steps > 1 ? builder.parameter({ ...recurrent, w: recurrent.wShape, b: null, fanIn: units }) : -1;
  const states: ValueRef[] = [];
  for (let t = 0; t < steps; t++) {
    const own = pushMap(builder, path, projected, [units], positionMap([[{ input: t, weight: 1 }]], steps));
    const last = states.at(-1);
    const sum = last
      ? pushSum(builder, path, [own, pushAffine(builder, last, [units], recurrent, parameter)])
      : own;
    states.push(compileActivation(layer.activation, path, builder, sum));
  }
  if (!layer.returnSequences) return states.at(-1)!;
  const rows = states.map(({ id }) => ({ id, shape: [1, units] }));
  return pushConcat(builder, path, rows, 0, [steps, units]);
}

function inputSpec(
  layer: RnnLayer,
  path: string,
  steps: number,
  channels: number,
  units: number,
): AffineSpec {
  const { wStd, bStd } = layer;
  const sIn = channels / baseWidthOf(layer, channels);
  const standard = layer.parametrization === 'standard';
  return {
    path,
    map: denseMap(steps, channels, units),
    wShape: [channels, units],
    bShape: bStd === null ? null : [units],
    scale: standard ? 1 / Math.sqrt(sIn) : wStd / Math.sqrt(channels),
    biasScale: standard ? 1 : (bStd ?? 0),
    wStd: standard ? wStd * Math.sqrt(sIn / channels) : 1,
    bStd: standard ? (bStd ?? 0) : 1,
  };
}

function recurrentSpec({ uStd, s, parametrization }: RnnLayer, path: string, units: number): AffineSpec {
  const standard = parametrization === 'standard';
  return {
    path: `${path}.recurrent`,
    map: denseMap(1, units, units),
    wShape: [units, units],
    bShape: null,
    scale: standard ? 1 / Math.sqrt(s[1]) : uStd / Math.sqrt(units),
    biasScale: 0,
    wStd: standard ? uStd * Math.sqrt(s[1] / units) : 1,
    bStd: 0,
  };
}
