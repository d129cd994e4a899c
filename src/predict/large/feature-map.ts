// Random features of a net's kernels: the hidden outputs of a finite net with random weights, and their derivatives along
// one random direction of its parameters. For independent normal weights and directions both are, unit by unit, Gaussian
// processes whose covariances obey the recursions of the NNGP and of the NTK (Jacot et al. 2018), so that with the output
// layer (wStd, bStd) over W units
//   NNGP ~ wStd^2 / W phi phi' + bStd^2,   NTK ~ NNGP + wStd^2 / W dphi dphi'.
import { foldIn, normal, randomKey } from '../../math/random.js';
import { sizeOf, type Tensor } from '../../math/tensor.js';
import { parseNet, toJson, type LayerDocument, type NetDocument } from '../../net/document.js';
import { createModel } from '../../net/model.js';
import { unflatten } from '../../net/parameters.js';
import { inferShapes } from '../../net/shapes.js';
import { descriptorOf, inside, someLeaf } from '../../layers/registry.js';
import type { DenseLayer, Layer } from '../../layers/vocabulary.js';
import { defineJob, UnsupportedError, type Engine, type Job, type RunOptions } from '../../wasm/engine.js';

export interface FeatureMap {
  /** All of the net but its output layer, at the width of the features. */
  readonly hidden: LayerDocument;
  readonly inputShape: readonly number[];
  readonly seed: number;
  /** Hidden outputs per sample. */
  readonly size: number;
  /** Their factor, and the constant feature; 0: none. */
  readonly factor: number;
  readonly bias: number;
  /** Whether the derivatives are features too. */
  readonly tangents: boolean;
}

/** Features of the NNGP (first), and of both kernels. */
export const baseCount = ({ size, bias }: FeatureMap): number => size + +(bias > 0);
export const featureCount = (map: FeatureMap): number => baseCount(map) + (map.tangents ? map.size : 0);

/**
 * A map of at most `rank` features (one unit's at least) of the NNGP, or with `tangents` of the NTK. UnsupportedError for
 * nets that do not end in a dense layer, have layers without such features, or are in standard parametrisation.
 */
export function featureMap(
  net: NetDocument,
  inputShape: readonly number[],
  rank: number,
  seed: number,
  tangents: boolean,
): FeatureMap {
  const parsed = parseNet(net);
  const layers = parsed.layer === 'serial' ? parsed.layers : [parsed];
  const last = layers.at(-1)!;
  if (last.layer !== 'dense') throw none(`a net that ends in ${last.layer}`, 'End it in a dense layer');
  layers.forEach(check);
  const rest = layers.slice(0, -1);
  const hiddenOf = (width: number): LayerDocument =>
    widened(toJson(rest.length > 0 ? { layer: 'serial', layers: rest } : { layer: 'identity' }), width);
  const sizeAt = (width: number): number => sizeOf(inferShapes(hiddenOf(width), inputShape).output);
  const { wStd, bStd } = last as DenseLayer;
  const bias = bStd ?? 0;
  const moves = tangents && rest.some(hasWeights);
  const perUnit = sizeAt(1) * (moves ? 2 : 1);
  const width = Math.max(1, Math.floor((rank - +(bias > 0)) / perUnit));
  const size = sizeAt(width);
  const factor = wStd / Math.sqrt(size);
  return { hidden: hiddenOf(width), inputShape, seed, size, factor, bias, tangents: moves };
}

const none = (what: string, remedy: string): UnsupportedError =>
  new UnsupportedError(
    `predict: solver 'features' of ${what}`,
    `${remedy}, or use solver 'nystrom' or 'cg'.`,
  );

function check(layer: Layer): void {
  const descriptor = descriptorOf(layer);
  if (descriptor.kind !== 'sequence' && !descriptor.featureSafe)
    throw none(`a net with the layer ${layer.layer}`, 'Leave it out');
  if ('parametrization' in layer && layer.parametrization !== 'ntk')
    throw none('a net in standard parametrisation', "Use parametrization 'ntk'");
  inside(layer).forEach(check);
}

const hasWeights = (layer: Layer): boolean => someLeaf(layer, ({ weights }) => weights !== null);

/** The document with this width everywhere. */
function widened(layer: LayerDocument, width: number): LayerDocument {
  const change = (value: unknown): unknown =>
    Array.isArray(value) ? value.map(change) : value && typeof value === 'object' ? walk(value) : value;
  const walk = (value: object): LayerDocument =>
    Object.fromEntries(
      Object.entries(value).map(([key, entry]) =>
        key === 'units' || key === 'channels' ? [key, width] : [key, change(entry)],
      ),
    ) as unknown as LayerDocument;
  return walk(layer);
}

interface FeatureParams {
  readonly map: FeatureMap;
  /** (rows, ...inputShape) */
  readonly x: Float64Array;
}

/** @internal (rows, features): hidden outputs, constant, derivatives. */
export const featuresJob: Job<FeatureParams, Float64Array> = defineJob(
  'predict/features',
  (core, { map, x }) => {
    const { hidden, inputShape, seed, size, factor, bias, tangents } = map;
    const key = foldIn(randomKey(seed), 'features');
    const [width, base] = [featureCount(map), baseCount(map)];
    const rows = x.length / sizeOf(inputShape);
    using model = createModel(core, hidden, { inputShape, seed });
    const inputs = { data: x, shape: [rows, ...inputShape] };
    const parts = tangents
      ? model.coefficients(inputs, unflatten(model.slots, normal(core, key, model.parameterCount)), 1)
      : [model.forward(inputs)];
    const out = new Float64Array(rows * width);
    parts.forEach(({ data }, part) => {
      for (let i = 0; i < rows; i++)
        for (let c = 0, at = i * width + (part === 0 ? 0 : base); c < size; c++, at++)
          out[at] = factor * data[i * size + c]!;
    });
    if (bias > 0) for (let i = 0; i < rows; i++) out[i * width + size] = bias;
    return out;
  },
);

const ENTRIES = 2 ** 20; // of the features that one job makes

/** (points, features); `each` gets parts of consecutive rows as they come. */
export async function features(
  engine: Engine,
  map: FeatureMap,
  { data, shape }: Tensor,
  each: (part: Float64Array, first: number) => void,
  { onProgress, ...run }: RunOptions & { readonly onProgress?: (done: number) => void } = {},
): Promise<void> {
  const rows = shape[0]!;
  const perRow = data.length / rows;
  const step = Math.max(64, Math.floor(ENTRIES / featureCount(map)));
  const together = step * Math.max(1, engine.workers);
  for (let from = 0; from < rows; from += together) {
    const end = Math.min(rows, from + together);
    const starts = Array.from({ length: Math.ceil((end - from) / step) }, (_, i) => from + i * step);
    const jobs = starts.map((first) => ({
      map,
      x: Float64Array.from(data.subarray(first * perRow, Math.min(end, first + step) * perRow)),
    }));
    const parts = await engine.map(featuresJob, jobs, run);
    parts.forEach((part, i) => each(part, starts[i]!));
    onProgress?.(end);
  }
}
