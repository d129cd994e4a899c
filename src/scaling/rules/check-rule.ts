// Checks of a rule on nets that are trained by it: a coordinate check over width or depth, and transfer of hyperparameters.
import { dense, identity, layerNorm, relu, repeat, serial, sum } from '../../net/builders.js';
import type { LayerDocument } from '../../net/document.js';
import {
  adam,
  adamw,
  lion,
  momentum,
  muon,
  nesterov,
  rmsprop,
  sgd,
  type Optimizer,
} from '../../net/optimizers.js';
import { mean } from '../../math/statistics.js';
import { knownFields, knownWord, type Engine } from '../../wasm/engine.js';
import { optimumShift, type OptimumShift } from '../experiments/optimum.js';
import { widthSlope, type Slope } from '../experiments/slopes.js';
import { runJobs, type LongCall } from '../one-hidden/train-one-hidden.js';
import { widthPower } from '../theory/power.js';
import { toNumber, toRational, type Rational } from '../theory/rational.js';
import { tableFactors } from './apply.js';
import { checkTable, type TableCheck } from './check-table.js';
import { ruleJob, type LayerProbe, type RuleRun, type RuleTrace } from './check-job.js';
import { scaledNet } from './net-parameters.js';
import type { RuleOptimizer } from './optimizers.js';
import { RULE_CHOICE, ruleVerdict, type RuleChoice, type RuleVerdict } from './rule.js';
import { scalingTable, type BaseValues, type ScalingRow, type ScalingTable } from './table.js';

interface Nets extends RuleChoice, LongCall {
  /** What grows: hidden units, or residual blocks at one width. Default `width`. */
  readonly over?: 'width' | 'depth';
  /** Widths or numbers of blocks, at least three; the first is the base model. Default 64 to 512, or 4 to 32. */
  readonly sizes?: readonly number[];
  /** Default 3 (checks), 5 (transfer). */
  readonly seeds?: number;
  readonly base?: BaseValues;
}

export interface RuleCheckOptions extends Nets {
  /** Training steps; default 3. */
  readonly steps?: number;
  /** Slopes within this and two standard errors of the wanted one are ok; default 0.15. */
  readonly tolerance?: number;
  /** Train on for two time constants of the decay and check the sizes that weights end at. */
  readonly equilibrium?: boolean;
}

export interface RuleSlope extends Slope {
  readonly check: 'activations' | 'change' | 'update' | 'relative update' | 'epsilon' | 'equilibrium';
  /** Path of the layer; `blocks`: the mean over the layers of residual blocks. */
  readonly layer: string;
  readonly step: number;
  /** The power of the size under maximal update, and what the classifier predicts of this rule; null where it says nothing. */
  readonly wanted: number;
  readonly predicted: number | null;
  readonly verdict: 'ok' | 'grows' | 'vanishes' | 'unknown';
  /** Mean over seeds, one per size. */
  readonly values: readonly number[];
}

export interface RuleCheck {
  readonly over: 'width' | 'depth';
  readonly sizes: readonly number[];
  readonly rule: RuleVerdict;
  /** Without training: first and last size against maximal update. */
  readonly table: TableCheck;
  readonly slopes: readonly RuleSlope[];
  readonly verdict: 'ok' | 'fails';
  /** The first thing that fails, in words; null when nothing does. */
  readonly first: string | null;
}

const INPUTS = 16;
const DEPTH_WIDTH = 48;
const COMMON = {
  ...RULE_CHOICE,
  over: true,
  sizes: true,
  seeds: true,
  signal: true,
  onProgress: true,
} as const;
const BASE = { learningRate: true, weightDecay: true, eps: true, initStd: true } as const;

/** Rates at which the nets of the checks learn, by optimiser. */
const RATES: { readonly [K in RuleOptimizer]?: number } = {
  ...{ sgd: 0.1, momentum: 0.03, nesterov: 0.03, sign: 0.005, rmsprop: 0.005, adam: 0.01, adamw: 0.01 },
  ...{ 'adamw-independent': 0.01, lion: 0.005, muon: 0.1 },
};

