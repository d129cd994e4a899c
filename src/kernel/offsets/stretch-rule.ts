// A stretch of layers by offsets as one step of the propagation.
import { spreadJoint } from '../../layers/states/operators.js';
import type { Note, Rule } from '../../layers/states/rule.js';
import {
  padded,
  sheetCount,
  Sheets,
  type Block,
  type Joint,
  type Layout,
  type Side,
} from '../../layers/states/state.js';
import type { Layer } from '../../layers/vocabulary.js';
import type { Core } from '../../wasm/engine.js';
import type { Stretch } from '../propagation/compiled-net.js';
import { executeJoint, executeWithin, type SideRecords } from './joint.js';
import { masksOf } from './masks.js';
import type { OffsetPlan } from './plan-types.js';
import { Executor, type Images } from './executor.js';

interface StretchNote extends Note, SideRecords {}

/** The rule of the layers of a stretch together. */
export function stretchRule(stretch: Stretch): Rule<Layer> {
  const [first, last] = [stretch.layers[0]!, stretch.layers.at(-1)!];
  const rule: Rule<Layer, StretchNote> = {
    facts: () => last.facts,
    demand: () => first.input,
    side(core, _node, side) {
      const { n, ld, keep, cov } = side;
      const x = {
        data: new Float64Array(0),
        count: n,
        masks: keep ? masksOfSide(keep, n, ld) : undefined,
        within: cov ? { values: core.heap.read(cov.data.ticket), ld, full: cov.full } : undefined,
      };
      const result = sideByOffsets(core, stretch, x, side);
      cov?.data.release();
      return result;
    },
    joint(core, _node, joint, { one, two, block }) {
      const all = first.input.joint === 'full' && !joint.layout.full ? spreadJoint(core, joint) : joint;
      return jointByOffsets(core, stretch, all, {
        sides: [one, two],
        block,
        size: { ...joint, ntk: joint.t !== null },
      });
    },
  };
  return rule as unknown as Rule<Layer>;
}

/** The masks of a side, one byte per position of every sample, 1: masked. */
function masksOfSide(keep: Float64Array, n: number, ld: number): Uint8Array[] {
  const positions = keep.length / ld;
  return Array.from({ length: n }, (_, i) =>
    Uint8Array.from({ length: positions }, (_unused, p) => 1 - keep[p * ld + i]!),
  );
}

/** One side through a stretch: its records, and what is after it. `start` null: `x` holds images. */
export function sideByOffsets(
  core: Core,
  stretch: Stretch,
  x: Images,
  start: Side | null = null,
): { side: Side; note: StretchNote } {
  const { plan, within, spatial, output } = stretch;
  const n = x.count;
  const ld = padded(n);
  const records = keptRecords(core, plan, x);
  const layout = { spatial, full: output.cov === 'full' };
  const cov = within && covariances(core, within, x, start, layout);
  const keep = x.masks ? visibleAfter(plan, x.masks, ld) : null;
  return {
    side: { n, ld, spatial, keep, cov },
    note: { ...records, count: n },
  };
}

/** The joint kernels through a stretch; `start` null: the records hold images. */
export function jointByOffsets(
  core: Core,
  { plan, output, spatial }: Stretch,
  start: Joint | null,
  {
    sides,
    block,
    size,
  }: {
    readonly sides: readonly [SideRecords, SideRecords];
    readonly block: Block;
    readonly size: Pick<Joint, 'rows' | 'ld'> & { ntk: boolean };
  },
): Joint {
  const layout = { spatial, full: output.joint === 'full' };
  const length = sheetCount(layout) * size.rows * size.ld;
  const [k, t] = [true, size.ntk].map((wanted) =>
    wanted ? new Sheets(core, plan.dtype, length, true) : null,
  );
  const end: Joint = { rows: size.rows, ld: size.ld, layout, k: k!, t: t ?? null };
  executeJoint(core, plan, start, { sides, block, end });
  start?.k.release();
  start?.t?.release();
  return end;
}

function keptRecords(core: Core, plan: OffsetPlan, x: Images): Omit<StretchNote, 'count'> {
  return core.heap.scope((scope) => {
    const runner = new Executor(core, plan, scope);
    const records = runner.records(x);
    const kept = new Sheets(core, 'f64', Math.ceil(records.length / 8));
    core.kernels.copyRows(1, records.length, records.ptr, 0, kept.ptr, 0);
    return { ticket: kept.ticket, terms: runner.terms, release: () => kept.release() };
  });
}

function covariances(
  core: Core,
  plan: OffsetPlan,
  x: Images,
  start: Side | null,
  layout: Layout,
): Side['cov'] {
  const ld = padded(x.count);
  const data = new Sheets(core, 'f64', sheetCount(layout) * ld, true);
  const state = start?.cov && {
    rows: 1,
    ld,
    layout: { spatial: start.spatial, full: start.cov.full },
    k: start.cov.data,
    t: null,
  };
  executeWithin(core, plan, state ?? null, x, { rows: 1, ld, layout, k: data, t: null });
  return { full: layout.full, data };
}

function visibleAfter(
  { nodes }: OffsetPlan,
  masks: readonly Uint8Array[],
  ld: number,
): Float64Array<ArrayBuffer> {
  const after = masks.map((mask) => masksOf(nodes, mask).at(-1)!);
  const keep = new Float64Array(after[0]!.length * ld);
  for (const [i, mask] of after.entries()) mask.forEach((masked, p) => (keep[p * ld + i] = 1 - masked));
  return keep;
}
