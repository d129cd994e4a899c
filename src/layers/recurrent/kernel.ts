// Recurrent layers with shared weights. With S the covariances and D the tangent kernel of the pre-activations p_t, p'_t':
//   S[t, t'] = w^2 Kx[t, t'] + u^2 K[t-1, t'-1] + b^2,            K[t, t'] = kappa(S[t, t], S[t, t'], S[t', t']),
//   D[t, t'] = S[t, t'] + w^2 Tx[t, t'] + u^2 T[t-1, t'-1],        T[t, t'] = kappa'(...) D[t, t'],
// K = T = 0 before the first step; in 'standard' the first S of D is N_in Kx + N K[t-1, t'-1] + [bias]. Gradients that reach
// shared weights after unequal numbers of steps are uncorrelated in the limit (Yang 2020, arXiv:2006.14548; Alemohammad et al.
// 2021, arXiv:2006.10246), so the sum over all pairs of uses is the sum along the diagonal that ends at (t, t').
import type { Core, Ptr } from '../../wasm/engine.js';
import { dualOf } from '../activation/dual/dual.js';
import {
  activateJoint,
  activationNote,
  checkActivation,
  mapCovariances,
  type AnyNote,
} from '../activation/kernel.js';
import { IDENTITY } from '../activation/dual/tables.js';
import { weightsAffine } from '../affine/kernel.js';
import { affineJoint } from '../states/affine-map.js';
import { scaleJoint } from '../states/operators.js';
import type { Note, Rule, SideContext } from '../states/rule.js';
import { larger, Sheets, type Block, type Demand, type Joint, type Side } from '../states/state.js';
import type { Shaped } from '../shapes.js';
import type { RnnLayer } from '../vocabulary.js';

interface RnnNote extends Note {
  /** The activation at every step. */
  readonly steps: readonly AnyNote[];
  /** Mask of the input, (steps, ld): masked steps have state zero, so sequences are padded at the front. */
  readonly keep: Float64Array<ArrayBuffer> | null;
  readonly ld: number;
}

export const rnnRule: Rule<RnnLayer, RnnNote> = {
  facts(node, input) {
    checkActivation(node.layer.activation, node.path);
    return { ...input, shape: node.output, gaussian: false, offDiagonalZero: false };
  },
  demand: ({ layer }, wanted) => sequenceDemand(layer, wanted),
  side(core, node, side, context) {
    const { layer } = node;
    const steps: AnyNote[] = [];
    const { ld, keep, n } = side;
    const states: Float64Array<ArrayBuffer>[] = [];
    const total = side.spatial[0]!;
    const input = core.heap.read(side.cov!.data.ticket);
    const from = (t: number, other: number): number => (side.cov!.full ? t * total + other : t) * ld;
    for (let t = 0; t < total; t++) {
      const sums = preActivations(layer, input.subarray(from(t, t), from(t, t) + ld), states[t - 1]);
      const note = activationNote(core, dualOf(layer.activation), sums, side, context);
      steps.push(note);
      states.push(note.kappa.map((value, i) => value * (keep?.[t * ld + i] ?? 1)));
    }
    const note = { steps, keep, ld, release: () => steps.forEach((step) => step.release?.()) };
    const next = layer.returnSequences
      ? { ...side, cov: covariances(core, node, side, states, context) }
      : {
          n,
          ld,
          spatial: [],
          keep: keep && keep.slice((total - 1) * ld),
          cov: put(core, states.slice(-1), context.wanted),
        };
    side.cov!.data.release();
    return { side: next, note };
  },
  joint(core, node, joint, { one, two, block }) {
    const { layer } = node;
    const total = joint.layout.spatial[0]!;
    const whole = layer.returnSequences;
    const size = joint.rows * joint.ld;
    const sheets = whole ? joint.k.ticket.length / size : 1;
    const out = [joint.k, joint.t].map(
      (stack) => stack && new Sheets(core, stack.ticket.dtype, sheets * size),
    );
    const furthest = whole && joint.layout.full ? total - 1 : 0;
    for (let lag = -furthest; lag <= furthest; lag++) {
      let last: Joint | null = null;
      for (let t = Math.max(0, -lag); t < total && t + lag < total; t++) {
        const sheet = joint.layout.full ? t * total + t + lag : t;
        const now = step(core, node, {
          input: take(core, joint, sheet),
          last,
          notes: [one, two],
          times: [t, t + lag],
          block,
        });
        release(last);
        last = now;
        if (whole || t === total - 1) store(core, now, out, whole ? sheet : 0);
      }
      release(last);
    }
    joint.k.release();
    joint.t?.release();
    const layout = whole ? joint.layout : { spatial: [], full: false };
    return { ...joint, layout, k: out[0]!, t: out[1] ?? null };
  },
};

/** Equal times need equal times only, in the variances and in the joint kernels. */
function sequenceDemand({ returnSequences }: RnnLayer, wanted: Demand): Demand {
  return {
    cov: larger('diagonal', returnSequences ? wanted.cov : 'diagonal'),
    joint: returnSequences ? wanted.joint : 'diagonal',
  };
}

/** w^2 Kx + u^2 K + b^2. */
function preActivations(
  layer: RnnLayer,
  input: Float64Array,
  state: Float64Array | undefined,
): Float64Array<ArrayBuffer> {
  const { alpha, beta } = weightsAffine(layer, 1, true);
  const u = layer.uStd ** 2;
  return Float64Array.from(input, (value, i) => alpha * value + beta + (state ? u * state[i]! : 0));
}