function optimizerOf(
  where: string,
  name: RuleOptimizer,
  base: Required<Omit<BaseValues, 'initStd'>>,
): Optimizer {
  const { learningRate: rate, weightDecay, eps } = base;
  switch (knownWord(where, 'optimizer', name, Object.keys(RATES) as RuleOptimizer[])) {
    case 'momentum':
      return momentum(rate, 0.9, { weightDecay });
    case 'nesterov':
      return nesterov(rate, 0.9, { weightDecay });
    case 'sign':
      return lion(rate, { beta1: 0, weightDecay });
    case 'rmsprop':
      return rmsprop(rate, { eps, weightDecay });
    case 'adam':
      return adam(rate, { eps, weightDecay });
    case 'adamw':
      return adamw(rate, { eps, weightDecay });
    case 'adamw-independent':
      return adamw(rate, { eps, weightDecay, decayForm: 'independent' });
    case 'lion':
      return lion(rate, { weightDecay });
    case 'muon':
      return muon(rate, { weightDecay, others: adamw(rate / 10, { weightDecay, eps }) });
    default:
      return sgd(rate, { weightDecay });
  }
}

/** Three hidden layers, or residual blocks of two matrices with norms: no biases, which follow their layers. */
function baseNet(over: 'width' | 'depth', size: number): LayerDocument {
  const plain = (units: number, gain = Math.SQRT2): LayerDocument =>
    dense(units, { parametrization: 'standard', wStd: gain });
  if (over === 'width')
    return serial(...Array.from({ length: 3 }, () => [plain(size), relu()]).flat(), plain(1, 1));
  const block = sum(
    identity(),
    serial(
      layerNorm({ eps: 1e-6 }),
      dense(DEPTH_WIDTH, { wStd: Math.SQRT2 }),
      relu(),
      dense(DEPTH_WIDTH, { wStd: 0.5 }),
    ),
  );
  return serial(plain(DEPTH_WIDTH, 1), repeat(size, block), layerNorm({ eps: 1e-6 }), plain(1, 1));
}

interface Prepared {
  readonly over: 'width' | 'depth';
  readonly sizes: readonly number[];
  readonly seeds: number;
  readonly base: Required<Omit<BaseValues, 'initStd'>>;
  readonly choice: RuleChoice;
  readonly verdict: RuleVerdict;
}

function prepare(where: string, options: Nets, fewest: number): Prepared {
  const { over = 'width', optimizer } = options;
  knownWord(where, 'over', over, ['width', 'depth'] as const);
  const { sizes = over === 'width' ? [64, 128, 256, 512] : [4, 8, 16, 32], seeds = fewest } = options;
  if (new Set(sizes).size < 3 || sizes.some((n) => !Number.isSafeInteger(n) || n < 1))
    throw new RangeError(
      `${where}: sizes must be at least three different whole numbers >= 1, got [${sizes.join(', ')}].`,
    );
  if (!Number.isInteger(seeds) || seeds < 2)
    throw new RangeError(`${where}: standard errors need at least 2 seeds, got ${seeds}.`);
  const { rule, decay, readout, alpha } = options;
  const choice: RuleChoice = {
    optimizer,
    ...(rule === undefined ? {} : { rule }),
    ...(decay === undefined ? {} : { decay }),
    ...(alpha === undefined ? {} : { alpha }),
    ...(readout === undefined ? {} : { readout }),
  };
  const verdict = ruleVerdict(choice);
  const base = { learningRate: RATES[optimizer] ?? 0.01, weightDecay: 0, eps: 1e-12, ...options.base };
  optimizerOf(where, optimizer, base);
  return { over, sizes: [...sizes].sort((a, b) => a - b), seeds, base, choice, verdict };
}

/** The net of one size with its table. */
function sized(
  { over, sizes, choice, base, verdict }: Prepared,
  size: number,
): { net: LayerDocument; table: ScalingTable } {
  const first = sizes[0]!;
  const factor = size / first;
  const alpha = toRational(verdict.depth.alpha, 'alpha');
  const { net, parameters } =
    over === 'width'
      ? scaledNet({ net: baseNet(over, first), inputShape: [INPUTS], widthFactor: factor })
      : scaledNet({
          ...{ net: baseNet(over, first), inputShape: [INPUTS], depthFactor: factor },
          branchFactor: depthPower(factor, alpha),
        });
  const others = { ...base, learningRate: base.learningRate / 10 };
  const table = scalingTable({
    ...{ ...choice, parameters, base, others },
    ...(over === 'width' ? { widthFactor: factor } : { depthFactor: factor }),
  });
  return { net, table };
}

/** @internal factor^-alpha, with the same bits in every engine. */
export const depthPower = (factor: number, alpha: Rational): number => 1 / widthPower(factor, alpha);

