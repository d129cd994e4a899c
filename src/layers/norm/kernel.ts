// Normalisation: K / sqrt(v1 v2), v = eps + the mean of K(x, x) over the normalised axes other than channels. The derivative through
// the statistics vanishes as the width grows, so T scales alike. rmsNorm (Zhang & Sennrich 2019, arXiv:1910.07467) divides by the root
// mean square, which is K(x, x) whatever the distribution; layerNorm (arXiv:1607.06450) takes the mean off first, which is zero in the
// limit only where the inputs are Gaussian.
import { scaleJoint, scaleSide, variances } from '../states/operators.js';
import { layerError, type Note, type Rule } from '../states/rule.js';
import { normaliseAxis, type Shaped } from '../shapes.js';
import { larger, type Side } from '../states/state.js';
import type { NormLayer } from '../vocabulary.js';
import type { Core } from '../../wasm/engine.js';

export interface NormNote extends Note {
  /** 1/sqrt(v), (positions, ld). */
  readonly factor: Float64Array;
  readonly ld: number;
}

/** The normalised axes, counted with samples as 0. */
export function normAxes({ layer, input }: Shaped<NormLayer>): Set<number> {
  return new Set(layer.axis.map((axis) => normaliseAxis(axis, input.length + 1)));
}

export const normRule: Rule<NormLayer, NormNote> = {
  facts(node, input) {
    if (node.layer.layer === 'layerNorm' && !input.gaussian)
      throw layerError(node, 'needs Gaussian inputs: put a dense or conv layer before it');
    if (!normAxes(node).has(node.input.length)) {
      throw layerError(
        node,
        `must normalise the channels too: "axis" must contain ${node.input.length} (or -1)`,
      );
    }
    return { ...input, shape: node.output };
  },
  demand: (_node, wanted) => ({ cov: larger('diagonal', wanted.cov), joint: wanted.joint }),
  side(core, node, side) {
    const factor = inverseRoots(core, node, side);
    const next = side.cov ? { ...side, cov: { ...side.cov, data: side.cov.data.own(core) } } : side;
    scaleSide(core, next, factor);
    return { side: next, note: { factor, ld: side.ld } };
  },
  joint(core, _node, joint, { one, two, block }) {
    const next = { ...joint, k: joint.k.own(core), t: joint.t && joint.t.own(core) };
    scaleJoint(core, next, {
      one: one.factor,
      oneLd: one.ld,
      two: two.factor,
      twoLd: two.ld,
      corner: [block.row, block.column],
    });
    return next;
  },
};

/** 1/sqrt of the variances averaged over groups, (positions, ld). */
function inverseRoots(core: Core, node: Shaped<NormLayer>, side: Side): Float64Array {
  return groupMeans(node, side, variances(core, side)).map((mean, i) => {
    const v = node.layer.eps + mean;
    return v > 0 && i % side.ld < side.n ? 1 / Math.sqrt(v) : 0;
  });
}

/** Averages (positions, ld) values of visible positions over groups of equal kept indices; 0 in columns of padding. */
export function groupMeans(node: Shaped<NormLayer>, side: Side, v: Float64Array): Float64Array {
  const axes = normAxes(node);
  const { spatial, ld, n } = side;
  const positions = v.length / ld;
  const group = (p: number, i: number): number => {
    let key = 0;
    let rest = p;
    for (let axis = spatial.length - 1; axis >= 0; axis--) {
      const index = rest % spatial[axis]!;
      rest = Math.floor(rest / spatial[axis]!);
      if (!axes.has(axis + 1)) key = key * spatial[axis]! + index;
    }
    return axes.has(0) ? key : key * n + i;
  };
  const sums = new Map<number, [number, number]>();
  for (let p = 0; p < positions; p++) {
    for (let i = 0; i < n; i++) {
      if (side.keep && side.keep[p * ld + i] === 0) continue;
      const key = group(p, i);
      const [sum, count] = sums.get(key) ?? [0, 0];
      sums.set(key, [sum + v[p * ld + i]!, count + 1]);
    }
  }
  const means = new Float64Array(v.length);
  for (let p = 0; p < positions; p++) {
    for (let i = 0; i < n; i++) {
      const [sum, count] = sums.get(group(p, i)) ?? [0, 1];
      means[p * ld + i] = sum / count;
    }
  }
  return means;
}