/** Covariances of the states within samples: of equal times, or of all pairs along the diagonals. */
function covariances(
  core: Core,
  { layer }: Shaped<RnnLayer>,
  side: Side,
  states: readonly Float64Array<ArrayBuffer>[],
  context: SideContext,
): Side['cov'] {
  const total = states.length;
  if (!side.cov!.full || context.wanted.cov !== 'full') return put(core, states, context.wanted);
  const dual = dualOf(layer.activation);
  const input = core.heap.read(side.cov!.data.ticket);
  const { ld, keep } = side;
  const all: Float64Array<ArrayBuffer>[] = [];
  const notes: AnyNote[] = states.map((_, t) => {
    const sums = preActivations(
      layer,
      input.subarray((t * total + t) * ld, (t * total + t + 1) * ld),
      states[t - 1],
    );
    return activationNote(core, dual, sums, side, { ...context, dtype: 'f64' });
  });
  for (let lag = 1 - total; lag < total; lag++) {
    for (let t = Math.max(0, -lag); t < total && t + lag < total; t++) {
      const [at, before] = [t * total + t + lag, (t - 1) * (total + 1) + lag];
      if (lag === 0) {
        all[at] = states[t]!;
        continue;
      }
      const previous = t > 0 && t + lag > 0 ? all[before] : undefined;
      const sums = preActivations(layer, input.subarray(at * ld, (at + 1) * ld), previous);
      const mapped = mapCovariances(core, sums, [notes[t]!, notes[t + lag]!], side);
      all[at] = mapped.map((value, i) => value * (keep ? keep[t * ld + i]! * keep[(t + lag) * ld + i]! : 1));
    }
  }
  notes.forEach((note) => note.release?.());
  return put(core, all, context.wanted);
}

function put(core: Core, rows: readonly Float64Array[], wanted: Demand): Side['cov'] {
  if (wanted.cov === 'none') return null;
  const ld = rows[0]!.length;
  const data = new Sheets(core, 'f64', rows.length * ld);
  for (const [i, row] of rows.entries()) core.heap.write(data.ticket, row, i * ld);
  return { full: wanted.cov === 'full', data };
}

/** One pair of times: `input` holds Kx and Tx and becomes K and T. */
function step(
  core: Core,
  { layer, input: shape, output, path }: Shaped<RnnLayer>,
  {
    input,
    last,
    notes: [one, two],
    times: [t, other],
    block,
  }: {
    readonly input: Joint;
    readonly last: Joint | null;
    readonly notes: readonly [RnnNote, RnnNote];
    readonly times: readonly [number, number];
    readonly block: Block;
  },
): Joint {
  const frozen = block.frozen.has(path);
  let joint = affineJoint(core, input, weightsAffine(layer, shape.at(-1)!, frozen));
  if (last) {
    const u = layer.uStd ** 2;
    const own = frozen ? 0 : layer.parametrization === 'ntk' ? u : output.at(-1)! / layer.s[1];
    addTo(core, u, last.k, joint.k);
    if (joint.t && last.t) {
      addTo(core, u, last.t, joint.t);
      addTo(core, own, last.k, joint.t);
    }
  }
  const same = block.same && t === other;
  joint = activateJoint(core, joint, {
    one: one.steps[t]!,
    two: two.steps[other]!,
    block: { ...block, same },
    affine: IDENTITY,
  });
  const [keep1, keep2] = [keepAt(one, t), keepAt(two, other)];
  if (keep1 || keep2) {
    const visible = (ld: number): Float64Array => new Float64Array(ld).fill(1);
    scaleJoint(core, joint, {
      one: keep1 ?? visible(one.ld),
      oneLd: one.ld,
      two: keep2 ?? visible(two.ld),
      twoLd: two.ld,
      corner: [block.row, block.column],
    });
  }
  return joint;
}

const keepAt = ({ keep, ld }: RnnNote, t: number): Float64Array | null =>
  keep && keep.subarray(t * ld, (t + 1) * ld);

function addTo(core: Core, s: number, x: Sheets, y: Sheets): void {
  const add = core.kernels[
    x.ticket.dtype === 'f32' ? 'sheetsAdd_f32' : 'sheetsAdd_f64'
  ] as typeof core.kernels.sheetsAdd_f64;
  add(x.ticket.length, s, x.ptr as Ptr<'f64'>, y.ptr as Ptr<'f64'>);
}

const bytesOf = ({ ticket }: Sheets): number => (ticket.dtype === 'f32' ? 4 : 8);

/** A copy of one sheet. */
function take(core: Core, joint: Joint, sheet: number): Joint {
  const size = joint.rows * joint.ld;
  const copy = (stack: Sheets): Sheets => {
    const own = new Sheets(core, stack.ticket.dtype, size);
    const bytes = size * bytesOf(stack);
    core.kernels.copyRows(1, bytes, stack.ptr + sheet * bytes, 0, own.ptr, 0);
    return own;
  };
  return { ...joint, layout: { spatial: [], full: false }, k: copy(joint.k), t: joint.t && copy(joint.t) };
}

function store(
  core: Core,
  { k, t }: Joint,
  [outK, outT]: readonly (Sheets | null | undefined)[],
  sheet: number,
): void {
  for (const [from, to] of [
    [k, outK],
    [t, outT],
  ] as const) {
    if (!from || !to) continue;
    const bytes = from.ticket.length * bytesOf(from);
    core.kernels.copyRows(1, bytes, from.ptr, 0, to.ptr + sheet * bytes, 0);
  }
}

function release(joint: Joint | null): void {
  joint?.k.release();
  joint?.t?.release();
}