/**
 * Trains nets of growing width (or depth) by a rule and fits how sizes of pre-activations, their changes, updates in spectral
 * norm and gradients beside epsilon scale; before that the table itself is checked. RangeError for options that do not fit.
 *
 *     (await checkRule(engine, { rule: 'nanogpt-mup', optimizer: 'adamw', base: { weightDecay: 0.1 } })).first;
 *     // the decay of hidden matrices, without training
 */
export async function checkRule(engine: Engine, options: RuleCheckOptions): Promise<RuleCheck> {
  const where = 'checkRule';
  knownFields<RuleCheckOptions>(where, options, {
    ...{ ...COMMON, base: BASE, steps: true, tolerance: true, equilibrium: true },
  });
  const { steps = 3, tolerance = 0.15, equilibrium = false } = options;
  if (!Number.isInteger(steps) || steps < 1)
    throw new RangeError(`${where}: steps must be a whole number >= 1, got ${steps}.`);
  const prepared = prepare(where, options, 3);
  const { over, sizes, seeds, base, choice, verdict } = prepared;
  const shrink = base.learningRate * base.weightDecay;
  if (equilibrium && !(shrink > 0))
    throw new RangeError(`${where}: equilibrium needs base.weightDecay > 0, got ${base.weightDecay}.`);
  const nets = sizes.map((size) => sized(prepared, size));
  const runs = nets.flatMap(({ net, table }) =>
    Array.from({ length: seeds }, (_, seed): RuleRun => ({
      ...{ net, factors: tableFactors(table), optimizer: optimizerOf(where, choice.optimizer, base) },
      ...{ inputs: INPUTS, seed, steps, lossOnly: false, cooling: false, epochs: steps },
      decaySteps: equilibrium ? Math.ceil(2 / shrink) : 0,
    })),
  );
  const traces = await runJobs(engine, ruleJob, runs, options);
  const at = (seed: number, size: number): RuleTrace => traces[size * seeds + seed]!;
  const slopes = slopesOf(prepared, { at, tables: nets.map(({ table }) => table), steps, tolerance });
  const table = staticCheck(prepared, nets[0]!.table, nets.at(-1)!.table);
  const failing = slopes.find((row) => row.verdict === 'grows' || row.verdict === 'vanishes');
  const first = table.failures[0]
    ? `Without training: ${table.failures[0].text}`
    : failing
      ? `${failing.check} of ${failing.layer} ${failing.verdict} like ${over}^${failing.slope.toFixed(2)} at step ${failing.step}, wanted ${failing.wanted}.`
      : traces.some(({ loss }) => loss === Infinity)
        ? 'A run overflowed.'
        : null;
  return { over, sizes, rule: verdict, table, slopes, verdict: first === null ? 'ok' : 'fails', first };
}

function staticCheck(
  { over, sizes, choice, base, verdict }: Prepared,
  small: ScalingTable,
  large: ScalingTable,
): TableCheck {
  const values = ({
    fanIn,
    fanOut,
    lr,
    weightDecay,
    eps,
    forward,
  }: ScalingRow): Parameters<typeof checkTable>[0]['parameters'][number]['base'] => {
    return { fanIn, fanOut, lr, forward, eps, ...(base.weightDecay > 0 ? { weightDecay } : {}) };
  };
  const grown = new Map(large.parameters.map((row) => [row.name, row]));
  const own = small.parameters.flatMap((row) =>
    row.optimizer === choice.optimizer && choice.optimizer !== 'muon'
      ? [
          {
            ...{ name: row.name, kind: row.kind, inBlock: row.inBlock },
            ...{ base: values(row), target: values(grown.get(row.name)!) },
          },
        ]
      : [],
  );
  // In the gauge of layers that divide by sqrt(fan-in) themselves nothing changes with depth, so this serves both.
  if (own.length === 0) return { verdict: 'ok', checked: 0, failures: [], findings: [] };
  return checkTable({
    ...{ optimizer: choice.optimizer, parameters: own, alpha: verdict.depth.alpha, tolerance: 1e-12 },
    ...(choice.decay === undefined ? {} : { decay: choice.decay }),
    ...(over === 'depth' ? { depthFactor: sizes.at(-1)! / sizes[0]! } : {}),
  });
}

interface Measured {
  readonly at: (seed: number, size: number) => RuleTrace;
  readonly tables: readonly ScalingTable[];
  readonly steps: number;
  readonly tolerance: number;
}

