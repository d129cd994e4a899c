import {
  kernelPerLayer,
  layerKernels,
  planKernel,
  type KernelName,
  type KernelOptions,
} from '../../kernel/index.js';
import type { Tensor } from '../../math/index.js';
import type { NetDocument } from '../../net/index.js';
import type { Engine } from '../../wasm/engine.js';
import { UsageError } from '../errors.js';
import { writeNpzFile } from '../files.js';

interface Call {
  readonly net: NetDocument;
  readonly x1: Tensor;
  readonly x2: Tensor | null;
  readonly get: readonly KernelName[];
  readonly options: KernelOptions;
  readonly out: string;
}

export interface LayerSummary {
  readonly path: string;
  readonly layer: string;
  readonly shape: readonly number[];
  /** Members of the file. */
  readonly members: readonly string[];
  /** Share of the trace of the NTK that the weights of the layer bring; null where it has none. */
  readonly share: number | null;
}

/**
 * `kernel --per-layer`: the kernels after every layer as members `<path>.nngp` and `<path>.ntk`, and the part of the NTK that
 * the weights of each layer bring as `<path>.part`. All in memory, in one tile.
 */
export async function writeLayers(engine: Engine, call: Call, meta: () => object): Promise<LayerSummary[]> {
  const { net, x1, x2, get, options, out } = call;
  checkBytes(engine, call);
  const { onProgress: _, tile: _tile, ...rest } = options;
  const { signal: __, ...atOnce } = rest; // one tile at once: nothing to stop in between
  const states = layerKernels(engine, net, x1, x2, atOnce);
  const parts = get.includes('ntk') ? await kernelPerLayer(engine, net, x1, x2, rest) : [];
  const arrays: Record<string, Tensor> = {};
  const whole = parts.reduce((sum, { ntk }) => sum + size(ntk), 0);
  const layers = states.map(({ path, layer, nngp, ntk }): LayerSummary => {
    const prefix = path === '' ? layer : path;
    const part = parts.find((found) => found.path === path)?.ntk;
    const found = { nngp, ntk, ...(part ? { part } : {}) };
    const members: string[] = [];
    for (const [name, tensor] of Object.entries(found)) {
      if (name !== 'part' && !get.includes(name as KernelName)) continue;
      members.push(`${prefix}.${name}`);
      arrays[`${prefix}.${name}`] = tensor;
    }
    return { path, layer, shape: nngp.shape, members, share: part && whole > 0 ? size(part) / whole : null };
  });
  await writeNpzFile(out, arrays, { ...meta(), layers });
  return layers;
}

/** The sum of the absolute entries: parts of the NTK of samples with others may cancel. */
const size = ({ data }: Tensor): number => {
  let sum = 0;
  for (const value of data) sum += Math.abs(value);
  return sum;
};

function checkBytes(engine: Engine, { net, x1, x2, options }: Call): void {
  const { dtype, diagonalSpatial = false } = options;
  const plan = planKernel(engine, net, x1.shape, x2 && x2.shape, {
    ...(dtype ? { dtype } : {}),
    diagonalSpatial,
  });
  const pairs = x1.shape[0]! * (x2 ?? x1).shape[0]!;
  const entries = plan.layers.reduce((sum, { entriesPerPair }) => sum + entriesPerPair, 0);
  const bytes = 2 * pairs * entries * (dtype === 'f32' ? 4 : 8) + plan.resultBytes * plan.layers.length;
  if (bytes > engine.memoryBytes) {
    throw new UsageError(
      `--per-layer: holds all layers in memory, ${bytes} bytes, the limit is ${engine.memoryBytes}. Use fewer samples (--limit).`,
    );
  }
}

/** One line per layer. */
export function layerLines(layers: readonly LayerSummary[]): string[] {
  return layers.map(({ path, layer, shape, share }) => {
    const part = share === null ? '' : `, ${(100 * share).toFixed(1)} % of the NTK`;
    return `  ${path || 'net'} (${layer}): (${shape.join(', ')})${part}`;
  });
}
