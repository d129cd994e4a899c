// The order of segments and rows of offsets, and where stored planes lie meanwhile.
import { flowsInto, type MixAxis } from '../../layers/lowering/axis.js';
import type { Arena, Blob, Constants } from './blob.js';
import type { MixNode, Node } from '../../layers/lowering/nodes.js';
import type { Offset, Segment, Split } from './segments.js';

/** Steps of the executor, four words each: [0, segment, offsets, count] or [1, arena offset, bytes, 0]. */
export type Schedule = number[];

interface Row {
  readonly dh: number;
  readonly first: number;
  readonly count: number;
}

function rowsOf(offsets: readonly Offset[]): Row[] {
  const rows: { dh: number; first: number; count: number }[] = [];
  for (const [i, [dh]] of offsets.entries()) {
    const last = rows.at(-1);
    if (last?.dh === dh) last.count++;
    else rows.push({ dh, first: i, count: 1 });
  }
  return rows;
}

/** The place of offset (h, w) in a table of all planes. */
export function planeIndex([h, w]: Offset, { H, W }: Node, modular: boolean): number {
  return modular ? h * W + w : (h + H - 1) * (2 * W - 1) + w + W - 1;
}

export function planeSize([h, w]: Offset, { H, W }: Node, modular: boolean): number {
  return modular ? H * W : (H - Math.abs(h)) * (W - Math.abs(w));
}

export function tableLength({ H, W }: Node, modular: boolean): number {
  return modular ? H * W : (2 * H - 1) * (2 * W - 1);
}

/** A table of the arena offsets of planes, -1 where a plane is not wanted. */
export function planeTable(
  node: Node,
  modular: boolean,
  places: ReadonlyMap<string, number>,
  blob: Blob,
): number {
  const table = new Int32Array(tableLength(node, modular)).fill(-1);
  for (const [key, at] of places)
    table[planeIndex(key.split(',').map(Number) as unknown as Offset, node, modular)] = at;
  return blob.put(table);
}

/** The rows (or columns, as spans) of every input offset of an axis: see assembly/offsets-mix.ts. Returns its blob index. */
export function axisTable(
  axis: MixAxis,
  {
    inModular,
    outModular,
    spans,
    scale,
    blob,
    constants,
  }: {
    readonly inModular: boolean;
    readonly outModular: boolean;
    readonly spans: boolean;
    readonly scale: number;
    readonly blob: Blob;
    readonly constants: Constants;
  },
): number {
  const inverse = new Map<number, number[]>();
  const range = outModular
    ? Array.from({ length: axis.out }, (_, d) => d)
    : Array.from({ length: 2 * axis.out - 1 }, (_, i) => i + 1 - axis.out);
  for (const d of range) {
    for (const [e, flows] of flowsInto(axis, d, inModular, outModular)) {
      const entries = flows.map((f) => ({
        ...f,
        weight: f.weight === scale ? 0 : constants.put([f.weight / scale]),
      }));
      const wide = widened(entries);
      const words = spans ? asSpans(wide) : wide.map((f) => [f.out, f.input, f.taps, f.weight]);
      const list = inverse.get(e) ?? [];
      inverse.set(e, list);
      list.push(outModular ? d : d + axis.out - 1, blob.put(words.flat()), words.length);
    }
  }
  const table = new Int32Array(inModular ? axis.n : 2 * axis.n - 1);
  for (const [e, list] of inverse)
    table[inModular ? e : e + axis.n - 1] = blob.put([list.length / 3, ...list]);
  return blob.put(table);
}

interface Entry {
  readonly out: number;
  readonly input: number;
  readonly weight: number;
}

interface WideEntry extends Entry {
  taps: number;
}

/** Consecutive inputs of one output with equal weights as one entry. */
function widened(flows: readonly Entry[]): WideEntry[] {
  const wide: WideEntry[] = [];
  for (const flow of [...flows].sort((a, b) => a.out - b.out || a.input - b.input)) {
    const last = wide.at(-1);
    if (last?.out === flow.out && last.weight === flow.weight && last.input + last.taps === flow.input)
      last.taps++;
    else wide.push({ ...flow, taps: 1 });
  }
  return wide;
}

/** Entries of consecutive outputs with equal steps as spans {out, in, length, step, taps, weight}. */
function asSpans(wide: readonly WideEntry[]): number[][] {
  const spans: number[][] = [];
  const open: number[][] = [];
  for (const { out, input, taps, weight } of wide) {
    const fits = open.find(
      (r) =>
        r[0]! + r[2]! === out &&
        r[4] === taps &&
        r[5] === weight &&
        (r[2] === 1 ? input > r[1]! : r[1]! + r[2]! * r[3]! === input),
    );
    if (!fits) {
      const span = [out, input, 1, 0, taps, weight];
      spans.push(span);
      open.push(span);
    } else {
      if (fits[2] === 1) fits[3] = input - fits[1]!;
      fits[2]!++;
    }
  }
  return spans;
}