/** Layers that every size has; those of blocks count together. */
function groupsOf(probes: readonly LayerProbe[]): Map<string, Set<string>> {
  const groups = new Map<string, Set<string>>();
  for (const { path } of probes) {
    const name = path.includes('.net.') ? 'blocks' : path;
    groups.set(name, (groups.get(name) ?? new Set()).add(path));
  }
  return groups;
}

function slopesOf({ over, sizes, seeds, base, verdict }: Prepared, measured: Measured): RuleSlope[] {
  const { at, tables, steps, tolerance } = measured;
  const rows: RuleSlope[] = [];
  const names = [...groupsOf(at(0, 0).probes).keys()];
  const isLast = (name: string): boolean => name === names.at(-1);
  const fit = (
    head: Pick<RuleSlope, 'check' | 'layer' | 'step' | 'wanted' | 'predicted'>,
    of: (trace: RuleTrace, size: number) => number,
  ): void => {
    const values = Array.from({ length: seeds }, (_, seed) =>
      sizes.map((_, size) => of(at(seed, size), size)),
    );
    const found = widthSlope(sizes, values);
    const room = tolerance + 2 * (found?.standardError ?? 0);
    const off = (found?.slope ?? 0) - head.wanted;
    rows.push({
      ...{ ...head, slope: found?.slope ?? 0, standardError: found?.standardError ?? null },
      verdict: found === null ? 'unknown' : Math.abs(off) <= room ? 'ok' : off > 0 ? 'grows' : 'vanishes',
      values: sizes.map((_, size) => mean(values.map((row) => row[size]!))),
    });
  };
  const last = sizes.length;
  const members = (trace: RuleTrace, name: string, step: number): LayerProbe[] => {
    const own = groupsOf(trace.probes).get(name)!;
    return trace.probes.filter((probe) => probe.step === step && own.has(probe.path));
  };
  const average =
    (of: (probe: LayerProbe) => number, name: string, step: number) =>
    (trace: RuleTrace): number => {
      const own = members(trace, name, step);
      return own.length === 0 ? NaN : mean(own.map(of));
    };
  for (let step = 0; step <= steps; step++) {
    names.forEach((layer, l) => {
      const predicted = predictions({ over, verdict }, { layer, l, isReadout: isLast(layer), step });
      const at = { layer, step } as const;
      if (step === 0) {
        // Outputs may vanish at the start, as the rule says they do, but not grow.
        const wanted = isLast(layer) ? Math.min(0, predicted.size ?? 0) : 0;
        // The start of the readout is a sum of random signs, small by design.
        if (!(over === 'depth' && isLast(layer)))
          fit(
            { ...at, check: 'activations', wanted, predicted: predicted.size },
            average(({ size }) => size, layer, 0),
          );
        return;
      }
      const wanted = over === 'depth' && layer === 'blocks' ? predicted.wanted : 0;
      if (over === 'width' || isLast(layer))
        fit(
          { ...at, check: 'change', wanted: 0, predicted: predicted.change },
          average(({ change }) => change, layer, step),
        );
      fit(
        { ...at, check: 'update', wanted, predicted: predicted.update },
        average(({ update }) => update, layer, step),
      );
      if (!isLast(layer))
        fit(
          { ...at, check: 'relative update', wanted, predicted: predicted.update },
          average(({ relative }) => relative, layer, step),
        );
    });
  }
  if (verdict.deep.epsExponents && base.eps > 0) {
    const eps = (size: number, name: string, trace: RuleTrace): number => {
      const own = groupsOf(trace.probes).get(name)!;
      const rows = tables[size]!.parameters.filter((row) => own.has(row.name.replace(/\.[wb]$/, '')));
      // Muon's stands beside the Frobenius norm.
      const sides = (row: ScalingRow): number => (row.optimizer === 'muon' ? row.fanIn * row.fanOut : 1);
      return mean(rows.map((row) => row.eps / Math.sqrt(sides(row))));
    };
    for (const layer of names)
      fit(
        { layer, step: 0, check: 'epsilon', wanted: 0, predicted: null },
        (trace, size) => eps(size, layer, trace) / average(({ gradient }) => gradient, layer, 0)(trace),
      );
  }
  if (at(0, 0).norms.length > 0 && last > 0)
    for (const layer of names)
      if (layer !== 'blocks' && !isLast(layer))
        fit(
          { layer, step: steps, check: 'equilibrium', wanted: 0, predicted: null },
          ({ norms }) => norms.find(({ path }) => path === layer)?.end ?? NaN,
        );
  return rows;
}

interface Predictions {
  readonly size: number | null;
  readonly change: number | null;
  readonly update: number | null;
  readonly wanted: number;
}

