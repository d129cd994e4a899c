// Derivatives where branches meet: sums and concatenations are linear; for products
//   d(K1 K2) = dK1 K2 + K1 dK2,  d(T1 K2 + K1 T2) = dT1 K2 + T1 dK2 + dK1 T2 + K1 dT2.
import type { Core } from '../../wasm/engine.js';
import { Planes } from '../states/state.js';
import {
  accumulate,
  planesFrom,
  readPlanes,
  type JointTangents,
  type SideTangents,
  type Tangent,
} from '../states/derivatives.js';
import { mergeJoints, mergeSides, type Merging } from './kernel.js';

const zerosLike = (core: Core, planes: Planes): Planes =>
  new Planes(core, planes.ticket.dtype, planes.ticket.length, true);

export function mergeSideTangents(core: Core, node: Merging, states: readonly SideTangents[]): SideTangents {
  const product = node.layer.layer === 'product';
  const sides = states.map(({ side }) => side);
  const covs = sides.map((side) => side.cov?.data ?? null);
  const tangents = states[0]!.tangents.map((_, d) => {
    const parts = states.map((state) => state.tangents[d]!);
    if (!covs[0] || parts.every((part) => !part)) return null;
    if (product) {
      const branches = parts.map((part, b) => ({ k: covs[b]!, t: null, tangent: { k: part, t: null } }));
      return multiplyTangents(core, branches).k as Planes<'f64'> | null;
    }
    const whole = parts.map((part, b) => part ?? (zerosLike(core, covs[b]!) as Planes<'f64'>));
    return mergeSides(
      core,
      node,
      sides.map((side, b) => ({ ...side, cov: { ...side.cov!, data: whole[b]! } })),
    ).cov!.data;
  });
  return { side: mergeSides(core, node, sides), tangents };
}

export function mergeJointTangents(
  core: Core,
  node: Merging,
  states: readonly JointTangents[],
): JointTangents {
  const joints = states.map(({ joint }) => joint);
  const product = node.layer.layer === 'product';
  const tangents = states[0]!.tangents.map((_, d): Tangent => {
    const parts = states.map((state) => state.tangents[d]!);
    if (product)
      return multiplyTangents(
        core,
        joints.map(({ k, t }, b) => ({ k, t, tangent: parts[b]! })),
      );
    const join = (field: keyof Tangent): Planes | null => {
      if (parts.every((part) => !part[field])) return null;
      const whole = joints.map((joint, b) => ({
        ...joint,
        k: parts[b]![field] ?? zerosLike(core, joint.k),
        t: null,
      }));
      return mergeJoints(core, node, whole).k;
    };
    return { k: join('k'), t: join('t') };
  });
  return { joint: mergeJoints(core, node, joints), tangents };
}

interface Branch {
  readonly k: Planes;
  readonly t: Planes | null;
  readonly tangent: Tangent;
}

/** The derivative of a product of branches; releases the derivatives, not the values. */
function multiplyTangents(core: Core, branches: readonly Branch[]): Tangent {
  const ks = branches.map(({ k }) => readPlanes(core, k));
  const ts = branches.map(({ t }) => t && readPlanes(core, t));
  let [sumK, sumT]: [Planes | null, Planes | null] = [null, null];
  /** `first` times the values K of all branches but those left out. */
  const times = (first: Float64Array, without: readonly number[]): Planes =>
    planesFrom(
      core,
      first.map((value, i) =>
        ks.reduce((all, k, b) => (without.includes(b) ? all : all * k[i]!), value),
      ) as Float64Array<ArrayBuffer>,
    );
  for (const [b, { tangent }] of branches.entries()) {
    if (tangent.t) sumT = accumulate(core, sumT, times(readPlanes(core, tangent.t), [b]), 1);
    if (tangent.k) {
      const dk = readPlanes(core, tangent.k);
      sumK = accumulate(core, sumK, times(dk, [b]), 1);
      for (const [c, t] of ts.entries()) {
        if (!t || c === b) continue;
        sumT = accumulate(
          core,
          sumT,
          times(
            dk.map((value, i) => value * t[i]!),
            [b, c],
          ),
          1,
        );
      }
    }
    tangent.k?.release();
    tangent.t?.release();
  }
  return { k: sumK, t: sumT };
}
