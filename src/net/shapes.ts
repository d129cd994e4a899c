import { shapeLayer } from '../layers/registry.js';
import type { Shape, Shaped } from '../layers/shapes.js';
import { kindOf } from '../wasm/engine.js';
import { parseNet, type NetDocument } from './document.js';

/**
 * Shapes and true channel counts (`units * sOut`) of every layer for samples of `inputShape` (spatial axes, channels),
 * as a tree that mirrors the document. RangeError names the first layer that does not fit.
 */
export function inferShapes(net: NetDocument, inputShape: Shape): Shaped {
  if (!Array.isArray(inputShape)) {
    throw new TypeError(
      `inferShapes: inputShape must be a list of sizes (spatial axes, then channels), got ${kindOf(inputShape)}.`,
    );
  }
  if (inputShape.length < 1 || inputShape.some((n) => !Number.isSafeInteger(n) || n < 1)) {
    throw new RangeError(
      `inferShapes: inputShape must list whole numbers >= 1 (spatial axes, then channels), got [${inputShape.join(', ')}].`,
    );
  }
  return shapeLayer(parseNet(net), inputShape);
}
