// Activations on planes: closed duals by their number, series and polynomials by tables that TypeScript makes.
import type { Lowering, SeriesOptions } from '../lowering/lowering.js';
import { NotByOffsets, type Activation } from '../lowering/nodes.js';
import type { Shaped } from '../shapes.js';
import { dualOf } from './dual/dual.js';
import { tableEntries } from './dual/tables.js';
import type { ActivationLayer } from './types.js';

const [RELU, ERF, GAUSSIAN] = [1, 3, 7];

/** Records have room for the series at this variance; where one is longer, for twice as much. */
const USUAL_VARIANCE = 1;

function activationOf(layer: ActivationLayer, path: string, { tolerance, room }: SeriesOptions): Activation {
  const dual = dualOf(layer);
  if (dual.form === 'function')
    throw new NotByOffsets(`${path} (${layer.layer}) has its dual in code, called entry by entry`);
  if (dual.form !== 'closed') {
    const usual = tableEntries(dual, Float64Array.of(USUAL_VARIANCE), tolerance);
    const width = Math.max(usual.width, dual.form === 'series' ? room : 0);
    return { kind: 'dual', dual: usual.kind, params: usual.params, watched: layer, width };
  }
  const { kind, params } = dual;
  const [a = 0, b = 0, c = 0] = params;
  if (kind === RELU) return { kind: 'relu', a, b };
  if (kind === ERF) return { kind: 'erf', a, b, c };
  const closed = { kind: 'dual', dual: kind, params, width: 1 } as const;
  return kind === GAUSSIAN && b > 0 ? { ...closed, watched: layer } : closed;
}

export function activationOffsets(lowering: Lowering, node: Shaped<ActivationLayer>, x: number): number {
  const activation = activationOf(node.layer, node.path, lowering.options);
  return lowering.push({ ...lowering.base(x, node), op: 'activation', activation });
}
