// Derivatives of kernel matrices by tiles: contracted with weights for numbers of the net, whole for inputs.
import type { Shape } from '../../layers/shapes.js';
import { allocate, asTensor, assertFinite, type Tensor, type TensorLike } from '../../math/tensor.js';
import { parseNet, type NetDocument } from '../../net/document.js';
import { knownFields, UnsupportedError, type Engine } from '../../wasm/engine.js';
import { compileNet, mostSheets, type CompiledLayer } from '../propagation/compiled-net.js';
import { couplesSamples, tileGrid, type TilePlace } from '../plan.js';
import { derivativeJob, type Direction, type DerivativeParams, type DerivativeResult } from './tile.js';

/** Arrays of one tile: a state and its input per direction, K and T, in wasm memory and once as arrays. */
const LIVE = 6;
/** More samples per side do not pay: rates are computed entry by entry. */
const MOST = 128;

export interface DerivativePlan {
  /** Samples per side of a tile. */
  readonly tile: number;
  readonly tileBytes: number;
}

/** How large tiles may be; RangeError with the bytes where not even one pair of samples fits. */
export function planDerivatives(
  node: CompiledLayer,
  directions: number,
  n: number,
  memoryBytes: number,
): DerivativePlan {
  const perPair = mostSheets(node) * LIVE * 8 * (1 + directions);
  // Rows are padded to 4 samples.
  const fits = Math.floor(Math.sqrt(memoryBytes / perPair));
  if (fits < 4)
    throw new RangeError(
      `kernel: derivatives of 4 x 4 pairs of samples in ${directions} directions need ${16 * perPair} bytes, more than memoryBytes = ${memoryBytes}. Raise memoryBytes, freeze parameters or shrink the input.`,
    );
  const whole = couplesSamples(node.shaped);
  if (whole && fits < n)
    throw new RangeError(
      `kernel: layerNorm over samples needs the derivatives of all ${n} x ${n} pairs at once, more than memoryBytes = ${memoryBytes} hold. Raise memoryBytes or leave the samples (0) out of "axis".`,
    );
  const tile = whole ? n : Math.min(MOST, n, Math.floor(fits / 4) * 4);
  return { tile, tileBytes: perPair * tile * Math.ceil(tile / 4) * 4 };
}

interface Options {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: { done: number; total: number }) => void) | undefined;
}

interface Call {
  readonly net: NetDocument;
  readonly x1: Tensor;
  readonly x2: Tensor | null;
  readonly ntk: boolean;
}

function compileMatrix(net: NetDocument, sample: Shape): CompiledLayer {
  const node = compileNet(net, sample, { cov: 'none', joint: 'full' });
  if (node.facts.shape.length !== 1)
    throw new RangeError(
      'kernel: derivatives need a net that ends without spatial axes. Add flatten or a global pooling layer.',
    );
  return node;
}

function rowsOf({ data, shape }: Tensor, [start, end]: readonly [number, number]): Tensor {
  const size = data.length / shape[0]!;
  return { data: data.slice(start * size, end * size), shape: [end - start, ...shape.slice(1)] };
}

function cutWeights(weights: Float64Array, n: number, { rows, columns }: TilePlace): Float64Array {
  const [height, width] = [rows[1] - rows[0], columns[1] - columns[0]];
  const out = new Float64Array(height * width);
  const factor = rows[0] === columns[0] ? 1 : 2;
  for (let i = 0; i < height; i++)
    for (let j = 0; j < width; j++)
      out[i * width + j] = factor * weights[(rows[0] + i) * n + columns[0] + j]!;
  return out;
}

function paramsOf(
  { net, x1, x2, ntk }: Call,
  directions: readonly Direction[],
  { rows, columns }: TilePlace,
): Omit<DerivativeParams, 'weights'> {
  const same = x2 === null && rows[0] === columns[0];
  return {
    net: parseNet(net),
    x1: rowsOf(x1, rows),
    x2: same ? null : rowsOf(x2 ?? x1, columns),
    ntk,
    directions,
    tolerance: 1e-13,
  };
}

/** What is contracted: the numbers of the net, the symmetric weights (n, n), and which kernel. */
export interface Contraction {
  readonly names: readonly string[];
  readonly weights: Float64Array;
  readonly ntk: boolean;
}

/**
 * sum_ij weights_ij d kernel_ij / d parameter for every named number of the net (`directions.ts`), kernel the NNGP or
 * NTK of x with itself and `weights` symmetric (n, n). Forward mode: costs and holds about as much as the kernels of
 * the general path times one plus the number of names.
 */
export async function contractKernel(
  engine: Engine,
  net: NetDocument,
  x: Tensor,
  { names, weights, ntk, ...run }: Options & Contraction,
): Promise<Float64Array> {
  const n = x.shape[0]!;
  const total = new Float64Array(names.length);
  if (names.length === 0) return total;
  const { tile } = planDerivatives(compileMatrix(net, x.shape.slice(1)), names.length, n, engine.memoryBytes);
  const directions = names.map((name) => ({ name }));
  const call: Call = { net, x1: x, x2: null, ntk };
  await eachTile(engine, tileGrid(n, n, tile, true), run, {
    params: (place) => ({ ...paramsOf(call, directions, place), weights: cutWeights(weights, n, place) }),
    done: (_place, { sums }) => sums.forEach((sum, d) => (total[d]! += sum)),
  });
  return total;
}

