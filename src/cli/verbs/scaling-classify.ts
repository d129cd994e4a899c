// `scaling classify`: a point of the plane, exponents per matrix, or a residual net's depth.
import type { Command } from 'commander';
import {
  classify,
  classifyDepth,
  explain,
  RULE_OPTIMIZERS,
  type RuleOptimizer,
} from '../../scaling/index.js';
import { UsageError } from '../errors.js';
import { listOf, oneOf, perform, verb, wholeNumber, type Outcome } from '../verb.js';
import { pointOf, withPoint, type PointOptions } from './scaling-point.js';

interface ClassifyOptions extends PointOptions {
  readonly a?: string[];
  readonly b?: string[];
  readonly c?: string[];
  readonly optimizer: RuleOptimizer;
  readonly alpha?: string;
  readonly depthRate?: string;
  readonly blockDepth: number;
}

const OPTIMIZERS = Object.keys(RULE_OPTIMIZERS) as RuleOptimizer[];

export function registerClassify(parent: Command): void {
  withPoint(
    verb(parent, 'classify', 'what a scaling does as nets get wide, or residual nets deep', [
      'infinite-width scaling classify --q-sigma -1/2 --q-tilde 0',
      'infinite-width scaling classify --scaling default --json',
      'infinite-width scaling classify --a 0,0,0 --b 0,1/2,1/2 --c 1 --optimizer adam',
      'infinite-width scaling classify --alpha 1/2 --optimizer adam',
    ]),
  )
    .option('--a <list>', 'forward exponents, one per matrix: W = n^-a w', listOf(String))
    .option('--b <list>', 'exponents of the start: w ~ N(0, n^-2b)', listOf(String))
    .option('--c <list>', 'exponents of the rate n^-c: one, or one per matrix', listOf(String))
    .option(
      '--optimizer <name>',
      `with --a, --b, --c or --alpha: ${OPTIMIZERS.join(', ')}`,
      oneOf(...OPTIMIZERS),
      'sgd',
    )
    .option('--alpha <q>', 'residual branches are multiplied by depth^-alpha')
    .option('--depth-rate <q>', "block rates grow like depth^q; default: the rule's")
    .option('--block-depth <n>', 'matrices per block', wholeNumber(1), 2)
    .action(perform<ClassifyOptions>(async (options) => outcomeOf(options)));
}

function outcomeOf(options: ClassifyOptions): Outcome {
  const { a, b, c, optimizer, alpha, depthRate, blockDepth } = options;
  const isPoint = [
    options.scaling,
    options.qSigma,
    options.qTilde,
    options.qTildeA,
    options.qTildeW,
    options.qTildeV,
  ].some((value) => value !== undefined);
  const ways = [isPoint, a ?? b ?? c, alpha ?? depthRate].filter((way) => way !== undefined && way !== false);
  if (ways.length > 1)
    throw new UsageError(
      'scaling classify: expected a point, --a --b --c, or --alpha, got several. Leave the others out.',
    );
  if (alpha !== undefined || depthRate !== undefined) {
    if (alpha === undefined) throw new UsageError('scaling classify: --depth-rate needs --alpha.');
    const found = classifyDepth({
      alpha,
      optimizer,
      blockDepth,
      ...(depthRate === undefined ? {} : { rate: depthRate }),
    });
    return { json: found, text: found.words.join('\n') };
  }
  if (a ?? b ?? c) {
    if (!a || !b || !c) throw new UsageError('scaling classify: --a, --b and --c belong together.');
    const found = classify({ a, b, c: c.length === 1 ? c[0]! : c, optimizer });
    return { json: found, text: found.words.join('\n') };
  }
  const spec = pointOf(options);
  return { json: classify(spec), text: explain(spec).words.join('\n') };
}
