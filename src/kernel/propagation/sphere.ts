// Dense nets on inputs of one norm (images scaled to the sphere): K and T depend on c = cos(x, x') only, so one table of the
// whole net replaces its layers. Kernels have square roots at c = +-1 and are smooth in u = sqrt(1 - |c|) on either side
// of c = 0: a Chebyshev series in u for each side.
import { dualOf } from '../../layers/activation/dual/dual.js';
import { inside, isActivation, isSequence, leafOf } from '../../layers/registry.js';
import type { Layer } from '../../layers/vocabulary.js';
import { cos } from '../../math/elementary.js';
import type { Tensor } from '../../math/tensor.js';
import type { Engine } from '../../wasm/engine.js';
import { tileJob } from '../tiles/tile.js';
import type { SphereTable, TileParams } from '../tiles/tile-params.js';

/** Nodes of a side: kernels smooth in u need 20 to 60 terms, others are left to the layers. */
const NODES = 96;
/** Entries from which the table pays: making it costs some hundred entries and the tables of their variances. */
const LEAST_PAIRS = 2 ** 16;

/**
 * Whether a table serves a call if its inputs have one norm: many entries, and a net of layers in a row with one at least
 * that has no closed form (a series of up to hundreds of terms costs more than a table of the whole net, closed forms less).
 */
export function sphereServes(
  net: Layer,
  shape1: readonly number[],
  shape2: readonly number[] | null,
): boolean {
  const [n1, channels] = shape1 as [number, number];
  const pairs = shape2 ? n1 * shape2[0]! : (n1 * (n1 + 1)) / 2;
  return shape1.length === 2 && channels > 1 && pairs >= LEAST_PAIRS && (seriesLayers(net) ?? 0) > 0;
}

/** Activations by series; null where a layer is not a map of single entries. */
function seriesLayers(layer: Layer): number | null {
  if (isSequence(layer))
    return inside(layer)
      .map(seriesLayers)
      .reduce((sum, n) => (sum === null || n === null ? null : sum + n), 0);
  if (isActivation(layer)) {
    const { form } = dualOf(layer);
    return form === 'function' ? null : form === 'series' ? 1 : 0;
  }
  const entries = leafOf(layer)?.entries(layer);
  return entries === 'affine' || entries === 'same' ? 0 : null;
}

/** The mean square of all samples if it is one number up to rounding, else null. */
export function commonSquare(batches: readonly Tensor[], dtype: 'f32' | 'f64'): number | null {
  const tolerance = dtype === 'f32' ? 2 ** -21 : 2 ** -47;
  let first: number | null = null;
  for (const { data, shape } of batches) {
    const channels = shape[1]!;
    for (let i = 0; i < data.length; i += channels) {
      let sum = 0;
      for (let j = i; j < i + channels; j++) sum += data[j]! * data[j]!;
      const square = sum / channels;
      first ??= square;
      if (!(Math.abs(square - first) <= tolerance * first) || first === 0) return null;
    }
  }
  return first;
}

/** The table of a call, or undefined where the layers do better. */
export async function sphereFor(
  engine: Engine,
  params: Omit<TileParams, 'x1' | 'x2' | 'pattern1' | 'pattern2'>,
  x1: Tensor,
  x2: Tensor | null,
): Promise<SphereTable | undefined> {
  if (params.maskConstant !== null || !sphereServes(params.net, x1.shape, x2?.shape ?? null)) return;
  const square = commonSquare(x2 ? [x1, x2] : [x1], params.dtype);
  return square === null ? undefined : sphereTable(engine, params, square, x1.shape[1]!);
}

/** The table of any net of layers in a row; undefined where the series do not reach the tolerance of the call. */
export async function sphereTable(
  engine: Engine,
  params: Omit<TileParams, 'x1' | 'x2' | 'pattern1' | 'pattern2'>,
  square: number,
  channels: number,
): Promise<SphereTable | undefined> {
  // In the order of u: the nodes (odd) with the points between them (even), at c and at -c.
  const points = Array.from(
    { length: 2 * NODES - 1 },
    (_, i) => 0.5 + 0.5 * cos((Math.PI * (i + 1)) / (2 * NODES)),
  );
  const norm = Math.sqrt(square * channels);
  const data = new Float64Array(2 * points.length * channels);
  points.forEach((u, i) => {
    const c = 1 - u * u;
    for (const [side, sign] of [1, -1].entries()) {
      const at = (side * points.length + i) * channels;
      data[at] = sign * norm * c;
      data[at + 1] = norm * u * Math.sqrt(1 + c);
    }
  });
  const one = { data: new Float64Array(channels), shape: [1, channels] };
  one.data[0] = norm;
  const call = { ...params, square, nngp: undefined, dtype: 'f64' as const, pattern1: null, pattern2: null };
  const two = { data, shape: [2 * points.length, channels] };
  const [self, all] = await engine.map(tileJob, [
    { ...call, x1: one, x2: null },
    { ...call, x1: one, x2: two },
  ]);
  const series: Float64Array[] = [];
  for (const values of [all!.nngp, all!.ntk ?? new Float64Array(all!.nngp.length)]) {
    let scale = 0;
    for (const value of values) scale = Math.max(scale, Math.abs(value));
    for (const side of [0, 1]) {
      const half = Float64Array.from(values.subarray(side * points.length, (side + 1) * points.length));
      const fitted = fit(half, points, params.tolerance * scale, scale);
      if (!fitted) return;
      series.push(fitted);
    }
  }
  const terms = Math.max(...series.map(({ length }) => length));
  const table = new Float64Array(4 * terms);
  series.forEach((coefficients, s) => coefficients.forEach((a, k) => (table[4 * k + s] = a)));
  return { square, series: table, diagonal: [self!.nngp[0]!, self!.ntk?.[0] ?? 0] };
}

/** Chebyshev coefficients from the values at the nodes, cut at `error`; null where the points between say otherwise. */
function fit(
  values: Float64Array,
  points: readonly number[],
  error: number,
  scale: number,
): Float64Array | null {
  const all = Float64Array.from({ length: NODES }, (_, k) => {
    let sum = 0;
    for (let j = 0; j < NODES; j++) sum += values[2 * j]! * cos((Math.PI * k * (2 * j + 1)) / (2 * NODES));
    return (sum * (k === 0 ? 1 : 2)) / NODES;
  });
  let terms = NODES;
  for (let rest = 0; terms > 1; terms--) {
    rest += all[terms - 1]! ** 2;
    if (rest > error * error) break;
  }
  const kept = all.slice(0, terms);
  for (let i = 1; i < points.length; i += 2) {
    const u = points[i]!;
    let [b, b1] = [0, 0];
    for (let k = terms - 1; k >= 0; k--) [b, b1] = [kept[k]! + (4 * u - 2) * b - b1, b];
    // c is known to a few roundings eps, and u = sqrt(1 - c) to eps / 2u, on either path.
    const rounding = 2 ** -51 * (1 + 1 / u) * scale;
    if (!(Math.abs(b - (2 * u - 1) * b1 - values[i]!) <= 4 * (error + rounding))) return null;
  }
  return kept;
}
