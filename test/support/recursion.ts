// Kernels of infinitely wide nets by the recursion as textbooks write it, one pair of variables after the other: a variable is
// one position of one sample, and the state is the full covariance and tangent kernel of all of them. Nothing is shared with
// the package: no sides, tiles, planes or series. Slow, and only for tests.
import type { NetDocument } from 'infinite-width';
import { dualOf } from './quadrature.js';

export interface State {
  readonly n: number;
  /** Positions per axis. */
  readonly spatial: readonly number[];
  readonly channels: number;
  /** (n positions) x (n positions). */
  readonly k: Float64Array;
  readonly t: Float64Array;
}

interface Fields {
  readonly layer: string;
  readonly [field: string]: unknown;
}

const product = (list: readonly number[]): number => list.reduce((a, b) => a * b, 1);

/** Samples (n, ...spatial, channels): covariances of the inputs, no tangents. */
export function start(x: { readonly data: ArrayLike<number>; readonly shape: readonly number[] }): State {
  const [n, channels] = [x.shape[0]!, x.shape.at(-1)!];
  const spatial = x.shape.slice(1, -1);
  const size = n * product(spatial);
  const k = new Float64Array(size * size);
  for (let a = 0; a < size; a++)
    for (let b = 0; b < size; b++) {
      let sum = 0;
      for (let c = 0; c < channels; c++) sum += x.data[a * channels + c]! * x.data[b * channels + c]!;
      k[a * size + b] = sum / channels;
    }
  return { n, spatial, channels, k, t: new Float64Array(size * size) };
}

/** The state after a net. */
export function recursion(net: NetDocument, state: State): State {
  if (Array.isArray(net)) return (net as NetDocument[]).reduce((s, layer) => recursion(layer, s), state);
  const layer = net as Fields;
  switch (layer.layer) {
    case 'serial':
      return recursion(layer['layers'] as NetDocument, state);
    case 'repeat':
      return Array.from({ length: layer['times'] as number }).reduce<State>(
        (s) => recursion(layer['net'] as NetDocument, s),
        state,
      );
    case 'identity':
    case 'dropout': // in mode 'test'
      return state;
    case 'dense':
      return affine(state, layer, state.spatial, (p, q) => [[p, q]], false);
    case 'conv':
    case 'convLocal':
      return convolve(state, layer);
    case 'avgPool':
    case 'sumPool':
      return pool(state, layer);
    case 'globalAvgPool':
    case 'globalSumPool': {
      const all = positions(state).map((_, p) => p);
      return mix(state, [], [all], layer.layer === 'globalAvgPool' ? all.length : 1);
    }
    case 'flatten':
      return flatten(state);
    case 'index':
      return index(state, layer['slices'] as readonly [number | null, number | null, number | null][]);
    case 'layerNorm':
      return normalise(state, (layer['eps'] as number | undefined) ?? 1e-12);
    case 'rnn':
      return recurrent(state, layer);
    case 'sum':
    case 'product':
    case 'concat':
      return merge(layer, state);
    default:
      return activate(state, layer);
  }
}

function positions({ spatial }: State): number[][] {
  return spatial.reduce<number[][]>(
    (list, size) => list.flatMap((p) => Array.from({ length: size }, (_, i) => [...p, i])),
    [[]],
  );
}

const flat = (p: readonly number[], spatial: readonly number[]): number =>
  p.reduce((at, i, axis) => at * spatial[axis]! + i, 0);

/** A state of other positions: entry (i, p; j, q) from `entry`. */
function build(
  state: State,
  spatial: readonly number[],
  channels: number,
  entry: (i: number, p: number, j: number, q: number) => readonly [k: number, t: number],
): State {
  const size = product(spatial);
  const all = state.n * size;
  const [k, t] = [new Float64Array(all * all), new Float64Array(all * all)];
  for (let a = 0; a < all; a++)
    for (let b = 0; b < all; b++)
      [k[a * all + b], t[a * all + b]] = entry(
        Math.floor(a / size),
        a % size,
        Math.floor(b / size),
        b % size,
      );
  return { n: state.n, spatial, channels, k, t };
}

const reader = (state: State): ((i: number, p: number, j: number, q: number) => number) => {
  const size = product(state.spatial);
  return (i, p, j, q) => (i * size + p) * state.n * size + j * size + q;
};

