// From a net and an input shape to everything the executor needs: op lists, tables, the order of work, bytes and flops.
import type { Shaped } from '../../layers/shapes.js';
import { commonWeight } from '../../layers/lowering/axis.js';
import { Arena, Blob, Constants } from './blob.js';
import { defaultTolerance } from '../tiles/checks.js';
import { compileSegment, putSegment, type OpList } from './op-list.js';
import type { Node } from '../../layers/lowering/nodes.js';
import { NotByOffsets, split, type Offset, type Segment, type Split } from './segments.js';
import { Records } from './records.js';
import type { GivenPlanes, OffsetOptions, OffsetPlan } from './plan-types.js';
import { placesOf, reportOf } from './report.js';
import type { Store } from './rows.js';
import {
  axisTable,
  chainOf,
  fullStore,
  planeIndex,
  planeSize,
  planeTable,
  tableLength,
  ringSchedule,
  type Schedule,
} from './schedule.js';
import { encode } from './ops.js';
import { statesOf } from './node-facts.js';
import type { Watched } from './watched.js';

/** Where a segment starts in the blob, and its offsets. */
interface Address {
  readonly at: number;
  readonly offsets: number;
  readonly compiled: OpList;
}

/** The plan, or the reason why the net does not go by offsets. */
export function planOffsets(net: Shaped, options: OffsetOptions): OffsetPlan | { readonly reason: string } {
  try {
    return new Planner(net, options).plan();
  } catch (error) {
    if (error instanceof NotByOffsets) return { reason: error.message };
    throw error;
  }
}

class Planner {
  readonly split: Split;
  readonly options: OffsetOptions;
  readonly tolerance: number;
  readonly blob = new Blob();
  readonly constants = new Constants();
  readonly arena = new Arena();
  readonly stores = new Map<number, Store>();

  constructor(net: Shaped, options: OffsetOptions) {
    this.options = options;
    const masked = options.masked ?? false;
    const { diagonalSpatial: diagonal = false, frozen = [], state = false, room = 0 } = options;
    this.tolerance = options.tolerance ?? defaultTolerance(options.dtype);
    const source = state ? 'state' : 'input';
    this.split = split(net, { masked, diagonal, frozen, source, room, tolerance: this.tolerance });
  }

  plan(): OffsetPlan {
    const { nodes, segments, last, stored } = this.split;
    const masked = this.options.masked ?? false;
    const masks = new Set(masked ? nodes.keys() : []);
    const records = new Records(nodes, masks);
    const states = statesOf(this.split, masked);
    const end = nodes[last]!;
    const final = segments.at(-1)!;
    const output = this.outputTable(end, final);

    // The ring needs the addresses of segments, segments those of stores: tables are filled in afterwards.
    const links = this.options.fullStore ? null : chainOf(this.split);
    const full = this.reserveStores();
    const addresses = new Map<Segment, Address>();
    const context = {
      split: this.split,
      states,
      dtype: this.options.dtype,
      blob: this.blob,
      constants: this.constants,
      arena: this.arena,
      records,
      stores: this.stores,
      masked,
      output,
    };
    for (const segment of segments) {
      const compiled = compileSegment(segment, context);
      const at = putSegment(this.blob, compiled, 0, compiled.ops.length);
      addresses.set(segment, { at, offsets: this.offsets(segment.offsets, false), compiled });
    }
    const pairs = links ? this.ring(links, addresses, full) : this.inOrder(addresses, full, false);
    const diagonal = this.diagonal(pairs, addresses, links !== null);
    const tables = this.inOrder(addresses, full, true);
    const blob = this.blob.done();
    for (const { table, words } of this.patches) blob.set(words, table);
    const columns = Math.max(...nodes.map((n) => n.W + (n.op === 'affine' ? 2 * n.filter.kw : 0))) + 8;
    return {
      dtype: this.options.dtype,
      tolerance: this.tolerance,
      lanes: this.options.dtype === 'f32' ? 4 : 2,
      blob,
      constants: this.constants.done(),
      arenaBytes: this.arena.bytes,
      columns,
      recordLength: records.length,
      pixels: {
        positions: nodes[0]!.H * nodes[0]!.W,
        channels: nodes[0]!.op === 'input' ? nodes[0]!.C : 0,
      },
      given: records.given,
      state: this.givenPlanes(),
      nodes,
      pairs: { steps: Int32Array.from(pairs), layout: 0, pauses: [] },
      diagonal: { steps: Int32Array.from(diagonal), layout: 0, pauses: [] },
      tables: { steps: Int32Array.from(tables), layout: 1, pauses: this.pauses },
      output: {
        H: end.H,
        W: end.W,
        axes: end.axes,
        modular: final.modular,
        ...placesOf(end, final, this.options.diagonalSpatial ?? false),
      },
      report: reportOf(this.split, stored.size > 0 && links !== null, {
        planes: this.arena.bytes,
        perImage: records.length * (this.options.dtype === 'f32' ? 4 : 8),
        plan: blob.byteLength,
      }),
    };
  }

