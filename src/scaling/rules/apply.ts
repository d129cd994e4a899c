// A table as what `createModel` and `train` take.
import type { PerLayer, TensorNumbers } from '../../net/width.js';
import { knownFields, knownWord } from '../../wasm/engine.js';
import { optimizerRule } from './optimizers.js';
import type { ScalingRow, ScalingTable } from './table.js';

export interface TableFactors {
  /** Of `createModel`: factors on initial parameters. */
  readonly multipliers: PerLayer;
  /** Of `train`: factors on the optimiser's rate, weight decay and epsilon. */
  readonly rates: PerLayer;
  readonly decays: PerLayer;
  readonly epsilons: PerLayer;
}

/**
 * The factors of a table that was made of a net (`scaledNet`), layer by layer: the optimiser itself has the base values.
 * A forward factor of the readout is folded into its weights, which gives the same function at every step. `start`
 * says whose initial parameters the factors meet: `drawn` by `createModel`, or `given` by a framework that draws weights and
 * biases with 1/sqrt(fan-in). RangeError for tables of parameters that are not `<path>.w` and `<path>.b`, in order.
 *
 *     const { net, parameters } = scaledNet({ net: base, inputShape: [64], widthFactor: 8 });
 *     const { multipliers, ...factors } = tableFactors(scalingTable({ optimizer: 'adamw', widthFactor: 8, parameters }));
 *     const model = createModel(engine, net, { inputShape: [64], multipliers });
 *     train(model, { optimizer: adamw(1e-3), ...factors, ... });
 */
export function tableFactors(
  table: ScalingTable,
  options: { readonly start?: 'drawn' | 'given' } = {},
): TableFactors {
  knownFields('tableFactors', options, { start: true });
  const start = knownWord('tableFactors', 'start', options.start ?? 'drawn', ['drawn', 'given'] as const);
  const layers: ScalingRow[][] = [];
  for (const row of table.parameters) {
    const [, path, part] = /^(.*)\.([wb])$/.exec(row.name) ?? [];
    if (part === 'w') layers.push([row]);
    else if (part === 'b' && layers.at(-1)?.[0]!.name === `${path}.w` && layers.at(-1)!.length === 1)
      layers.at(-1)!.push(row);
    else
      throw new RangeError(
        `tableFactors: expected the parameters of scaledNet, '<path>.w' and then '<path>.b', got '${row.name}'.`,
      );
  }
  const per = (of: (row: ScalingRow) => number): TensorNumbers[] =>
    layers.map(([w, b]) => ({ w: of(w!), b: of(b ?? w!) }));
  const shift = (row: ScalingRow): Shift => shiftOf(table, row);
  const isVector = ({ kind }: ScalingRow): boolean => kind === 'bias' || kind === 'readoutBias';
  return {
    multipliers: per(
      (row) => (start === 'drawn' && isVector(row) ? row.multipliers.initStd : row.initFactor) * row.forward,
    ),
    rates: per((row) => row.multipliers.lr * shift(row).rate),
    decays: per((row) => row.multipliers.weightDecay * shift(row).decay),
    epsilons: per((row) => row.multipliers.eps * shift(row).eps),
  };
}

interface Shift {
  readonly rate: number;
  readonly decay: number;
  readonly eps: number;
}

/** What a forward factor does to rate, decay and epsilon once it stands in the weights. */
function shiftOf({ decay: form }: ScalingTable, { forward, optimizer }: ScalingRow): Shift {
  const { family } = optimizerRule('tableFactors', optimizer);
  const rate = { sgd: forward * forward, entrywise: forward, spectral: forward, relative: 1 }[family];
  const throughRate = form === 'decoupled' || family === 'sgd';
  const decay = form === 'independent' ? 1 : throughRate ? 1 / rate : 1 / (forward * forward);
  return { rate, decay, eps: 1 / forward };
}
