// Theta_l = sum over positions p, q of (delta_ip . delta'_jq)(scale^2 u_p . u'_q + biasScale^2), layer by layer, with the
// cheaper of two forms where weights are shared over positions:
//   explicit  form d f_i/d w of every sample, then multiply: n1 n2 o^2 fanIn channels
//   gram      multiply patches and signals, then sum over positions: n1 n2 P^2 (fanIn + o^2 channels)
import type { Numbers, WeightOperation } from '../layers/finite.js';
import { after, gemmCall, kernelOf } from '../layers/rows.js';
import { slice } from '../wasm/engine.js';
import type { LayerSignals, Signals } from './signals.js';

export type Outputs = 'trace' | 'full' | 'diagonal';

/** Theta planes (n1, n2): one for trace, o for diagonal, o*o (output of x1 major) for full. */
export interface Sheets {
  readonly outputs: Outputs;
  readonly count: number;
  readonly data: Numbers;
}
/** Pairs of outputs, where they go, and with which factor. */
interface Pair {
  readonly i: number;
  readonly j: number;
  readonly plane: number;
  readonly factor: number;
}

/** Entries of the position grams that may exist at once. */
const GRAM_ENTRIES = 2 ** 20;

export function outputPairs(outputs: Outputs, o: number): Pair[] {
  const pairs: Pair[] = [];
  for (let i = 0; i < o; i++) {
    if (outputs === 'trace') pairs.push({ i, j: i, plane: 0, factor: 1 / o });
    else if (outputs === 'diagonal') pairs.push({ i, j: i, plane: i, factor: 1 });
    else for (let j = 0; j < o; j++) pairs.push({ i, j, plane: i * o + j, factor: 1 });
  }
  return pairs;
}

/** `explicit` or `gram`: what costs fewer multiplications per pair of samples. */
export function cheaperForm({ map }: WeightOperation, pairs: number): 'single' | 'explicit' | 'gram' {
  const { positions, fanIn, channels, kind } = map;
  if (positions === 1 || kind === 'local') return 'single';
  const gram = positions ** 2 * (fanIn + pairs * channels);
  return gram < pairs * fanIn * channels ? 'gram' : 'explicit';
}

/** One layer of two blocks of samples, and where its kernel is added. */
interface Work {
  readonly a: Signals;
  readonly b: Signals;
  readonly left: LayerSignals;
  readonly right: LayerSignals;
  readonly pairs: readonly Pair[];
  readonly planes: Sheets;
}

/** Adds one layer's kernel between two blocks of samples to `planes`. */
export function addLayer(
  a: Signals,
  b: Signals,
  layer: number,
  pairs: readonly Pair[],
  planes: Sheets,
): void {
  const [left, right] = [a.layers[layer]!, b.layers[layer]!];
  const form = cheaperForm(left.operation, pairs.length);
  const add = { single: addSingle, explicit: addExplicit, gram: addGram }[form];
  add({ a, b, left, right, pairs, planes });
}

/** A weight per position (or one position): Theta = (B B^T) o (scale^2 A A^T + biasScale^2), position by position. */
function addSingle({ a, b, left, right, pairs, planes }: Work): void {
  const { machine, n: n1 } = a;
  const n2 = b.n;
  const { map, scale, biasScale } = left.operation;
  const { positions, channels, fanIn } = map;
  const hasBias = machine.weights(left.operation.parameter).b !== null;
  const inner = machine.scratch('inner', n1 * n2);
  const outer = machine.scratch('outer', n1 * n2);
  const step = positions * channels;
  const u1 = map.patches(machine, left.x, 0, n1);
  const u2 = map.patches(b.machine, right.x, 0, n2);
  for (let p = 0; p < positions; p++) {
    machine.core.heap.fill(inner, hasBias ? biasScale ** 2 : 0);
    gemmCall(machine, {
      ...{ m: n1, n: n2, k: fanIn, transB: true, alpha: scale ** 2, beta: 1, c: inner, ldc: n2 },
      ...{
        a: after(machine, u1, p * fanIn),
        lda: positions * fanIn,
        b: after(machine, u2, p * fanIn),
        ldb: positions * fanIn,
      },
    });
    pairs.forEach(({ i, j, plane, factor }, at) => {
      const first = planes.outputs !== 'trace' || at === 0;
      gemmCall(machine, {
        ...{ m: n1, n: n2, k: channels, transB: true, alpha: factor, beta: first ? 0 : 1, c: outer, ldc: n2 },
        ...{ a: after(machine, left.g, i * n1 * step + p * channels), lda: step },
        ...{ b: after(machine, right.g, j * n2 * step + p * channels), ldb: step },
      });
      if (planes.outputs === 'trace' && at < pairs.length - 1) return;
      const to = after(machine, planes.data, plane * n1 * n2).ptr;
      kernelOf(machine.core, 'rowsMultiply', machine.dtype)(n1 * n2, outer.ptr, inner.ptr, 1, to);
    });
  }
}