/** What the classifier says, as powers of width or depth. */
function predictions(
  { over, verdict: { deep, depth } }: Pick<Prepared, 'over' | 'verdict'>,
  { layer, l, isReadout, step }: { layer: string; l: number; isReadout: boolean; step: number },
): Predictions {
  const number = (text: string): number => toNumber(toRational(text, 'power'));
  if (over === 'depth') {
    const relative = number(depth.relativePower);
    const isBlock = layer === 'blocks';
    // Maximal over depth is what alpha allows: the change of the stream stays, block weights move by L^(alpha - 1).
    const wanted = number(depth.alpha) - 1;
    return {
      size: 0,
      change: isReadout ? number(depth.changePower) : null,
      update: isBlock ? relative : null,
      wanted,
    };
  }
  if (!deep.initStable) return { size: null, change: null, update: null, wanted: 0 };
  const changes = step === 1 ? deep.firstChanges : deep.changes;
  const logits = step === 1 ? deep.logits.firstChange : deep.logits.change;
  return {
    size: isReadout ? number(deep.logits.init) : 0,
    change: number(isReadout ? logits : changes[l]!),
    update: isReadout
      ? number(deep.logits.readout)
      : step === 1 && l === 0
        ? number(deep.firstChanges[0]!)
        : null,
    wanted: 0,
  };
}

export interface RuleTransferOptions extends Nets {
  /** Which base value is swept; default `learningRate`. */
  readonly parameter?: 'learningRate' | 'weightDecay' | 'eps';
  /** At least three, of the base model; default: factors of 2 around a rate at which the nets learn. */
  readonly values?: readonly number[];
  /** Steps of training, the rate falling to zero; default 40. */
  readonly steps?: number;
  /** Default 0.1. */
  readonly tolerance?: number;
}

export interface RuleTransfer extends OptimumShift {
  readonly over: 'width' | 'depth';
  readonly parameter: 'learningRate' | 'weightDecay' | 'eps';
  readonly sizes: readonly number[];
  readonly values: readonly number[];
  /** Held-out losses, mean over seeds: `[size][value]`. */
  readonly losses: readonly (readonly number[])[];
}

/**
 * Sweeps a base value over sizes of nets trained by a rule and measures how the best one moves, with its error over seeds.
 * RangeError for options that do not fit.
 */
export async function ruleTransfer(engine: Engine, options: RuleTransferOptions): Promise<RuleTransfer> {
  const where = 'ruleTransfer';
  knownFields<RuleTransferOptions>(where, options, {
    ...{ ...COMMON, base: BASE, parameter: true, values: true, steps: true, tolerance: true },
  });
  const { parameter = 'learningRate', steps = 40, tolerance = 0.1 } = options;
  knownWord(where, 'parameter', parameter, ['learningRate', 'weightDecay', 'eps'] as const);
  const prepared = prepare(where, options, 5);
  const { over, sizes, seeds, base, choice } = prepared;
  const middle = parameter === 'learningRate' ? base.learningRate : parameter === 'weightDecay' ? 1 : 1e-3;
  const values = [...(options.values ?? [-4, -3, -2, -1, 0, 1, 2, 3].map((k) => middle * 2 ** k))].sort(
    (a, b) => a - b,
  );
  if (new Set(values).size < 3 || values.some((value) => !(value > 0) || !Number.isFinite(value)))
    throw new RangeError(
      `${where}: values must be at least three different positive numbers, got [${values.join(', ')}].`,
    );
  const runs = sizes.flatMap((size) =>
    values.flatMap((value) => {
      const at = { ...prepared, base: { ...base, [parameter]: value } };
      const { net, table } = sized(at, size);
      return Array.from({ length: seeds }, (_, seed): RuleRun => ({
        ...{ net, factors: tableFactors(table), optimizer: optimizerOf(where, choice.optimizer, at.base) },
        ...{ inputs: INPUTS, seed, steps, decaySteps: 0, lossOnly: true, cooling: true, epochs: steps },
      }));
    }),
  );
  const traces = await runJobs(engine, ruleJob, runs, options);
  const all = sizes.map((_, s) =>
    values.map((_, v) =>
      Array.from({ length: seeds }, (_, seed) => traces[(s * values.length + v) * seeds + seed]!.loss),
    ),
  );
  const losses = all.map((rows) => rows.map((row) => mean(row)));
  return { over, parameter, sizes, values, losses, ...optimumShift(sizes, values, all, tolerance) };
}
