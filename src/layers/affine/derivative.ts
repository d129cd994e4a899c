// Derivatives with respect to a layer's own numbers, beside those that pass through it. With A the average over taps,
//   ntk:      K' = w^2 A K + b^2, T' = w^2 A (T + K) + b^2
//   standard: K' = w^2 A K + b^2, T' = w^2 A T + |filter| N A K + [bias].
import type { Core } from '../../wasm/engine.js';
import {
  accumulate,
  linearDerivatives,
  type Derivative,
  type DerivativeRule,
} from '../states/derivatives.js';
import type { Rule } from '../states/rule.js';
import { Sheets, type Joint } from '../states/state.js';
import type { Shaped } from '../shapes.js';
import type { ConvLayer, DenseLayer } from '../vocabulary.js';
import { filterSize } from './kernel.js';

type WeightLayer = DenseLayer | ConvLayer;

/** The directions that are numbers of one layer. */
export interface OwnDirections {
  readonly wStd?: number;
  readonly bStd?: number;
  readonly baseWidth?: number;
}

const changed = (node: Shaped<WeightLayer>, fields: Partial<WeightLayer>): Shaped<WeightLayer> => ({
  ...node,
  layer: { ...node.layer, parametrization: 'ntk', ...fields } as WeightLayer,
});

/** The rule of a layer with weights of which `own` are directions. */
export function weightDerivatives(rule: Rule<WeightLayer>, own: OwnDirections): DerivativeRule<WeightLayer> {
  const through = linearDerivatives(rule);
  return {
    side(core, node, state, context) {
      const { wStd, bStd } = node.layer;
      const { cov } = state.side;
      const alone = (fields: Partial<WeightLayer>, data: Sheets<'f64'>): Sheets<'f64'> =>
        rule.side(core, changed(node, fields), { ...state.side, cov: { ...cov!, data } }, context).side.cov!
          .data;
      const average = cov && own.wStd !== undefined ? alone({ wStd: 1, bStd: null }, cov.data.share()) : null;
      const ones =
        cov && own.bStd !== undefined ? alone({ wStd: 0, bStd: 1 }, emptyLike(core, cov.data)) : null;
      const next = through.side(core, node, state, context);
      const derivatives = [...next.state.derivatives];
      const put = (d: number, source: Sheets<'f64'>, factor: number): void => {
        derivatives[d] = accumulate(core, derivatives[d]!, source, factor);
      };
      if (average) put(own.wStd!, average, 2 * wStd);
      if (ones) put(own.bStd!, ones, 2 * bStd!);
      return { ...next, state: { ...next.state, derivatives } };
    },

    joint(core, node, state, { one, two, block, wanted }) {
      const { joint } = state;
      const { wStd, bStd, parametrization } = node.layer;
      const trained = joint.t !== null && !block.frozen.has(node.path);
      const ntk = trained && parametrization === 'ntk';
      const alone = (fields: Partial<WeightLayer>, k: Sheets): Sheets => {
        const input: Joint = { ...joint, k, t: null };
        return rule.joint(core, changed(node, fields), input, { one: one.note, two: two.note, block, wanted })
          .k;
      };
      const unit = { wStd: 1, bStd: null };
      const width = trained ? own.baseWidth : undefined;
      const needed = own.wStd !== undefined || width !== undefined;
      const averageK = needed ? alone(unit, joint.k.share()) : null;
      const averageT = own.wStd !== undefined && joint.t ? alone(unit, joint.t.share()) : null;
      const ones = own.bStd === undefined ? null : alone({ wStd: 0, bStd: 1 }, emptyLike(core, joint.k));
      const next = through.joint(core, node, state, { one, two, block, wanted });
      const derivatives: Derivative[] = [...next.derivatives];
      const put = (d: number, field: keyof Derivative, source: Sheets, factor: number): void => {
        const derivative = derivatives[d]!;
        const sum = accumulate(core, derivative[field], source.share(), factor);
        derivatives[d] = { ...derivative, [field]: sum };
      };
      if (own.wStd !== undefined) {
        put(own.wStd, 'k', averageK!, 2 * wStd);
        if (ntk) put(own.wStd, 't', averageK!, 2 * wStd);
        if (averageT) put(own.wStd, 't', averageT, 2 * wStd);
      }
      if (ones) {
        put(own.bStd!, 'k', ones, 2 * bStd!);
        if (ntk) put(own.bStd!, 't', ones, 2 * bStd!);
      }
      if (width !== undefined) put(width, 't', averageK!, filterSize(node.layer));
      for (const sheets of [averageK, averageT, ones]) sheets?.release();
      return { ...next, derivatives };
    },
  };
}

function emptyLike<D extends 'f32' | 'f64'>(core: Core, sheets: Sheets<D>): Sheets<D> {
  return new Sheets(core, sheets.ticket.dtype, sheets.ticket.length, true);
}