/** K' = w^2 mean K + b^2, T' = K' + w^2 mean T, where the mean is over the pairs that `pairs` gives of input positions. */
function affine(
  state: State,
  layer: Fields,
  spatial: readonly number[],
  pairs: (p: number, q: number) => readonly (readonly [number, number])[],
  local: boolean,
  taps = 1,
): State {
  const w2 = ((layer['wStd'] as number | undefined) ?? 1) ** 2 / taps;
  const b2 = ((layer['bStd'] as number | null | undefined) ?? 0) ** 2;
  const at = reader(state);
  const channels = (layer['units'] ?? layer['channels']) as number;
  return build(state, spatial, channels, (i, p, j, q) => {
    if (local && p !== q) return [0, 0];
    let [k, t] = [0, 0];
    for (const [a, b] of pairs(p, q)) {
      k += w2 * state.k[at(i, a, j, b)]!;
      t += w2 * state.t[at(i, a, j, b)]!;
    }
    return [k + b2, k + b2 + t];
  });
}

interface Window {
  readonly spatial: readonly number[];
  readonly size: number;
  /** Input positions under every output position, tap by tap; -1 outside. */
  readonly taps: readonly (readonly number[])[];
}

/** Windows by hand: VALID, SAME (zeros around, the larger half behind) and CIRCULAR. */
function windows(
  state: State,
  sizes: readonly number[],
  strides: readonly number[],
  padding: string,
): Window {
  const spatial = state.spatial.map((n, axis) =>
    padding === 'VALID' ? Math.floor((n - sizes[axis]!) / strides[axis]!) + 1 : Math.ceil(n / strides[axis]!),
  );
  const before = state.spatial.map((n, axis) => {
    if (padding === 'VALID') return 0;
    const total = Math.max(0, (spatial[axis]! - 1) * strides[axis]! + sizes[axis]! - n);
    return Math.floor(total / 2);
  });
  const offsets = positions({ ...state, spatial: sizes });
  const taps = positions({ ...state, spatial }).map((out) =>
    offsets.map((offset) => {
      const place = out.map((o, axis) => o * strides[axis]! - before[axis]! + offset[axis]!);
      const wrapped = place.map((i, axis) => {
        const n = state.spatial[axis]!;
        return padding === 'CIRCULAR' ? ((i % n) + n) % n : i;
      });
      return wrapped.every((i, axis) => i >= 0 && i < state.spatial[axis]!)
        ? flat(wrapped, state.spatial)
        : -1;
    }),
  );
  return { spatial, size: product(sizes), taps };
}

function convolve(state: State, layer: Fields): State {
  const filter = layer['filter'] as number[];
  const strides = (layer['strides'] as number[] | undefined) ?? filter.map(() => 1);
  const { spatial, size, taps } = windows(
    state,
    filter,
    strides,
    (layer['padding'] as string | undefined) ?? 'VALID',
  );
  const pairs = (p: number, q: number): [number, number][] =>
    taps[p]!.flatMap((a, tap) => (a >= 0 && taps[q]![tap]! >= 0 ? [[a, taps[q]![tap]!]] : []));
  return affine(state, layer, spatial, pairs, layer.layer === 'convLocal', size);
}

/** Every output is the sum of some inputs, divided. */
function mix(
  state: State,
  spatial: readonly number[],
  from: readonly (readonly number[])[],
  divide: number,
): State {
  const at = reader(state);
  return build(state, spatial, state.channels, (i, p, j, q) => {
    let [k, t] = [0, 0];
    for (const a of from[p]!)
      for (const b of from[q]!) {
        k += state.k[at(i, a, j, b)]!;
        t += state.t[at(i, a, j, b)]!;
      }
    return [k / divide ** 2, t / divide ** 2];
  });
}

function pool(state: State, layer: Fields): State {
  const size = layer['window'] as number[];
  const strides = (layer['strides'] as number[] | undefined) ?? size.map(() => 1);
  const found = windows(state, size, strides, (layer['padding'] as string | undefined) ?? 'VALID');
  const inside = found.taps.map((list) => list.filter((a) => a >= 0));
  return mix(state, found.spatial, inside, layer.layer === 'avgPool' ? found.size : 1);
}

/** Positions become channels: the mean over equal positions. */
function flatten(state: State): State {
  const size = product(state.spatial);
  const at = reader(state);
  return build(state, [], state.channels * size, (i, _p, j) => {
    let [k, t] = [0, 0];
    for (let p = 0; p < size; p++) {
      k += state.k[at(i, p, j, p)]! / size;
      t += state.t[at(i, p, j, p)]! / size;
    }
    return [k, t];
  });
}

