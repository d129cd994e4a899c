// `scaling check`: a rule on nets that are trained by it, over width or depth; with --sweep the transfer of a base value.
import type { Command } from 'commander';
import {
  checkRule,
  RULES,
  ruleTransfer,
  type RuleCheck,
  type RuleName,
  type RuleOptimizer,
  type RuleTransfer,
} from '../../scaling/index.js';
import { listOf, oneOf, perform, realNumber, verb, wholeNumber } from '../verb.js';
import { atLeastDecade, fixed, OUT, stepsOf, trainAndReport, type Shown } from './scaling-report.js';

interface CheckOptions {
  readonly rule: RuleName;
  readonly optimizer: RuleOptimizer;
  readonly over: 'width' | 'depth';
  readonly sizes?: number[];
  readonly seeds?: number;
  readonly steps?: number;
  readonly alpha?: string;
  readonly learningRate?: number;
  readonly weightDecay: number;
  readonly eps: number;
  readonly equilibrium?: boolean;
  readonly sweep?: 'learningRate' | 'weightDecay' | 'eps';
  readonly values?: number[];
  readonly out?: string;
}

const NAMES = Object.keys(RULES) as RuleName[];
const TRAINED = [
  'sgd',
  'momentum',
  'nesterov',
  'sign',
  'rmsprop',
  'adam',
  'adamw',
  'adamw-independent',
  'lion',
  'muon',
] as const;

export function registerCheck(parent: Command): void {
  verb(parent, 'check', 'whether nets of growing width or depth train alike under a rule', [
    'infinite-width scaling check --optimizer adamw --weight-decay 0.1',
    'infinite-width scaling check --optimizer adamw --over depth --alpha 1/2 --out check',
    'infinite-width scaling check --optimizer adam --sweep learningRate --sizes 32,64,128,256',
  ])
    .option('--rule <name>', `one of ${NAMES.join(', ')}`, oneOf(...NAMES), 'maximal')
    .option('--optimizer <name>', `one of ${TRAINED.join(', ')}`, oneOf(...TRAINED), 'adamw')
    .option('--over <what>', 'width or depth', oneOf('width', 'depth'), 'width')
    .option('--sizes <list>', 'widths or numbers of blocks, at least three', listOf(wholeNumber(1)))
    .option('--seeds <n>', 'nets per size; default 3, with --sweep 5', wholeNumber(2))
    .option('--steps <n>', 'training steps; default 3, with --sweep 40', wholeNumber(1))
    .option('--alpha <q>', 'power of depth on residual branches, from 1/2 to 1')
    .option('--learning-rate <eta>', 'of the smallest net', realNumber(0))
    .option('--weight-decay <lambda>', 'of the smallest net', realNumber(0), 0)
    .option('--eps <eps>', 'of the smallest net', realNumber(0), 1e-12)
    .option('--equilibrium', 'train on for two time constants of the decay and check where weights end')
    .option(
      '--sweep <value>',
      'learningRate, weightDecay or eps: does the best one transfer?',
      oneOf('learningRate', 'weightDecay', 'eps'),
    )
    .option('--values <list>', 'values to sweep, at least three', listOf(realNumber(0)))
    .option(...OUT)
    .action(
      perform<CheckOptions>(async (options, context) => {
        const { rule, optimizer, over, sizes, seeds, steps, alpha, learningRate, weightDecay, eps } = options;
        const shared = {
          ...{ rule, optimizer, over },
          ...(sizes ? { sizes } : {}),
          ...(seeds === undefined ? {} : { seeds }),
          ...(steps === undefined ? {} : { steps }),
          ...(alpha === undefined ? {} : { alpha }),
          base: { weightDecay, eps, ...(learningRate === undefined ? {} : { learningRate }) },
        };
        const { sweep: parameter, values, equilibrium = false } = options;
        if (parameter !== undefined) {
          return trainAndReport(
            options,
            context,
            { kind: 'rule-transfer', title: 'Transfer under a rule' },
            async (follow) =>
              ruleTransfer(await context.engine(), {
                ...shared,
                parameter,
                ...(values ? { values } : {}),
                ...follow,
              }),
            showTransfer,
          );
        }
        return trainAndReport(
          options,
          context,
          { kind: 'rule-check', title: 'Check of a rule' },
          async (follow) => checkRule(await context.engine(), { ...shared, equilibrium, ...follow }),
          showCheck,
        );
      }),
    );
}

function showCheck({ over, sizes, rule, slopes, verdict, first }: RuleCheck): Shown {
  const rows = slopes.map((row) => [
    ...[
      row.check,
      row.layer,
      row.step,
      fixed(row.slope, 2),
      fixed(row.standardError, 2),
      fixed(row.wanted, 2),
    ],
    ...[fixed(row.predicted, 2), row.verdict],
  ]);
  const keys = [...new Set(slopes.map(({ check, layer }) => `${check}, ${layer}`))];
  const panels = keys.map((key) => {
    const own = slopes.filter(({ check, layer }) => `${check}, ${layer}` === key);
    return {
      title: key,
      x: { label: over === 'width' ? 'width' : 'residual blocks', scale: 'log', ticks: sizes } as const,
      y: atLeastDecade(
        'mean over nets',
        own.map(({ values }) => values),
      ),
      series: stepsOf(own, sizes),
    };
  });
  return {
    table: {
      name: 'slopes',
      title: `${rule.rule}, ${rule.optimizer}, over ${over}: ${verdict}${first === null ? '' : `. ${first}`}`,
      columns: ['quantity', 'layer', 'step', 'power', 'error', 'wanted', 'predicted', 'verdict'],
      rows,
    },
    panels,
    caption: `Sizes over ${over}; flat lines do not change. Wanted: under maximal update. Predicted: by the classifier for this rule.`,
  };
}

function showTransfer({
  over,
  parameter,
  sizes,
  values,
  losses,
  best,
  shift,
  standardError,
  verdict,
}: RuleTransfer): Shown {
  const moved =
    shift === null
      ? 'no two optima within the sweep'
      : `shift per doubling ${fixed(shift, 2)} ± ${fixed(standardError, 2)}`;
  const series = sizes.map((size, s) => {
    const finite = values.flatMap((value, v) =>
      Number.isFinite(losses[s]![v]!) ? [[value, losses[s]![v]!] as const] : [],
    );
    return { name: `${over} ${size}`, x: finite.map(([x]) => x), y: finite.map(([, y]) => y), points: true };
  });
  return {
    table: {
      name: 'transfer',
      title: `${parameter} over ${over}: ${verdict}, ${moved}`,
      columns: [over, 'best', 'least loss'],
      rows: sizes.map((size, s) => [size, fixed(best[s]!, 5), Math.min(...losses[s]!)]),
    },
    panels: [
      {
        x: { label: `${parameter} of the smallest net`, scale: 'log' },
        y: { label: 'held-out loss', scale: 'log' },
        ...{ series, width: 420, height: 260 },
      },
    ],
    caption:
      'Held-out loss after training over the swept value of the base net: minima above each other transfer.',
  };
}