/** Places for all planes at once. */
export function fullStore(
  node: Node,
  offsets: readonly Offset[],
  modular: boolean,
  arena: Arena,
): { places: Map<string, number>; at: number; bytes: number } {
  const places = new Map<string, number>();
  const bytes = offsets.reduce((sum, d) => sum + planeSize(d, node, modular) * 32, 0);
  const at = arena.take(bytes);
  let next = at;
  for (const d of offsets) {
    places.set(d.join(), next);
    next += planeSize(d, node, modular) * 32;
  }
  return { places, at, bytes };
}

/** What a ring needs to know of segment k and of the store that it writes and segment k+1 reads. */
export interface Link {
  readonly segment: Segment;
  /** Null for the last segment of the chain. */
  readonly store: {
    readonly node: MixNode;
    readonly index: number;
    readonly modular: boolean;
    readonly offsets: readonly Offset[];
    /** Factor of the offset from the end of the next segment to this store. */
    readonly factor: number;
  } | null;
}

/** One chain of segments in which every store is read by the next segment only, and holds rows of offsets. */
export function chainOf({ nodes, segments, stored }: Split): Link[] | null {
  const links: Link[] = [];
  for (const [i, segment] of segments.entries()) {
    const sources = segment.steps.filter(({ node }) => nodes[node]!.inputs.length === 0 || stored.has(node));
    const before = segments[i - 1];
    if (sources.length !== 1 || (before && before.sink !== sources[0]!.node)) return null;
    const node = segment.sink < 0 ? null : nodes[segment.sink]!;
    if (!node || node.op === 'collapse') {
      links.push({ segment, store: null });
      break; // what follows holds a single position
    }
    if (node.op !== 'mix' || node.inputs.length !== 1) return null;
    const next = segments[i + 1]!.steps.find((s) => s.node === segment.sink);
    if (!next) return null;
    const { offsets, modular } = stored.get(segment.sink)!;
    links.push({
      segment,
      store: { node, index: segment.sink, modular, offsets, factor: next.fh },
    });
  }
  const plain = links.every(({ segment, store }) => !segment.modular && !store?.modular && reached(store));
  const rings = new Set(links.map(({ store }) => store?.index));
  const again = segments.slice(links.length).some((p) => p.steps.some(({ node }) => rings.has(node)));
  return links.length > 1 && plain && !again ? links : null;
}

/** Every stored row gets something (a transposed convolution leaves rows out). */
function reached(store: Link['store']): boolean {
  return rowsOf(store?.offsets ?? []).every(
    ({ dh }) => flowsInto(store!.node.maps[0]![0], dh, false, false).size > 0,
  );
}

/**
 * Rows of offsets depth first through the chain: a stored row is consumed as soon as its last contribution has arrived, cleared and
 * reused. Returns the steps and the places of every stored plane.
 */
export function ringSchedule(
  links: readonly Link[],
  records: ReadonlyMap<Segment, { readonly at: number; readonly offsets: number }>,
  arena: Arena,
): { schedule: Schedule; places: Map<number, Map<string, number>>; cleared: Schedule } {
  const schedule: Schedule = [];
  const cleared: Schedule = [];
  const places = new Map<number, Map<string, number>>();
  const plans = links.map(({ segment, store }) => {
    const rows = rowsOf(segment.offsets);
    if (!store) return { segment, rows, store: null };
    const wanted = rowsOf(store.offsets);
    // The input rows that a stored row still waits for.
    const waits = new Map(
      wanted.map(({ dh }) => [dh, new Set(flowsInto(store.node.maps[0]![0], dh, false, false).keys())]),
    );
    const bytes = Math.max(
      ...wanted.map((row) => rowBytes(store.offsets.slice(row.first, row.first + row.count), store.node)),
    );
    places.set(store.index, new Map());
    return {
      segment,
      rows,
      store: { ...store, wanted, waits, bytes, free: [] as number[], at: new Map<number, number>() },
    };
  });
  const go = (k: number, row: Row): void => {
    const { segment, store } = plans[k]!;
    const record = records.get(segment)!;
    if (store) {
      for (const want of store.wanted) {
        if (!store.waits.get(want.dh)!.has(row.dh) || store.at.has(want.dh)) continue;
        let at = store.free.pop();
        if (at === undefined) {
          at = arena.take(store.bytes);
          cleared.push(1, at, store.bytes, 0);
        }
        store.at.set(want.dh, at);
        let next = at;
        for (const offset of store.offsets.slice(want.first, want.first + want.count)) {
          places.get(store.index)!.set(offset.join(), next);
          next += planeSize(offset, store.node, false) * 32;
        }
      }
    }
    schedule.push(0, record.at, record.offsets + 3 * row.first, row.count);
    if (!store) return;
    for (const want of store.wanted) {
      const waits = store.waits.get(want.dh)!;
      if (!waits.delete(row.dh) || waits.size > 0) continue;
      for (const next of plans[k + 1]!.rows) if (next.dh * store.factor === want.dh) go(k + 1, next);
      const at = store.at.get(want.dh)!;
      schedule.push(1, at, store.bytes, 0);
      store.free.push(at);
    }
  };
  for (const row of plans[0]!.rows) go(0, row);
  return { schedule, places, cleared };
}

function rowBytes(offsets: readonly Offset[], node: Node): number {
  return offsets.reduce((sum, offset) => sum + planeSize(offset, node, false) * 32, 0);
}
