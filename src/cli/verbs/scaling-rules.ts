// `scaling rules`: what published rules do, and the numbers of one rule for every parameter of a net.
import type { Command } from 'commander';
import type { DecayForm, MuonFactor, NetDocument } from '../../net/index.js';
import { formatNumber, formatTable } from '../../report/index.js';
import {
  RULE_OPTIMIZERS,
  RULES,
  ruleVerdict,
  scaledNet,
  scalingTable,
  type ReadoutStyle,
  type RuleName,
  type RuleOptimizer,
  type RuleParameter,
  type RuleVerdict,
  type ScalingTable,
} from '../../scaling/index.js';
import { UsageError } from '../errors.js';
import { readJson } from '../files.js';
import { listOf, oneOf, perform, realNumber, verb, wholeNumber, type Outcome } from '../verb.js';

interface RulesOptions {
  readonly optimizer?: RuleOptimizer;
  readonly rule: RuleName;
  readonly net?: string;
  readonly inputShape?: number[];
  readonly widthFactor: number;
  readonly depthFactor: number;
  readonly batchFactor: number;
  readonly tokenFactor: number;
  readonly alpha?: string;
  readonly decay?: DecayForm;
  readonly readout?: ReadoutStyle;
  readonly muonFactor: MuonFactor;
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly eps: number;
  readonly initStd?: number;
}

const NAMES = Object.keys(RULES) as RuleName[];
const OPTIMIZERS = Object.keys(RULE_OPTIMIZERS) as RuleOptimizer[];
const factor = realNumber(2 ** -20, 2 ** 20);

export function registerRules(parent: Command): void {
  verb(
    parent,
    'rules',
    'learning rate, decay, epsilon and start of every parameter of a wider or deeper net',
    [
      'infinite-width scaling rules',
      'infinite-width scaling rules --optimizer adamw --net net.json --input-shape 784 --width-factor 16 --json',
      'infinite-width scaling rules --rule completep --optimizer adamw --net shapes.json --width-factor 8 --depth-factor 4',
    ],
  )
    .option('--optimizer <name>', `one of ${OPTIMIZERS.join(', ')}`, oneOf(...OPTIMIZERS))
    .option('--rule <name>', `one of ${NAMES.join(', ')}`, oneOf(...NAMES), 'maximal')
    .option(
      '--net <file>',
      'the base net as a document, or the parameters of the target as a list of { name, shape, kind, inBlock }',
    )
    .option('--input-shape <list>', 'of one sample: spatial axes, then channels', listOf(wholeNumber(1)))
    .option('--width-factor <m>', 'width over that of the base net', factor, 1)
    .option('--depth-factor <m>', 'residual blocks over those of the base net', factor, 1)
    .option('--batch-factor <m>', 'batch over that of the base run', factor, 1)
    .option('--token-factor <m>', 'training samples over those of the base run', factor, 1)
    .option('--alpha <q>', 'power of depth on residual branches, from 1/2 to 1')
    .option(
      '--decay <form>',
      'coupled, decoupled or independent',
      oneOf('coupled', 'decoupled', 'independent'),
    )
    .option('--readout <style>', 'small weights, or a forward factor', oneOf('small', 'forward'))
    .option(
      '--muon-factor <name>',
      'what the Muon in use puts on U V^T',
      oneOf('none', 'original', 'match_rms_adamw', 'spectral_unclamped'),
      'original',
    )
    .option('--learning-rate <eta>', 'tuned on the base net', realNumber(0), 1e-3)
    .option('--weight-decay <lambda>', 'tuned on the base net', realNumber(0), 0)
    .option('--eps <eps>', 'of the base net', realNumber(0), 1e-8)
    .option('--init-std <s>', 'of matrices of the base net; default 1/sqrt(fan-in)', realNumber(0))
    .action(perform<RulesOptions>(rules));
}

async function rules(options: RulesOptions): Promise<Outcome> {
  const { optimizer } = options;
  if (optimizer === undefined) {
    if (options.net !== undefined)
      throw new UsageError(`scaling rules: --net needs --optimizer: ${OPTIMIZERS.join(', ')}.`);
    return gallery();
  }
  const { rule, alpha, decay, readout } = options;
  const choice = {
    ...{ rule, optimizer },
    ...(alpha === undefined ? {} : { alpha }),
    ...(decay === undefined ? {} : { decay }),
    ...(readout === undefined ? {} : { readout }),
  };
  if (options.net === undefined) {
    const verdict = ruleVerdict(choice);
    return { json: verdict, text: wordsOf(verdict).join('\n') };
  }
  const { parameters, net, note } = await parametersOf(options.net, options);
  const { widthFactor, depthFactor, batchFactor, tokenFactor, muonFactor, learningRate, weightDecay, eps } =
    options;
  const { initStd } = options;
  const base = { learningRate, weightDecay, eps, ...(initStd === undefined ? {} : { initStd }) };
  const table = scalingTable({
    ...{ ...choice, parameters, widthFactor, depthFactor, batchFactor, tokenFactor, muonFactor, base },
    others: base,
  });
  return { json: net ? { ...table, net } : table, text: [textOf(table), ...note].join('\n') };
}