  readonly pauses: { step: number; watched: Watched }[] = [];
  readonly patches: { table: number; words: Int32Array }[] = [];

  private offsets(list: readonly Offset[], halved: boolean): number {
    const weighted = halved
      ? list
          .filter(([h, w]) => h > 0 || (h === 0 && w >= 0))
          .map(([h, w]) => [h, w, h === 0 && w === 0 ? 1 : 2])
      : list.map(([h, w]) => [h, w, 1]);
    return this.blob.put(weighted.flat());
  }

  private outputTable(end: Node, final: Segment): number {
    const places = new Map<string, number>();
    let next = 0;
    for (const offset of final.offsets) {
      places.set(offset.join(), next);
      next += planeSize(offset, end, final.modular);
    }
    return planeTable(end, final.modular, places, this.blob);
  }

  /** Tables of every stored node; the places of planes are patched in when the schedule is known. */
  private reserveStores(): Map<number, { pairs: number; self: number }> {
    const tables = new Map<number, { pairs: number; self: number }>();
    const { nodes, stored, segments } = this.split;
    for (const [index, { modular }] of stored) {
      const node = nodes[index]!;
      if (node.op === 'collapse') {
        const accumulator = this.arena.take(64);
        this.stores.set(index, { pairs: 0, self: 0, accumulator, scale: node.scale, maps: [] });
        continue;
      }
      const none = new Map<string, number>();
      const pairs = planeTable(node, modular, none, this.blob);
      const self = planeTable(node, modular, none, this.blob);
      if (node.op !== 'mix') {
        this.stores.set(index, { pairs, self, accumulator: 0, scale: 1, maps: [] });
        continue;
      }
      const commons = node.maps.map(([h, w]) => [commonWeight(h), commonWeight(w)] as const);
      const uniform = commons.length === 1 && commons[0]![0] !== null && commons[0]![1] !== null;
      const [sh, sw] = uniform ? (commons[0] as readonly [number, number]) : [1, 1];
      const maps = node.maps.map(([h, w], branch): [number, number] => {
        const segment = segments.find((p) => p.sink === index && p.branch === branch)!;
        return [
          axisTable(h, {
            inModular: segment.modular,
            outModular: modular,
            spans: false,
            scale: sh,
            blob: this.blob,
            constants: this.constants,
          }),
          axisTable(w, {
            inModular: segment.modular,
            outModular: modular,
            spans: true,
            scale: sw,
            blob: this.blob,
            constants: this.constants,
          }),
        ];
      });
      this.stores.set(index, { pairs, self, accumulator: 0, scale: sh * sw, maps });
      tables.set(index, { pairs, self });
    }
    return tables;
  }

  /** Where planes that are given lie, by the demands of pairs and of variances. */
  private givenPlanes(): OffsetPlan['state'] {
    const [node, demand, store] = [this.split.nodes[0]!, this.split.stored.get(0), this.stores.get(0)];
    if (node.op !== 'state' || !demand || !store) return null;
    const { modular } = demand;
    const of = (offsets: readonly Offset[], table: number): GivenPlanes => {
      const places = new Int32Array(tableLength(node, modular)).fill(-1);
      let next = 0;
      for (const offset of offsets) {
        places[planeIndex(offset, node, modular)] = next;
        next += planeSize(offset, node, modular) * 32;
      }
      return { table, places, pairs: placesOf(node, { offsets, modular }, false).place };
    };
    return { pairs: of(demand.offsets, store.pairs), self: of(demand.self, store.self) };
  }