function index(state: State, slices: readonly [number | null, number | null, number | null][]): State {
  const kept = state.spatial.map((n, axis) => {
    const [from, to, step] = slices[axis]!;
    return Array.from({ length: n }, (_, i) => i)
      .slice(from ?? 0, to ?? n)
      .filter((_, i) => i % (step ?? 1) === 0);
  });
  const spatial = kept.map(({ length }) => length);
  const from = positions({ ...state, spatial }).map((p) => [
    flat(
      p.map((i, axis) => kept[axis]![i]!),
      state.spatial,
    ),
  ]);
  return mix(state, spatial, from, 1);
}

function normalise(state: State, eps: number): State {
  const at = reader(state);
  return build(state, state.spatial, state.channels, (i, p, j, q) => {
    const scale = Math.sqrt((state.k[at(i, p, i, p)]! + eps) * (state.k[at(j, q, j, q)]! + eps));
    return [state.k[at(i, p, j, q)]! / scale, state.t[at(i, p, j, q)]! / scale];
  });
}

function merge(layer: Fields, state: State): State {
  const parts = (layer['branches'] as NetDocument[]).map((branch) => recursion(branch, state));
  const [first] = parts as [State];
  const channels = parts.reduce((sum, part) => sum + part.channels, 0);
  const at = reader(first);
  return build(first, first.spatial, layer.layer === 'concat' ? channels : first.channels, (i, p, j, q) => {
    const e = at(i, p, j, q);
    let [k, t] = layer.layer === 'product' ? [1, 0] : [0, 0];
    for (const part of parts) {
      const share = layer.layer === 'concat' ? part.channels / channels : 1;
      if (layer.layer === 'product') [k, t] = [k * part.k[e]!, t * part.k[e]! + k * part.t[e]!];
      else [k, t] = [k + share * part.k[e]!, t + share * part.t[e]!];
    }
    return [k, t];
  });
}

/** h_s = phi(W x_s + U h_{s-1} + b) with the same weights at every step. */
function recurrent(state: State, layer: Fields): State {
  const steps = state.spatial[0]!;
  const w2 = ((layer['wStd'] as number | undefined) ?? 1) ** 2;
  const u2 = ((layer['uStd'] as number | undefined) ?? 1) ** 2;
  const b2 = ((layer['bStd'] as number | null | undefined) ?? 0) ** 2;
  const dual = dualOf(layer['activation'] as Fields);
  const at = reader(state);
  const variance = new Float64Array(state.n * steps);
  for (let i = 0; i < state.n; i++)
    for (let s = 0, before = 0; s < steps; s++) {
      const v = w2 * state.k[at(i, s, i, s)]! + b2 + before;
      variance[i * steps + s] = v;
      before = u2 * dual(v, v, v)[0];
    }
  const [h, th] = [new Float64Array(state.k.length), new Float64Array(state.k.length)];
  for (let s = 0; s < steps; s++)
    for (let r = 0; r < steps; r++)
      for (let i = 0; i < state.n; i++)
        for (let j = 0; j < state.n; j++) {
          const [now, before] = [at(i, s, j, r), s > 0 && r > 0 ? at(i, s - 1, j, r - 1) : -1];
          const c = w2 * state.k[now]! + b2 + (before < 0 ? 0 : u2 * h[before]!);
          const tangent = c + w2 * state.t[now]! + (before < 0 ? 0 : u2 * th[before]!);
          const [k, slope] = dual(variance[i * steps + s]!, variance[j * steps + r]!, c);
          [h[now], th[now]] = [k, slope * tangent];
        }
  const all = { ...state, channels: layer['units'] as number, k: h, t: th };
  return layer['returnSequences'] === true ? all : mix(all, [], [[steps - 1]], 1);
}

function activate(state: State, layer: Fields): State {
  const dual = dualOf(layer);
  const at = reader(state);
  return build(state, state.spatial, state.channels, (i, p, j, q) => {
    const [a, b, c] = [at(i, p, i, p), at(j, q, j, q), at(i, p, j, q)].map((e) => state.k[e]!) as [
      number,
      number,
      number,
    ];
    const [k, slope] = dual(a, b, c);
    return [k, slope === 0 ? 0 : slope * state.t[at(i, p, j, q)]!];
  });
}