/** Runs tiles a few at a time, in order. */
async function eachTile(
  engine: Engine,
  places: readonly TilePlace[],
  { signal, onProgress }: Options,
  {
    params,
    done,
  }: { params(place: TilePlace): DerivativeParams; done(place: TilePlace, tile: DerivativeResult): void },
): Promise<void> {
  const window = Math.max(1, engine.workers) * 2;
  for (let i = 0; i < places.length; i += window) {
    const some = places.slice(i, i + window);
    const tiles = await engine.map(derivativeJob, some.map(params), { signal });
    tiles.forEach((tile, t) => done(some[t]!, tile));
    onProgress?.({ done: i + some.length, total: places.length });
  }
}

export interface KernelInputGradient {
  /** (n1, n2, ...sample): entry [i, j] is d kernel(x1_i, x2_j) / d x1_i. */
  readonly nngp: Tensor;
  readonly ntk: Tensor;
}

/**
 * Derivatives of NNGP and NTK between x1 and x2 with respect to x1, x2 held fixed. Nets without positions cost about
 * three kernels, others one per entry of a sample and one more. Where x1_i and x2_j are parallel the NTK of ReLU-like
 * nets has a kink: the mean of its slopes on both sides is returned. RangeError with the bytes where the result is too
 * large; UnsupportedError for layerNorm over samples.
 */
export async function kernelInputGradient(
  engine: Engine,
  net: NetDocument,
  x1Like: TensorLike,
  x2Like: TensorLike,
  options: Options = {},
): Promise<KernelInputGradient> {
  knownFields('kernelInputGradient', options, { signal: true, onProgress: true });
  const [x1, x2] = [x1Like, x2Like].map((value, i) => {
    const x = asTensor(value, `kernelInputGradient: x${i + 1}`);
    assertFinite(x, `kernelInputGradient: x${i + 1}`);
    return x;
  }) as [Tensor, Tensor];
  const [n1, ...sample] = x1.shape as [number, ...number[]];
  const n2 = x2.shape[0]!;
  if (sample.length === 0 || x2.shape.slice(1).join() !== sample.join() || n1 * n2 * x1.data.length === 0)
    throw new RangeError(
      `kernelInputGradient: x1 and x2 must be (n, ...sample) with one sample shape, got [${x1.shape.join(', ')}] and [${x2.shape.join(', ')}].`,
    );
  const size = sample.reduce((product, extent) => product * extent, 1);
  const shape = [n1, n2, ...sample];
  const make = (): Float64Array =>
    allocate('f64', n1 * n2 * size, 'kernelInputGradient: the result', 'Use fewer samples.') as Float64Array;
  const out = { nngp: make(), ntk: make() };
  const call: Call = { net, x1, x2, ntk: true };
  const node = compileMatrix(net, sample);
  if (couplesSamples(node.shaped))
    throw new UnsupportedError(
      'kernelInputGradient of layerNorm over samples',
      'A kernel then depends on the inputs of all samples: leave the samples (0) out of "axis".',
    );
  for (const group of directionGroups(node, sample, engine.memoryBytes)) {
    const { tile } = planDerivatives(node, group.length, Math.max(n1, n2), engine.memoryBytes);
    await eachTile(engine, tileGrid(n1, n2, tile, false), options, {
      params: (place) => ({ ...paramsOf(call, group, place), weights: null }),
      done: (place, result) => {
        for (const name of ['nngp', 'ntk'] as const)
          scatter(out[name], result[name]!, { group, place, x1, x2 });
      },
    });
  }
  return { nngp: { data: out.nngp, shape }, ntk: { data: out.ntk, shape } };
}

/** What to differentiate in, as many directions at a time as fit. */
function directionGroups(node: CompiledLayer, sample: Shape, memoryBytes: number): Direction[][] {
  if (sample.length === 1) return [[{ input: 'covariance' }, { input: 'variance' }]];
  const channels = sample.at(-1)!;
  const size = sample.reduce((product, extent) => product * extent, 1);
  const all = Array.from({ length: size }, (_, e) => ({
    position: Math.floor(e / channels),
    channel: e % channels,
  }));
  const perDirection = 64 * mostSheets(node) * LIVE * 8;
  const count = Math.max(1, Math.min(size, Math.floor(memoryBytes / perDirection) - 1));
  const groups: Direction[][] = [];
  for (let from = 0; from < size; from += count) groups.push(all.slice(from, from + count));
  return groups;
}

/** Puts a tile (directions, rows, columns) where it belongs; without positions K = x1 x2'/d, q = x1 x1'/d. */
function scatter(
  out: Float64Array,
  tile: Float64Array,
  {
    group,
    place: { rows, columns },
    x1,
    x2,
  }: {
    readonly group: readonly Direction[];
    readonly place: TilePlace;
    readonly x1: Tensor;
    readonly x2: Tensor;
  },
): void {
  const [height, width] = [rows[1] - rows[0], columns[1] - columns[0]];
  const n2 = x2.shape[0]!;
  const size = x2.data.length / n2;
  const channels = x2.shape.at(-1)!;
  for (let i = 0; i < height; i++) {
    for (let j = 0; j < width; j++) {
      const [row, column] = [rows[0] + i, columns[0] + j];
      const to = (row * n2 + column) * size;
      const at = (d: number): number => tile[(d * height + i) * width + j]!;
      if ('input' in group[0]!)
        for (let e = 0; e < size; e++)
          out[to + e] = (at(0) * x2.data[column * size + e]! + 2 * at(1) * x1.data[row * size + e]!) / size;
      else
        for (const [d, direction] of group.entries()) {
          const { position, channel } = direction as { position: number; channel: number };
          out[to + position * channels + channel] = at(d);
        }
    }
  }
}