  private patch(index: number, table: number, places: ReadonlyMap<string, number>): void {
    const node = this.split.nodes[index]!;
    const { modular } = this.split.stored.get(index)!;
    const words = new Int32Array(tableLength(node, modular)).fill(-1);
    for (const [key, at] of places)
      words[planeIndex(key.split(',').map(Number) as unknown as Offset, node, modular)] = at;
    this.patches.push({ table, words });
  }

  private clearAccumulators(): Schedule {
    const steps: Schedule = [];
    for (const [index, { accumulator }] of this.stores)
      if (this.split.nodes[index]!.op === 'collapse') steps.push(1, accumulator, 64, 0);
    return steps;
  }

  private ring(
    links: NonNullable<ReturnType<typeof chainOf>>,
    addresses: ReadonlyMap<Segment, Address>,
    tables: ReadonlyMap<number, { pairs: number }>,
  ): Schedule {
    const { schedule, places, cleared } = ringSchedule(links, addresses, this.arena);
    for (const [index, at] of places) this.patch(index, tables.get(index)!.pairs, at);
    const rest = this.split.segments.slice(links.length);
    return [
      ...this.clearAccumulators(),
      ...cleared,
      ...schedule,
      ...rest.flatMap((p) => this.whole(addresses.get(p)!, p.offsets.length)),
    ];
  }

  private whole(address: { at: number; offsets: number }, count: number): Schedule {
    return count === 0 ? [] : [0, address.at, address.offsets, count];
  }

  /** All segments one after the other, with all planes between them. */
  private inOrder(
    addresses: ReadonlyMap<Segment, Address>,
    tables: ReadonlyMap<number, { pairs: number; self: number }>,
    self: boolean,
  ): Schedule {
    const clear: Schedule = this.clearAccumulators();
    for (const [index, table] of tables) {
      const { offsets, self: selfOffsets, modular } = this.split.stored.get(index)!;
      const list = self ? selfOffsets : offsets;
      const { places, at, bytes } = fullStore(this.split.nodes[index]!, list, modular, this.arena);
      this.patch(index, self ? table.self : table.pairs, places);
      if (bytes > 0) clear.push(1, at, bytes, 0);
    }
    for (const p of this.split.segments) {
      const address = addresses.get(p)!;
      if (!self) clear.push(...this.whole(address, p.offsets.length));
      else this.addSelf(p, address.compiled, clear);
    }
    return clear;
  }

  /** Offset 0 comes first, as all others need its tables, and stops where TypeScript looks at variances. */
  private addSelf(p: Segment, compiled: OpList, steps: Schedule): void {
    if (p.self.length === 0) return;
    const offsets = this.offsets(p.self, false);
    const { ops, watched } = compiled;
    let from = 0;
    for (const [op, stop] of watched) {
      const at = ops.indexOf(op);
      const more = [...op.more!, 1];
      const only = { ...compiled, list: this.blob.put(encode({ ...op, more })) };
      if (at > from) steps.push(0, putSegment(this.blob, compiled, from, at), offsets, 1);
      steps.push(0, putSegment(this.blob, only, 0, 1), offsets, 1);
      this.pauses.push({ step: steps.length / 4, watched: stop });
      from = at;
    }
    if (from > 0) steps.push(0, putSegment(this.blob, compiled, from, ops.length), offsets, 1);
    const done = from > 0 ? 1 : 0;
    const at = putSegment(this.blob, compiled, 0, ops.length);
    steps.push(...this.whole({ at, offsets: offsets + 3 * done }, p.self.length - done));
  }

  /** Plane -d of an image with itself equals plane d: a global pool right behind the only segment takes half of them, twice. */
  private diagonal(pairs: Schedule, addresses: ReadonlyMap<Segment, Address>, ring: boolean): Schedule {
    const { segments, nodes } = this.split;
    const first = segments[0]!;
    const node = first.sink < 0 ? null : nodes[first.sink]!;
    const halves = !ring && node?.op === 'collapse' && node.pairing === 'all' && !first.modular;
    if (!halves || segments.filter((p) => p.sink === first.sink).length !== 1) return pairs;
    const { at } = addresses.get(first)!;
    const count = (first.offsets.length + 1) / 2;
    const half = [0, at, this.offsets(first.offsets, true), count];
    const steps: Schedule = [];
    for (let i = 0; i < pairs.length; i += 4) {
      const step = pairs.slice(i, i + 4);
      steps.push(...(step[0] === 0 && step[1] === at ? half : step));
    }
    return steps;
  }
}
