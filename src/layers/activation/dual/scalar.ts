// Activations without a closed dual as functions of one number, with the places where quadrature must not look across.
import type { ActivationLayer } from '../../vocabulary.js';
import type { ScalarFunction } from '../functions.js';
import { seriesRule } from '../series-rule.js';

const KINKS: Readonly<Record<string, readonly number[]>> = {
  elu: [0],
  selu: [0],
  softsign: [0],
  hardTanh: [-1, 1],
  hardSigmoid: [-3, 3],
  hardSwish: [-3, 3],
  relu6: [0, 6],
};

const known = new Map<string, ScalarFunction>();

/** The function of a layer of the vocabulary; the same object for equal layers, so that tables can be kept. */
export function scalarFunction(layer: ActivationLayer): ScalarFunction {
  const key = JSON.stringify(layer);
  let fn = known.get(key);
  if (!fn) known.set(key, (fn = make(layer)));
  return fn;
}

function make(layer: ActivationLayer): ScalarFunction {
  const rule = seriesRule(layer);
  return {
    value: (x) => rule(Float64Array.of(x))[0]!,
    slope: (x) => rule(Float64Array.of(x, 1))[1]!,
    kinks: KINKS[layer.layer] ?? [],
  };
}
