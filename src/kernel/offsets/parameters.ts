// What the weights and activation of a layer are on planes.
import { dualOf } from '../../layers/activation/dual/dual.js';
import { tableEntries } from '../../layers/activation/dual/tables.js';
import { baseWidthOf } from '../../layers/affine/kernel.js';
import type { ActivationLayer, ConvLayer, DenseLayer } from '../../layers/vocabulary.js';
import { NotByOffsets, type Activation } from './nodes.js';

/**
 * w is W^2 here; T' = W^2 A(T + gamma K) + bT in both parametrisations (kernels of Dense and Conv, arXiv 2001.07301). Weights
 * that are not trained have no terms of their own: T' = W^2 A(T).
 */
export function weights(
  layer: DenseLayer | ConvLayer,
  channels: number,
  filter: number,
  path: string,
  frozen: boolean,
): { w: number; b2: number; bT: number; gamma: number } {
  const w = layer.wStd ** 2;
  const b2 = (layer.bStd ?? 0) ** 2;
  const standard = layer.parametrization === 'standard';
  if (standard && w === 0) throw new NotByOffsets(`${path} (${layer.layer}) has wStd = 0`);
  if (frozen) return { w, b2, bT: 0, gamma: 0 };
  return {
    w,
    b2,
    bT: layer.bStd === null ? 0 : standard ? 1 : b2,
    gamma: standard ? (filter * baseWidthOf(layer, channels)) / w : 1,
  };
}

const [RELU, ERF, GAUSSIAN] = [1, 3, 7];

/** What series are made for. */
export interface SeriesOptions {
  /** Relative error of series. */
  readonly tolerance: number;
  /** Values per position that a record has for tables of a series at least. */
  readonly room: number;
}

/** Records have room for the series at this variance; where one is longer, for twice as much. */
const USUAL_VARIANCE = 1;

export function activationOf(
  layer: ActivationLayer,
  path: string,
  { tolerance, room }: SeriesOptions,
): Activation {
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
