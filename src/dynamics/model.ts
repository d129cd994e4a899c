// The higher-order dynamics of a finite model: its dense layers as plain arrays, then the hierarchy and the scans.
import { isWeightOperation } from '../layers/affine/finite.js';
import { isActivation, type ActivationLayer } from '../layers/vocabulary.js';
import { seriesRule } from '../layers/activation/series.js';
import { asTensor, type TensorLike } from '../math/tensor.js';
import type { Model } from '../net/index.js';
import type { DenseNet } from './denseNet.js';
import { integrateHierarchy, type HierarchyResult } from './hierarchy.js';
import { learningRateScan, type ScanPoint } from './learningRateScan.js';

export interface DynamicsData {
  /** (n, inputs). */
  readonly x: TensorLike;
  /** (n, outputs): the loss is sum (f - y)^2 / (2n). */
  readonly y: TensorLike;
}

/** @internal RangeError unless the net is dense layers with one activation between them. */
export function denseNetOf(model: Model): DenseNet {
  const { net } = model;
  const layers = net.layer === 'serial' ? net.layers : [net];
  const hidden = layers.filter((layer): layer is ActivationLayer => isActivation(layer));
  const alternating = layers.every((layer, i) =>
    i % 2 === 0 ? layer.layer === 'dense' : isActivation(layer),
  );
  const same = new Set(hidden.map((layer) => JSON.stringify(layer))).size <= 1;
  if (!alternating || layers.length % 2 === 0 || !same || model.inputShape.length !== 1) {
    throw new RangeError(
      'dynamics: expected dense layers with one and the same activation between them, such as [dense, tanh, dense].',
    );
  }
  const rule = hidden[0] ? seriesRule(hidden[0]) : null;
  const { parameters } = model;
  const operations = model.program.operations.filter(isWeightOperation);
  const FACTORIAL = [1, 1, 2] as const;
  return {
    layers: operations.map(({ map, scale, biasScale }, i) => ({
      w: Float64Array.from(parameters[i]!.w.data),
      b: parameters[i]!.b ? Float64Array.from(parameters[i]!.b!.data) : null,
      fanIn: map.fanIn,
      fanOut: map.channels,
      kappa: scale,
      beta: biasScale,
    })),
    activation: (z, order) => {
      const at = new Float64Array(order + 1);
      if (order > 0) at[1] = 1;
      return z.map((value) => {
        at[0] = value;
        return rule ? rule(at)[order]! * FACTORIAL[order] : 0;
      });
    },
  };
}

function problemOf(where: string, model: Model, data: DynamicsData) {
  const { data: x, n } = model.input(where, data.x);
  const { data: y } = asTensor(data.y, `${where}: y`);
  const o = model.outputSize;
  if (y.length !== n * o) {
    throw new RangeError(`${where}: y must have shape [${n}, ${o}], got ${y.length} numbers.`);
  }
  const byOutput = Float64Array.from({ length: n * o }, (_, at) => y[(at % n) * o + Math.floor(at / n)]!);
  return { net: denseNetOf(model), x: Float64Array.from(x), y: byOutput, n };
}

/**
 * Gradient flow of a dense net beside its kernel hierarchy truncated at orders 2 (frozen Theta), 3 (frozen O3) and 4
 * (frozen O4). Memory grows as (n o)^4: for a handful of samples.
 */
export function hierarchy(
  model: Model,
  data: DynamicsData & { readonly time: number; readonly steps?: number },
): HierarchyResult {
  const { time, steps = 200 } = data;
  if (!(time > 0) || !Number.isInteger(steps) || steps < 1) {
    throw new RangeError(
      `hierarchy: time must be positive and steps a whole number >= 1, got ${time}, ${steps}.`,
    );
  }
  const problem = problemOf('hierarchy', model, data);
  const entries = (problem.n * model.outputSize) ** 4;
  if (entries * 8 > model.core.memoryBytes) {
    throw new RangeError(
      `hierarchy: O4 of ${problem.n} samples and ${model.outputSize} outputs needs ${entries * 8} bytes. Use fewer samples.`,
    );
  }
  return integrateHierarchy(model.core, { ...problem, time, steps });
}

/** Full-batch gradient descent from the same start at learning rates `multiples` n/lambda_max(Theta_0). */
export function scanLearningRates(
  model: Model,
  data: DynamicsData & { readonly steps?: number },
  multiples: readonly number[],
): ScanPoint[] {
  const problem = problemOf('scanLearningRates', model, data);
  return learningRateScan(model.core, { ...problem, steps: data.steps ?? 400 }, multiples);
}