/** A net document, { net, inputShape }, or a list of parameters. */
async function parametersOf(
  file: string,
  { inputShape, widthFactor, depthFactor }: Pick<RulesOptions, 'inputShape' | 'widthFactor' | 'depthFactor'>,
): Promise<{ parameters: readonly RuleParameter[]; net?: unknown; note: string[] }> {
  const content = await readJson(file);
  const isList =
    Array.isArray(content) &&
    content.every((entry) => Array.isArray((entry as RuleParameter)?.shape) && 'kind' in (entry as object));
  if (isList && content.length > 0) return { parameters: content as RuleParameter[], note: [] };
  const wrapped = content as { net?: NetDocument; inputShape?: number[]; layer?: unknown };
  const isWrapped = wrapped?.layer === undefined && wrapped?.net !== undefined && !Array.isArray(content);
  const document = isWrapped ? wrapped.net! : (content as NetDocument);
  const shape = inputShape ?? (isWrapped ? wrapped.inputShape : undefined);
  const scaled = scaledNet({ net: document, inputShape: shape ?? [1], widthFactor, depthFactor });
  const note = shape ? [] : ['One input is assumed for the first layer; --input-shape says another shape.'];
  return { parameters: scaled.parameters, net: scaled.net, note };
}

const yes = (value: boolean | null): string => (value === null ? '-' : value ? 'yes' : 'no');

function gallery(): Outcome {
  const verdicts = NAMES.flatMap((rule) =>
    RULES[rule].optimizers
      .filter((name) => ['sgd', 'adam', 'adamw', 'muon'].includes(name))
      .map((optimizer) => ruleVerdict({ rule, optimizer })),
  );
  const table = formatTable({
    name: 'rules',
    title: 'Rules and what the classifier says of them (three hidden layers)',
    columns: ['rule', 'optimizer', 'regime', 'maximal', 'decay kept', 'epsilon kept', 'blocks', 'source'],
    rows: verdicts.map(({ rule, optimizer, deep, depth, decayKept, source }) => [
      ...[
        rule,
        optimizer,
        deep.class,
        yes(deep.maximal),
        yes(decayKept),
        yes(deep.faithful),
        depth.class,
        source,
      ],
    ]),
    note: 'With --optimizer a rule is explained; with --net as well, it is a table of numbers.',
  });
  return { json: verdicts, text: table };
}

const wordsOf = ({ title, source, deep, depth, decayKept, decay, notes }: RuleVerdict): string[] => [
  `${title} (${source})`,
  ...deep.words,
  `Depth, alpha = ${depth.alpha}: ${depth.words.join(' ')}`,
  decayKept
    ? 'Weight decay forgets at the same speed at every width.'
    : `Weight decay changes with width: a step takes off ${Object.entries(decay)
        .flatMap(([kind, power]) => (power === null || power === '0' ? [] : [`width^${power} (${kind})`]))
        .join(', ')}.`,
  ...notes,
];

function textOf(table: ScalingTable): string {
  const { rule, optimizer, factors, verdict, notes, forward } = table;
  const shown = formatTable({
    name: 'parameters',
    title: `${rule}, ${optimizer}: width x ${factors.width}, depth x ${factors.depth}, batch x ${factors.batch}, tokens x ${factors.tokens}`,
    columns: ['parameter', 'kind', 'shape', 'optimizer', 'start', 'rate', 'decay', 'epsilon', 'forward'],
    rows: table.parameters.map((row) => [
      ...[row.name, row.inBlock ? `${row.kind}, in a block` : row.kind, row.shape.join(' x '), row.optimizer],
      row.initStd ?? '-',
      ...[row.lr, row.weightDecay, row.eps, row.forward],
    ]),
  });
  return [
    shown,
    `Residual branches are multiplied by ${formatNumber(forward.residual)} against the base net.`,
    `The rule: ${verdict.class} regime, r = ${verdict.r}${verdict.maximal ? ', maximal' : ''}; decay ${verdict.decayKept ? 'keeps its time scale' : 'changes with width'}; blocks ${verdict.depth}.`,
    ...notes,
  ].join('\n');
}
