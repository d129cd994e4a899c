// Widening a net, and numbers given per layer or per role.
import { knownFields } from '../wasm/engine.js';
import { parseNet, toJson, type LayerDocument, type NetDocument } from './document.js';

/** A number for the weights of a layer and one for its bias. */
export interface TensorNumbers {
  readonly w: number;
  readonly b: number;
}

interface ByRole {
  readonly input: number;
  readonly hidden: number;
  readonly output: number;
}

/**
 * One entry per layer with weights: a number for weights and bias alike, or one for each. Or by role: `input` the first
 * layer, `output` the last, `hidden` all between; `biases` by the role of their layer, by default as its weights.
 */
export type PerLayer =
  readonly (number | { readonly w: number; readonly b?: number })[] | (ByRole & { readonly biases?: ByRole });

/** The numbers of every layer. RangeError for another count, unknown roles, and numbers that are not finite. */
export function perLayer(where: string, value: PerLayer, count: number): TensorNumbers[] {
  const role = (of: ByRole, i: number): number =>
    i === count - 1 ? of.output : i === 0 ? of.input : of.hidden;
  const isList = Array.isArray(value);
  const roles = value as ByRole & { readonly biases?: ByRole };
  if (!isList) {
    const one = { input: true, hidden: true, output: true } as const;
    knownFields<ByRole & { biases?: ByRole }>(where, roles, { ...one, biases: one });
  }
  const list = isList
    ? (value as readonly (number | { w: number; b?: number })[]).map((entry) =>
        typeof entry === 'number' ? { w: entry, b: entry } : { w: entry.w, b: entry.b ?? entry.w },
      )
    : Array.from({ length: count }, (_, i) => ({ w: role(roles, i), b: role(roles.biases ?? roles, i) }));
  const bad = list.findIndex(({ w, b }) => !Number.isFinite(w) || !Number.isFinite(b));
  if (list.length !== count || bad >= 0) {
    throw new RangeError(
      `${where}: expected ${count} finite numbers, one per layer with weights (or { w, b } for weights and bias), got ${JSON.stringify(value)}.`,
    );
  }
  return list;
}

/**
 * `net` with the units and channels of all layers with weights but the last multiplied by width/baseWidth. RangeError
 * where that is not a whole number.
 */
export function widen(net: NetDocument, width: number, baseWidth: number): LayerDocument {
  const factor = Number(width) / Number(baseWidth);
  if (
    typeof width !== 'number' ||
    typeof baseWidth !== 'number' ||
    !(factor > 0) ||
    !Number.isFinite(factor)
  ) {
    throw new RangeError(
      `widen: width and baseWidth must be positive, got ${String(width)} and ${String(baseWidth)}.`,
    );
  }
  const grow = (value: number, path: string): number => {
    const wide = value * factor;
    if (!Number.isSafeInteger(wide) || wide < 1) {
      throw new RangeError(`widen: ${path} would have ${wide} units; choose a width that keeps them whole.`);
    }
    return wide;
  };
  const walk = (layer: LayerDocument, path: string, last: boolean): LayerDocument => {
    const at = (part: string): string => (path ? `${path}.${part}` : part);
    const copy: Record<string, unknown> = { ...layer };
    for (const key of ['units', 'channels'] as const) {
      if (copy[key] !== undefined && !last) copy[key] = grow(copy[key] as number, path);
    }
    if (layer.layer === 'serial') {
      const layers = layer['layers'] as LayerDocument[];
      const end = layers.findLastIndex(hasWeights);
      copy['layers'] = layers.map((child, i) => walk(child, at(`layers.${i}`), last && i === end));
    }
    if (copy['branches']) {
      copy['branches'] = (layer['branches'] as LayerDocument[]).map((child, i) =>
        walk(child, at(`branches.${i}`), last),
      );
    }
    if (copy['net']) copy['net'] = walk(layer['net'] as LayerDocument, at('net'), last);
    return copy as LayerDocument;
  };
  return toJson(walk(toJson(parseNet(net)), '', true));
}

function hasWeights(layer: LayerDocument): boolean {
  const children = [...((layer['layers'] ?? layer['branches'] ?? []) as LayerDocument[])];
  if (layer['net']) children.push(layer['net'] as LayerDocument);
  return layer['units'] !== undefined || layer['channels'] !== undefined || children.some(hasWeights);
}
