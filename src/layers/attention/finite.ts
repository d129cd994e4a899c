// Self-attention over all positions, in 'ntk' parametrisation (arXiv:2006.10540): scores from keys and queries, a
// mechanism on them, values mixed by them, heads side by side, and an affine layer. With linear scaling queries and keys
// share their weights. Parameters: <path>.positional, .key, .query (square-root scaling only), .value, .out.
import { compileActivation } from '../activation/finite.js';
import { exp } from '../../math/elementary.js';
import { denseMap } from '../affine/dense.js';
import { pushAffine } from '../affine/finite.js';
import type { Builder, Numbers, Pass, ValueRef, WeightMap } from '../finite.js';
import { sizeOfShape } from '../finite.js';
import { pushBilinear, pushConcat, pushSum } from '../merge/finite.js';
import { after, gemmCall, kernelOf } from '../rows.js';
import { pushRowwise } from '../rowwise.js';
import { expSeries, invertSeries, multiplySeries, type Series } from '../power-series.js';
import type { Shaped } from '../shapes.js';
import type { AttentionLayer } from '../vocabulary.js';

export function compileAttention(
  { layer, path, output }: Shaped<AttentionLayer>,
  builder: Builder,
  input: ValueRef,
): ValueRef {
  const { heads, keyChannels, valueChannels, linearScaling, mechanism } = layer;
  const spatial = input.shape.slice(0, -1);
  const tokens = sizeOfShape(spatial);
  const embedded = layer.positional === 'none' ? input : embed(layer, `${path}.positional`, builder, input);
  const project = (name: string, from: ValueRef, channels: number): ValueRef => {
    const c = from.shape.at(-1)!;
    return pushAffine(builder, from, [tokens, channels], {
      path: `${path}.${name}`,
      map: denseMap(tokens, c, channels),
      wShape: [c, channels],
      bShape: null,
      ...{ scale: 1, biasScale: 0, wStd: 1, bStd: 0 },
    });
  };
  const key = project('key', embedded, heads * keyChannels);
  const query = linearScaling ? key : project('query', embedded, heads * keyChannels);
  const from = layer.valuePositional ? embedded : input;
  const value = project('value', from, heads * valueChannels);
  const c = embedded.shape.at(-1)!;
  const scale =
    (layer.queryStd * layer.keyStd) / (c * (linearScaling ? keyChannels : Math.sqrt(keyChannels)));
  const scores = pushScores(builder, path, query, key, { heads, tokens, width: keyChannels, scale });
  const weights =
    mechanism === 'softmax'
      ? pushSoftmax(builder, path, scores, tokens)
      : mechanism === 'identity'
        ? scores
        : compileActivation({ layer: mechanism }, path, builder, scores);
  const mixed = pushMix(builder, path, weights, value, { heads, tokens, width: valueChannels, scale: 1 });
  return pushAffine(builder, mixed, output, {
    path: `${path}.out`,
    map: denseMap(tokens, heads * valueChannels, layer.channels),
    wShape: [heads * valueChannels, layer.channels],
    bShape: layer.bStd === null ? null : [layer.channels],
    scale: (layer.outStd * layer.valueStd) / Math.sqrt(valueChannels * heads * from.shape.at(-1)!),
    biasScale: layer.bStd ?? 0,
    ...{ wStd: 1, bStd: 1 },
  });
}

/** Adds or appends a trainable vector per position, times positionalStd. */
function embed(layer: AttentionLayer, path: string, builder: Builder, input: ValueRef): ValueRef {
  const channels = input.shape.at(-1)!;
  const own = layer.positionalChannels ?? channels;
  if (layer.positional === 'sum' && own !== channels) {
    throw new RangeError(
      `net: ${path}: positionalChannels must equal the ${channels} channels of the input, got ${own}.`,
    );
  }
  const spatial = input.shape.slice(0, -1);
  const shape = [...spatial, own];
  // A layer that sees the constant 1 at every position: the net's input stands in, since it has no higher orders.
  const embedding = pushAffine(builder, { id: 0, shape: [] }, shape, {
    path,
    map: constantMap(sizeOfShape(spatial), own),
    wShape: shape,
    bShape: null,
    ...{ scale: layer.positionalStd, biasScale: 0, wStd: 1, bStd: 0 },
  });
  if (layer.positional === 'sum') return pushSum(builder, path, [input, embedding]);
  return pushConcat(builder, path, [input, embedding], spatial.length, [...spatial, channels + own]);
}

/** y = w for every sample. */
function constantMap(positions: number, channels: number): WeightMap {
  const size = positions * channels;
  return {
    kind: 'local',
    ...{ positions, channels, fanIn: 1 },
    apply: (pass, w, _x, y, { alpha, beta }) =>
      void kernelOf(pass.core, 'rowsCombine', pass.dtype)(pass.n, size, alpha, w.ptr, 0, beta, y.ptr, size),
    transpose: (pass, _w, _gy, gx, { beta }) => {
      if (beta === 0) pass.core.heap.fill(gx, 0);
    },
    gradient: (pass, _x, gy, gw, { alpha, beta }) =>
      void kernelOf(pass.core, 'rowsSum', pass.dtype)(pass.n, size, alpha, gy.ptr, beta, gw.ptr),
    patches(pass, _x, _first, count) {
      const ones = pass.scratch(`ones ${positions}`, count * positions);
      pass.core.heap.fill(ones, 1);
      return ones;
    },
  };
}

