// Poolings act on each position of a pair: K'[p, q] = 1/(m_p m_q) sum over both windows; sums without the divisors.
// Flatten keeps equal positions only: K' = mean over p of K[p, p].
import { pickPositions } from '../affine/conv-kernel.js';
import { poolAxes, windowTaps } from '../geometry.js';
import {
  applyToJoint,
  applyToSide,
  collapse,
  scaleJoint,
  scaleSide,
  type AxisOperator,
} from '../states/operators.js';
import { NO_NOTE, type Note, type Rule } from '../states/rule.js';
import type { Shaped } from '../shapes.js';
import type { Demand, Facts, Joint, Side } from '../states/state.js';
import type { AvgPoolLayer, PlainLayer, SumPoolLayer } from '../vocabulary.js';
import type { Core } from '../../wasm/engine.js';

type PoolLayer = AvgPoolLayer | SumPoolLayer;

function operators({ layer, input }: Shaped<PoolLayer>): AxisOperator[] {
  const spatial = input.slice(0, -1);
  return poolAxes(layer, spatial).map((axis, i) => {
    const rows = windowTaps(axis).map((taps) => {
      const inside = layer.layer === 'avgPool' && layer.normalizeEdges && layer.padding === 'SAME';
      const weight = layer.layer === 'sumPool' ? 1 : 1 / (inside ? taps.length : axis.size);
      return taps.map((tap): [number, number] => [tap.input, weight]);
    });
    return { n: spatial[i]!, kind: 'each', rows };
  });
}

/** Layers that mix positions need all pairs, unless those of different positions are known to be zero. */
function mixingDemand(wanted: Demand, input: Facts): Demand {
  if (input.offDiagonalZero) return wanted;
  return { cov: wanted.cov === 'none' ? 'none' : 'full', joint: 'full' };
}

export const poolRule: Rule<PoolLayer> = {
  facts: (node, input) => ({ ...input, shape: node.output, offDiagonalZero: false }),
  demand: (_node, wanted, input) => mixingDemand(wanted, input),
  side(core, node, side) {
    const spatial = node.output.slice(0, -1);
    const centres = poolAxes(node.layer, side.spatial).map((axis) =>
      Array.from({ length: axis.out }, (_, p) => {
        const raw = p * axis.stride - axis.lo + Math.floor((axis.size - 1) / 2);
        return [axis.circular ? ((raw % axis.n) + axis.n) % axis.n : raw];
      }),
    );
    const keep = side.keep && pickPositions(side.keep, side.ld, side.spatial, centres, 'all');
    const pooled = applyToSide(core, side, operators(node), spatial);
    return { side: { ...pooled, keep }, note: NO_NOTE };
  },
  joint: (core, node, joint) => applyToJoint(core, joint, operators(node), node.output.slice(0, -1)),
};

interface GlobalNote extends Note {
  /** 1 / (number of visible positions), (1, ld). */
  readonly factor: Float64Array | null;
  readonly ld: number;
}

/** Per sample 1/count of visible positions. */
function factors({ layer }: Shaped<PlainLayer>, side: Side): Float64Array | null {
  if (!side.keep || layer.layer !== 'globalAvgPool') return null;
  const factor = new Float64Array(side.ld);
  const positions = side.keep.length / side.ld;
  for (let i = 0; i < side.ld; i++) {
    let count = 0;
    for (let p = 0; p < positions; p++) count += side.keep[p * side.ld + i]!;
    factor[i] = 1 / Math.max(1, count);
  }
  return factor;
}

/** A sample is visible while any of its positions is. */
export function anyVisible(side: Side): Float64Array<ArrayBuffer> | null {
  if (!side.keep) return null;
  const keep = new Float64Array(side.ld);
  for (let i = 0; i < side.keep.length; i++) keep[i % side.ld] = Math.max(keep[i % side.ld]!, side.keep[i]!);
  return keep;
}

export const globalPoolRule: Rule<PlainLayer, GlobalNote> = {
  facts: (node, input) => ({ ...input, shape: node.output, offDiagonalZero: false }),
  demand: (_node, wanted, input) =>
    mixingDemand({ cov: wanted.cov === 'none' ? 'none' : 'diagonal', joint: 'diagonal' }, input),
  side(core, node, side) {
    const factor = factors(node, side);
    const keep = anyVisible(side);
    let cov = side.cov;
    if (cov) {
      const layout = { spatial: side.spatial, full: cov.full };
      const weight = globalWeight(node, factor);
      cov = { full: false, data: collapse(core, cov.data, layout, side.ld, () => weight) };
    }
    const next: Side = { ...side, spatial: [], cov, keep };
    if (factor) scaleSide(core, next, factor);
    return { side: next, note: { factor, ld: side.ld } };
  },
  joint(core, node, joint, { one, two, block }) {
    const weight = globalWeight(node, one.factor ?? two.factor);
    const next = collapseJoint(core, joint, () => weight);
    const rest = 1 / positionsOf(node);
    const fill = (ld: number): Float64Array => new Float64Array(ld).fill(rest);
    if (one.factor || two.factor) {
      scaleJoint(core, next, {
        one: one.factor ?? fill(one.ld),
        oneLd: one.ld,
        two: two.factor ?? fill(two.ld),
        twoLd: two.ld,
        corner: [block.row, block.column],
      });
    }
    return next;
  },
};

const positionsOf = ({ input }: Shaped): number => input.slice(0, -1).reduce((size, n) => size * n, 1);

function globalWeight(node: Shaped<PlainLayer>, factor: Float64Array | null): number {
  return node.layer.layer === 'globalSumPool' || factor ? 1 : positionsOf(node) ** -2;
}

/** Sums weighted sheets of a joint state into one. */
export function collapseJoint(core: Core, joint: Joint, weight: (p: number, q: number) => number): Joint {
  const inner = joint.rows * joint.ld;
  return {
    ...joint,
    layout: { spatial: [], full: false },
    k: collapse(core, joint.k, joint.layout, inner, weight),
    t: joint.t && collapse(core, joint.t, joint.layout, inner, weight),
  };
}

export const flattenRule: Rule<PlainLayer> = {
  facts: (node, input) => ({
    shape: node.output,
    gaussian: input.shape.length === 1 && input.gaussian,
    offDiagonalZero: false,
  }),
  demand: (_node, wanted) => ({ cov: wanted.cov === 'none' ? 'none' : 'diagonal', joint: 'diagonal' }),
  side(core, node, side) {
    const keep = anyVisible(side);
    const share = 1 / positionsOf(node);
    const { cov } = side;
    if (!cov) return { side: { ...side, spatial: [], keep }, note: NO_NOTE };
    const layout = { spatial: side.spatial, full: cov.full };
    const data = collapse(core, cov.data, layout, side.ld, (p, q) => (p === q ? share : 0));
    return { side: { ...side, spatial: [], keep, cov: { full: false, data } }, note: NO_NOTE };
  },
  joint(core, node, joint) {
    const share = 1 / positionsOf(node);
    return collapseJoint(core, joint, (p, q) => (p === q ? share : 0));
  },
};
