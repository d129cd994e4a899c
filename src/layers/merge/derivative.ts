// Derivatives where branches meet: sums and concatenations are linear; for products
//   d(K1 K2) = dK1 K2 + K1 dK2,  d(T1 K2 + K1 T2) = dT1 K2 + T1 dK2 + dK1 T2 + K1 dT2.
import type { Core } from '../../wasm/engine.js';
import { Sheets } from '../states/state.js';
import {
  accumulate,
  sheetsFrom,
  readSheets,
  type JointDerivatives,
  type SideDerivatives,
  type Derivative,
} from '../states/derivatives.js';
import { mergeJoints, mergeSides, type Merging } from './kernel.js';

const zerosLike = (core: Core, sheets: Sheets): Sheets =>
  new Sheets(core, sheets.ticket.dtype, sheets.ticket.length, true);

export function mergeSideDerivatives(
  core: Core,
  node: Merging,
  states: readonly SideDerivatives[],
): SideDerivatives {
  const product = node.layer.layer === 'product';
  const sides = states.map(({ side }) => side);
  const covs = sides.map((side) => side.cov?.data ?? null);
  const derivatives = states[0]!.derivatives.map((_, d) => {
    const parts = states.map((state) => state.derivatives[d]!);
    if (!covs[0] || parts.every((part) => !part)) return null;
    if (product) {
      const branches = parts.map((part, b) => ({ k: covs[b]!, t: null, derivative: { k: part, t: null } }));
      return multiplyDerivatives(core, branches).k as Sheets<'f64'> | null;
    }
    const whole = parts.map((part, b) => part ?? (zerosLike(core, covs[b]!) as Sheets<'f64'>));
    return mergeSides(
      core,
      node,
      sides.map((side, b) => ({ ...side, cov: { ...side.cov!, data: whole[b]! } })),
    ).cov!.data;
  });
  return { side: mergeSides(core, node, sides), derivatives };
}

export function mergeJointDerivatives(
  core: Core,
  node: Merging,
  states: readonly JointDerivatives[],
): JointDerivatives {
  const joints = states.map(({ joint }) => joint);
  const product = node.layer.layer === 'product';
  const derivatives = states[0]!.derivatives.map((_, d): Derivative => {
    const parts = states.map((state) => state.derivatives[d]!);
    if (product)
      return multiplyDerivatives(
        core,
        joints.map(({ k, t }, b) => ({ k, t, derivative: parts[b]! })),
      );
    const join = (field: keyof Derivative): Sheets | null => {
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
  return { joint: mergeJoints(core, node, joints), derivatives };
}

interface Branch {
  readonly k: Sheets;
  readonly t: Sheets | null;
  readonly derivative: Derivative;
}

/** The derivative of a product of branches; releases the derivatives, not the values. */
function multiplyDerivatives(core: Core, branches: readonly Branch[]): Derivative {
  const ks = branches.map(({ k }) => readSheets(core, k));
  const ts = branches.map(({ t }) => t && readSheets(core, t));
  let [sumK, sumT]: [Sheets | null, Sheets | null] = [null, null];
  /** `first` times the values K of all branches but those left out. */
  const times = (first: Float64Array, without: readonly number[]): Sheets =>
    sheetsFrom(
      core,
      first.map((value, i) =>
        ks.reduce((all, k, b) => (without.includes(b) ? all : all * k[i]!), value),
      ) as Float64Array<ArrayBuffer>,
    );
  for (const [b, { derivative }] of branches.entries()) {
    if (derivative.t) sumT = accumulate(core, sumT, times(readSheets(core, derivative.t), [b]), 1);
    if (derivative.k) {
      const dk = readSheets(core, derivative.k);
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
    derivative.k?.release();
    derivative.t?.release();
  }
  return { k: sumK, t: sumT };
}