interface Heads {
  readonly heads: number;
  readonly tokens: number;
  readonly width: number;
  readonly scale: number;
}

/** One gemm per sample and head: places of a head in (tokens, heads, width) and of its (tokens, tokens) matrix. */
function eachHead(
  pass: Pass,
  { heads, tokens, width }: Heads,
  run: (rows: number, matrix: number) => void,
): void {
  for (let s = 0; s < pass.n; s++) {
    for (let h = 0; h < heads; h++) run((s * tokens * heads + h) * width, (s * heads + h) * tokens * tokens);
  }
}

/** scores[h, t, t'] = scale sum_k q[t, h, k] k[t', h, k]. */
function pushScores(builder: Builder, path: string, q: ValueRef, k: ValueRef, sizes: Heads): ValueRef {
  const { heads, tokens: t, width, scale: alpha } = sizes;
  const ld = heads * width;
  const back = (transA: boolean) => (pass: Pass, g: Numbers, other: Numbers, beta: number, to: Numbers) =>
    eachHead(pass, sizes, (rows, matrix) =>
      gemmCall(pass, {
        ...{
          m: t,
          n: width,
          k: t,
          transA,
          a: after(pass, g, matrix),
          lda: t,
          b: after(pass, other, rows),
          ldb: ld,
        },
        ...{ c: after(pass, to, rows), ldc: ld, alpha, beta },
      }),
    );
  return pushBilinear(builder, path, q, k, {
    shape: [heads, t, t],
    maps: {
      apply: (pass, x, y, beta, z) =>
        eachHead(pass, sizes, (rows, matrix) =>
          gemmCall(pass, {
            ...{
              m: t,
              n: t,
              k: width,
              transB: true,
              a: after(pass, x, rows),
              lda: ld,
              b: after(pass, y, rows),
              ldb: ld,
            },
            ...{ c: after(pass, z, matrix), ldc: t, alpha, beta },
          }),
        ),
      left: back(false),
      right: back(true),
    },
  });
}

/** mixed[t, h, v] = sum_t' weights[h, t, t'] value[t', h, v]. */
function pushMix(builder: Builder, path: string, weights: ValueRef, value: ValueRef, sizes: Heads): ValueRef {
  const { heads, tokens: t, width } = sizes;
  const ld = heads * width;
  const mix = (transA: boolean) => (pass: Pass, w: Numbers, v: Numbers, beta: number, to: Numbers) =>
    eachHead(pass, sizes, (rows, matrix) =>
      gemmCall(pass, {
        ...{
          m: t,
          n: width,
          k: t,
          transA,
          a: after(pass, w, matrix),
          lda: t,
          b: after(pass, v, rows),
          ldb: ld,
        },
        ...{ c: after(pass, to, rows), ldc: ld, beta },
      }),
    );
  return pushBilinear(builder, path, weights, value, {
    shape: [t, ld],
    maps: {
      apply: mix(false),
      left: (pass, g, v, beta, to) =>
        eachHead(pass, sizes, (rows, matrix) =>
          gemmCall(pass, {
            ...{
              m: t,
              n: t,
              k: width,
              transB: true,
              a: after(pass, g, rows),
              lda: ld,
              b: after(pass, v, rows),
              ldb: ld,
            },
            ...{ c: after(pass, to, matrix), ldc: t, beta },
          }),
        ),
      right: (pass, g, w, beta, to) => mix(true)(pass, w, g, beta, to),
    },
  });
}

/** Softmax of every run of `width` numbers. */
function pushSoftmax(builder: Builder, path: string, input: ValueRef, width: number): ValueRef {
  return pushRowwise(builder, path, input, width, () => ({
    value: (pass, rows, x, y) => void kernelOf(pass.core, 'rowsSoftmax', pass.dtype)(rows, width, x, y),
    project: (pass, rows, y, v, { beta, to }) =>
      void kernelOf(pass.core, 'rowsSoftmaxBack', pass.dtype)(rows, width, y, v, beta, to),
    series: softmaxSeries,
    projectSeries: softmaxProjection,
  }));
}

function softmaxSeries(row: readonly Series[]): Series[] {
  const most = row.reduce((max, x) => Math.max(max, x[0]!), -Infinity);
  const e = row.map((x) => expSeries(x, exp(x[0]! - most)));
  const inverse = invertSeries(sumSeries(e));
  return e.map((series) => multiplySeries(series, inverse));
}

/** J v = p v - p (p.v). */
function softmaxProjection(row: readonly Series[], v: readonly Series[]): Series[] {
  const p = softmaxSeries(row);
  const pv = p.map((entry, i) => multiplySeries(entry, v[i]!));
  const along = sumSeries(pv);
  return p.map((entry, i) => {
    const bent = multiplySeries(entry, along);
    return pv[i]!.map((value, m) => value - bent[m]!);
  });
}

const sumSeries = (list: readonly Series[]): Series =>
  list[0]!.map((_, m) => list.reduce((total, series) => total + series[m]!, 0));