/** Rows d f_i(x_s)/d (w, b) in scratch, (outputs, n, (fanIn + 1) channels), scaled. */
function explicitRows(side: Signals, { operation, x, g }: LayerSignals, key: string): Numbers {
  const { machine, n } = side;
  const { positions, channels, fanIn } = operation.map;
  const width = (fanIn + 1) * channels;
  const count = g.length / (positions * channels);
  const rows = machine.scratch(key, count * width);
  const hasBias = machine.weights(operation.parameter).b !== null;
  const patches = operation.map.patches(machine, x, 0, n);
  for (let r = 0; r < count; r++) {
    const signal = after(machine, g, r * positions * channels);
    gemmCall(machine, {
      ...{ m: fanIn, n: channels, k: positions, transA: true, alpha: operation.scale },
      ...{ a: after(machine, patches, (r % n) * positions * fanIn), lda: fanIn, b: signal, ldb: channels },
      ...{ c: after(machine, rows, r * width), ldc: channels },
    });
    const bias = after(machine, rows, r * width + fanIn * channels).ptr;
    const factor = hasBias ? operation.biasScale : 0;
    kernelOf(machine.core, 'rowsSum', machine.dtype)(positions, channels, factor, signal.ptr, 0, bias);
  }
  return rows;
}

function addExplicit({ a, b, left, right, pairs, planes }: Work): void {
  const { channels, fanIn } = left.operation.map;
  const width = (fanIn + 1) * channels;
  const rows1 = explicitRows(a, left, 'rows1');
  const rows2 = a === b ? rows1 : explicitRows(b, right, 'rows2');
  for (const { i, j, plane, factor } of pairs) {
    gemmCall(a.machine, {
      ...{ m: a.n, n: b.n, k: width, transB: true, alpha: factor, beta: 1 },
      ...{
        a: after(a.machine, rows1, i * a.n * width),
        lda: width,
        b: after(a.machine, rows2, j * b.n * width),
        ldb: width,
      },
      ...{ c: after(a.machine, planes.data, plane * a.n * b.n), ldc: b.n },
    });
  }
}

function addGram({ a, b, left, right, pairs, planes }: Work): void {
  const { machine } = a;
  const { map, scale, biasScale, parameter } = left.operation;
  const { positions: p, channels, fanIn } = map;
  const hasBias = machine.weights(parameter).b !== null;
  const most = Math.max(1, Math.floor(Math.sqrt(GRAM_ENTRIES) / p));
  const [n1, n2] = [a.n, b.n];
  for (let s = 0; s < n1; s += most) {
    for (let t = 0; t < n2; t += most) {
      const [rows, columns] = [Math.min(most, n1 - s), Math.min(most, n2 - t)];
      const inner = machine.scratch('inner', rows * p * columns * p);
      const outer = machine.scratch('outer', rows * p * columns * p);
      machine.core.heap.fill(inner, hasBias ? biasScale ** 2 : 0);
      // The two sides gather into scratch memory of their own.
      const u1 = copied(a, map.patches(machine, left.x, s, rows), 'u1');
      const u2 = copied(a, map.patches(b.machine, right.x, t, columns), 'u2');
      const shape = { m: rows * p, n: columns * p, transB: true, ldc: columns * p };
      gemmCall(machine, {
        ...shape,
        k: fanIn,
        alpha: scale ** 2,
        beta: 1,
        a: u1,
        lda: fanIn,
        b: u2,
        ldb: fanIn,
        c: inner,
      });
      for (const { i, j, plane, factor } of pairs) {
        gemmCall(machine, {
          ...{ ...shape, k: channels, c: outer },
          ...{ a: after(machine, left.g, (i * n1 + s) * p * channels), lda: channels },
          ...{ b: after(machine, right.g, (j * n2 + t) * p * channels), ldb: channels },
        });
        const to = after(machine, planes.data, (plane * n1 + s) * n2 + t).ptr;
        kernelOf(machine.core, 'rowsBlockDots', machine.dtype)(
          rows,
          p,
          columns,
          p,
          factor,
          inner.ptr,
          outer.ptr,
          to,
          n2,
        );
      }
    }
  }
}

function copied({ machine }: Signals, from: Numbers, key: string): Numbers {
  const to = machine.scratch(key, from.length);
  kernelOf(machine.core, 'rowsCombine', machine.dtype)(1, from.length, 1, from.ptr, 0, 0, to.ptr, 0);
  return slice(to, 0, from.length);
}
