// Graph sums: y[j] = sum_i x[i] pattern[i, j], so K' = P1^T K P2 over the aggregated axes, and T alike.
import { layerError, type Note, type Rule } from '../states/rule.js';
import { normaliseAxis, type Shaped } from '../shapes.js';
import type { Pattern, Side } from '../states/state.js';
import { mixJoint, mixSide, type TokenMatrices } from '../states/tokens.js';
import type { AggregateLayer } from '../vocabulary.js';

interface AggregateNote extends Note {
  readonly matrices: TokenMatrices | null;
}

/** The pattern as a matrix over all positions: the pattern on aggregated axes, the identity on the others. */
function matricesOf(node: Shaped<AggregateLayer>, pattern: Pattern, side: Side): TokenMatrices {
  const { spatial, n, ld } = side;
  const rank = node.input.length + 1;
  const axes = new Set(
    (node.layer.axis ?? spatial.map((_, i) => i + 1)).map((axis) => normaliseAxis(axis, rank) - 1),
  );
  const mixed = spatial.reduce((size, extent, axis) => (axes.has(axis) ? size * extent : size), 1);
  const expected = n * mixed * mixed;
  if (pattern.shape[0] !== n || pattern.data.length !== expected) {
    throw layerError(
      node,
      `needs a pattern with ${n} x ${mixed} x ${mixed} entries, got shape [${pattern.shape.join(', ')}]`,
    );
  }
  const tokens = spatial.reduce((size, extent) => size * extent, 1);
  const split = (p: number): [number, number] => {
    let [inside, outside] = [0, 0];
    const index: number[] = [];
    for (let axis = spatial.length - 1, rest = p; axis >= 0; axis--) {
      index[axis] = rest % spatial[axis]!;
      rest = Math.floor(rest / spatial[axis]!);
    }
    for (const [axis, i] of index.entries()) {
      if (axes.has(axis)) inside = inside * spatial[axis]! + i;
      else outside = outside * spatial[axis]! + i;
    }
    return [inside, outside];
  };
  const g = new Float64Array(tokens * tokens * ld);
  for (let to = 0; to < tokens; to++) {
    const [j, fixedTo] = split(to);
    for (let from = 0; from < tokens; from++) {
      const [i, fixed] = split(from);
      if (fixed !== fixedTo) continue;
      for (let s = 0; s < n; s++)
        g[(to * tokens + from) * ld + s] = pattern.data[(s * mixed + i) * mixed + j]!;
    }
  }
  return { g, tokens, ld, samples: n };
}

export const aggregateRule: Rule<AggregateLayer, AggregateNote> = {
  facts: (node, input) => ({ ...input, shape: node.output, offDiagonalZero: false }),
  demand: (_node, wanted) => ({ cov: wanted.cov === 'none' ? 'none' : 'full', joint: 'full' }),
  side(core, node, side, { pattern }) {
    if (!pattern) return { side, note: { matrices: null } };
    const matrices = matricesOf(node, pattern, side);
    const cov = side.cov && { full: true, data: mixSide(core, side, side.cov.data, matrices) };
    return { side: { ...side, cov }, note: { matrices } };
  },
  joint(core, node, joint, { one, two, block }) {
    if (!one.matrices && !two.matrices) return joint;
    if (!one.matrices || !two.matrices)
      throw layerError(node, 'needs a pattern for both batches or for none');
    const [first, second] = [one.matrices, two.matrices];
    return {
      ...joint,
      k: mixJoint(core, joint.k, joint, { one: first, two: second, block }),
      t: joint.t && mixJoint(core, joint.t, joint, { one: first, two: second, block }),
    };
  },
};
