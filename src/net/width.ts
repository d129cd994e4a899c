// Widening a net, and numbers given per layer or per role.
import { parseNet, toJson, type LayerDocument, type NetDocument } from './document.js';

/** One number per layer with weights, or one per role: `input` the first, `output` the last, `hidden` all between. */
export type PerLayer =
  readonly number[] | { readonly input: number; readonly hidden: number; readonly output: number };

export function perLayer(where: string, value: PerLayer, count: number): number[] {
  const list = Array.isArray(value)
    ? [...(value as readonly number[])]
    : Array.from({ length: count }, (_, i) => {
        const { input, hidden, output } = value as { input: number; hidden: number; output: number };
        return i === count - 1 ? output : i === 0 ? input : hidden;
      });
  if (list.length !== count || list.some((entry) => !Number.isFinite(entry))) {
    throw new RangeError(
      `${where}: expected ${count} finite numbers, one per layer with weights, got [${list.join(', ')}].`,
    );
  }
  return list;
}

/**
 * `net` with the units and channels of all layers with weights but the last multiplied by width/baseWidth. RangeError
 * where that is not a whole number.
 */
export function widen(net: NetDocument, width: number, baseWidth: number): LayerDocument {
  const factor = width / baseWidth;
  if (!(factor > 0) || !Number.isFinite(factor)) {
    throw new RangeError(`widen: width and baseWidth must be positive, got ${width} and ${baseWidth}.`);
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
