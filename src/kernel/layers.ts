// Kernels layer by layer: after every layer in one pass, and the part of the NTK that each layer's weights bring.
import { sheetCount } from '../layers/states/state.js';
import type { Tensor, TensorLike } from '../math/tensor.js';
import type { NetDocument } from '../net/document.js';
import { inferShapes } from '../net/shapes.js';
import { knownFields, NumericalError, type Engine } from '../wasm/engine.js';
import { blameInput } from './tiles/checks.js';
import { frozenPaths, weightPaths } from './propagation/frozen.js';
import { kernel, KERNEL_OPTIONS, prepareTile, type KernelOptions } from './kernel.js';
import type { Tap } from './propagation/propagate.js';
import { computeTile, unpack } from './tiles/tile.js';

export interface LayerKernel {
  readonly path: string;
  readonly layer: string;
  /** (n1, n2), then the positions carried there: all pairs, zipped, or equal ones where no layer after needs more. */
  readonly nngp: Tensor;
  readonly ntk: Tensor;
}

const { get: _get, ...PER_LAYER_OPTIONS } = KERNEL_OPTIONS;
const { tile: _tile, signal: _signal, onProgress: _onProgress, ...LAYER_OPTIONS } = PER_LAYER_OPTIONS;

/**
 * Kernels after every layer, in one pass on the calling thread and without tiling. Before a layer that needs Gaussian
 * inputs they are those of its input. Errors as `kernel`.
 */
export function layerKernels(
  engine: Engine,
  net: NetDocument,
  x1: TensorLike,
  x2: TensorLike | null = null,
  options: Omit<KernelOptions, 'get' | 'tile' | 'signal' | 'onProgress'> = {},
): LayerKernel[] {
  knownFields('layerKernels', options, LAYER_OPTIONS);
  const params = prepareTile(engine, net, x1, x2, options);
  const columns = (params.x2 ?? params.x1).shape[0]!;
  const found: LayerKernel[] = [];
  const tap: Tap = ({ shaped }, joint) => {
    const { spatial, full } = joint.layout;
    const positions = full ? spatial.flatMap((n) => [n, n]) : spatial;
    const shape = [joint.rows, columns, ...positions];
    if (sheetCount(joint.layout) === 0) return;
    const nngp = { data: unpack(engine, joint, joint.k, columns), shape };
    const ntk = { data: unpack(engine, joint, joint.t!, columns), shape };
    found.push({ path: shaped.path, layer: shaped.layer.layer, nngp, ntk });
  };
  try {
    computeTile(engine, params, tap);
  } catch (error) {
    if (error instanceof NumericalError) blameInput(params.x1, params.x2, params.maskConstant);
    throw error;
  }
  return found;
}

/**
 * The part of the NTK that comes from each layer with weights that is not frozen; the parts sum to the whole. (n1, n2)
 * each. Errors as of `kernel`.
 */
export async function kernelPerLayer(
  engine: Engine,
  net: NetDocument,
  x1: TensorLike,
  x2: TensorLike | null = null,
  options: Omit<KernelOptions, 'get'> = {},
): Promise<{ readonly path: string; readonly ntk: Tensor }[]> {
  knownFields('kernelPerLayer', options, PER_LAYER_OPTIONS);
  const { x1: first } = prepareTile(engine, net, x1, x2, options);
  const shaped = inferShapes(net, first.shape.slice(1));
  const paths = weightPaths(shaped);
  const dropped = frozenPaths(shaped, options.frozen);
  const parts: { path: string; ntk: Tensor }[] = [];
  for (const path of paths) {
    if (dropped.includes(path)) continue;
    const frozen = paths.filter((other) => other !== path);
    const { ntk } = await kernel(engine, net, x1, x2, { ...options, get: 'ntk', frozen });
    parts.push({ path, ntk });
  }
  return parts;
}
