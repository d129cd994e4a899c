// A dense net as the list of steps its kernel recursion takes, with the numbers one may differentiate.
import { parseNet, type Net, type NetDocument } from '../../net/document.js';
import { UnsupportedError } from '../../wasm/engine.js';

export interface DenseStep {
  readonly kind: 'dense';
  readonly path: string;
  readonly wStd: number;
  readonly bStd: number | null;
  /** `standard` parametrization: the base width N of the layer's inputs; null in `ntk`. */
  readonly width: number | null;
}
/** a min(x, 0) + b max(x, 0), or a erf(b x) + c. */
export type ActivationStep =
  | { readonly kind: 'abRelu'; readonly a: number; readonly b: number }
  | { readonly kind: 'erf'; readonly a: number; readonly b: number; readonly c: number };
export type Step = DenseStep | ActivationStep;

/** The steps of a serial net of dense layers with ReLU-like or erf-like activations; UnsupportedError otherwise. */
export function stepsOfNet(document: NetDocument, features: number): Step[] {
  const steps: Step[] = [];
  let channels = features;
  const walk = (layer: Net, path: string): void => {
    switch (layer.layer) {
      case 'serial':
        layer.layers.forEach((child, i) => walk(child, path ? `${path}.layers.${i}` : `layers.${i}`));
        return;
      case 'identity':
        return;
      case 'dense': {
        const [sIn, sOut] = layer.s;
        const width = layer.parametrization === 'standard' ? channels / sIn! : null;
        steps.push({ kind: 'dense', path, wStd: layer.wStd, bStd: layer.bStd, width });
        channels = layer.units * sOut!;
        return;
      }
      case 'relu':
        return void steps.push({ kind: 'abRelu', a: 0, b: 1 });
      case 'leakyRelu':
        return void steps.push({ kind: 'abRelu', a: layer.alpha, b: 1 });
      case 'abs':
        return void steps.push({ kind: 'abRelu', a: -1, b: 1 });
      case 'abRelu':
        return void steps.push({ kind: 'abRelu', a: layer.a, b: layer.b });
      case 'erf':
        return void steps.push({ kind: 'erf', a: layer.a, b: layer.b, c: layer.c });
      default:
        throw new UnsupportedError(
          `differentiation of '${layer.layer}' (${path || 'the net'}) with respect to hyperparameters`,
          'Use a serial net of dense layers with relu, leakyRelu, abRelu, abs or erf.',
        );
    }
  };
  walk(parseNet(document), '');
  return steps;
}

/** A number of the net that has a name, such as `layers.0.wStd`. */
export interface Parameter {
  readonly name: string;
  readonly step: number;
  readonly field: 'wStd' | 'bStd';
  readonly value: number;
}

/** Every wStd and every bStd that exists. */
export function parametersOf(steps: readonly Step[]): Parameter[] {
  return steps.flatMap((step, index) => {
    if (step.kind !== 'dense') return [];
    const w = { name: `${step.path}.wStd`, step: index, field: 'wStd' as const, value: step.wStd };
    if (step.bStd === null) return [w];
    return [w, { name: `${step.path}.bStd`, step: index, field: 'bStd' as const, value: step.bStd }];
  });
}

/** The net with other numbers, as a document. */
export function withParameters(document: NetDocument, values: ReadonlyMap<string, number>): NetDocument {
  const copy = JSON.parse(JSON.stringify(parseNet(document))) as Record<string, unknown>;
  for (const [name, value] of values) {
    const path = name.split('.');
    const field = path.pop()!;
    let at = copy;
    for (const key of path) at = at[key] as Record<string, unknown>;
    at[field] = value;
  }
  return copy as unknown as NetDocument;
}
