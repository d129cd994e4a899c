// Layers with weights by their paths, and which of them a caller freezes.
import { kindOf } from '../../wasm/engine.js';
import { hasWeights } from '../../layers/registry.js';
import { placeOf, type Shaped } from '../../layers/shapes.js';

/** Paths of all layers with weights, in document order. */
export function weightPaths({ layer, path, children }: Shaped): string[] {
  if (children.length > 0) return children.flatMap(weightPaths);
  return hasWeights(layer) ? [path] : [];
}

/** The layers with weights at or inside the paths given; RangeError where there is none. */
export function frozenPaths(root: Shaped, wanted: readonly string[] = []): string[] {
  if (!Array.isArray(wanted))
    throw new TypeError(`kernel: frozen must be a list of paths, got ${kindOf(wanted)}.`);
  if (wanted.length === 0) return [];
  const all = weightPaths(root);
  const inside = (path: string, of: string): boolean => path === of || path.startsWith(`${of}.`);
  const lost = wanted.find((of) => !all.some((path) => inside(path, of) || inside(placeOf(path), of)));
  if (lost !== undefined) {
    throw new RangeError(
      `kernel: frozen must name layers with weights, got '${lost}'. This net has ${all.join(', ') || 'none'}.`,
    );
  }
  return all.filter((path) => wanted.some((of) => inside(path, of) || inside(placeOf(path), of)));
}
