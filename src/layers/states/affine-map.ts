// K <- alpha K + beta and T <- alpha T + gamma K + delta on whole states.
import type { Core, Ptr } from '../../wasm/engine.js';
import type { Affine } from '../activation/dual/tables.js';
import type { Joint, Side } from './state.js';

export function affineJoint(core: Core, joint: Joint, { alpha, beta, gamma, delta }: Affine): Joint {
  const k = joint.k.own(core);
  const t = joint.t && joint.t.own(core);
  const run = core.kernels[
    k.ticket.dtype === 'f32' ? 'sheetsAffine_f32' : 'sheetsAffine_f64'
  ] as typeof core.kernels.sheetsAffine_f64;
  const tangent = (t ? t.ptr : 0) as Ptr<'f64'>;
  run(k.ticket.length, k.ptr as Ptr<'f64'>, tangent, alpha, beta, alpha, gamma, delta);
  return { ...joint, k, t };
}

export function affineSide(core: Core, side: Side, alpha: number, beta: number): Side {
  if (!side.cov) return side;
  const data = side.cov.data.own(core);
  core.kernels.sheetsAffine_f64(data.ticket.length, data.ptr, 0 as Ptr<'f64'>, alpha, beta, alpha, 0, 0);
  return { ...side, cov: { ...side.cov, data } };
}
