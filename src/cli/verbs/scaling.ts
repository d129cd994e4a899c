import type { Command } from 'commander';
import {
  classify,
  explain,
  scalings,
  type OptimizerKind,
  type Scaling,
  type ScalingSpec,
} from '../../scaling/index.js';
import { UsageError } from '../errors.js';
import { listOf, oneOf, perform, realNumber, verb, wholeNumber } from '../verb.js';

import { registerScalingRuns } from './scaling-runs.js';
import { registerTrain } from './train.js';

export interface PointOptions {
  readonly scaling?: string;
  readonly qSigma?: string;
  readonly qTilde?: string;
  readonly qTildeA?: string;
  readonly qTildeW?: string;
  readonly qTildeV?: string;
}

const NAMES = Object.keys(scalings).filter((name) => name !== 'intermediate');

/** A scaling by name, or by its exponents. */
export function pointOf(options: PointOptions): ScalingSpec {
  if (options.scaling !== undefined) {
    const { qSigma, qTilde, qTildeA, qTildeW, qTildeV } = options;
    if ([qSigma, qTilde, qTildeA, qTildeW, qTildeV].some((q) => q !== undefined))
      throw new UsageError('scaling: expected --scaling or exponents (--q-...), got both. Leave one out.');
    return scalingNamed(options.scaling);
  }
  if (options.qSigma === undefined) {
    throw new UsageError(
      `scaling: expected --scaling NAME or --q-sigma and --q-tilde. Names: ${NAMES.join(', ')}, intermediate:0.75.`,
    );
  }
  const { qTilde, qTildeA, qTildeW, qTildeV } = options;
  return {
    qSigma: options.qSigma,
    ...(qTilde === undefined ? {} : { qTilde }),
    ...(qTildeA === undefined ? {} : { qTildeA }),
    ...(qTildeW === undefined ? {} : { qTildeW }),
    ...(qTildeV === undefined ? {} : { qTildeV }),
  };
}

/** `meanField`, `intermediate:0.75`, or a point `-1/2,1/4`. */
export function scalingNamed(name: string): Scaling | ScalingSpec {
  const [head, q] = name.split(':');
  if (head === 'intermediate' && q !== undefined) return scalings.intermediate(q);
  const [qSigma, qTilde, ...more] = name.split(',');
  if (qTilde !== undefined && more.length === 0) return { qSigma: qSigma!, qTilde };
  const named = NAMES.includes(name) ? (scalings[name as 'ntk'] as Scaling) : undefined;
  if (!named)
    throw new UsageError(
      `scaling: unknown name '${name}'. Names: ${NAMES.join(', ')}, intermediate:0.75, or a point like -1/2,1/4.`,
    );
  return named;
}

/** Adds the options that say which scaling is meant. */
export const withPoint = (command: Command): Command =>
  command
    .option('--scaling <name>', `one of ${NAMES.join(', ')}, intermediate:<q>`)
    .option('--q-sigma <q>', 'exponent of the initial size: decimal or fraction')
    .option('--q-tilde <q>', 'exponent of both hatted learning rates')
    .option('--q-tilde-a <q>', 'of the output layer alone')
    .option('--q-tilde-w <q>', 'of the input layer alone')
    .option('--q-tilde-v <q>', 'of hidden matrices of deep nets');

/** The verbs of this area: `train` and `scaling ...`. */
export function registerScaling(program: Command): void {
  registerTrain(program);
  const parent = program
    .command('scaling')
    .description('scalings of hyperparameters with width: classify, explain, measure');
  withPoint(
    verb(parent, 'classify', 'which of the 13 limit models a scaling has', [
      'infinite-width scaling classify --q-sigma -1/2 --q-tilde 0',
      'infinite-width scaling classify --scaling default --json',
    ]),
  ).action(
    perform<PointOptions>(async (options) => {
      const spec = pointOf(options);
      return { json: classify(spec), text: explain(spec).words.join('\n') };
    }),
  );
  withPoint(
    verb(parent, 'explain', 'what a scaling sets at each width, and what will happen', [
      'infinite-width scaling explain --scaling meanField --widths 128,1024 --learning-rate 0.02',
    ]),
  )
    .option('--base-width <d>', 'width of the reference net', wholeNumber(1), 128)
    .option('--widths <list>', 'widths to print', listOf(wholeNumber(1)))
    .option('--learning-rate <eta>', 'rate of the reference net', realNumber(0), 0.02)
    .option('--inputs <n>', 'size of an input', wholeNumber(1), 784)
    .option('--optimizer <name>', 'sgd, rmsprop or adam', oneOf('sgd', 'rmsprop', 'adam'), 'sgd')
    .action(
      perform<
        PointOptions & {
          baseWidth: number;
          widths?: number[];
          learningRate: number;
          inputs: number;
          optimizer: OptimizerKind;
        }
      >(async (options) => {
        const { baseWidth, widths, learningRate, inputs, optimizer } = options;
        const result = explain(pointOf(options), {
          baseWidth,
          learningRate,
          optimizer,
          inputSize: inputs,
          ...(widths ? { widths } : {}),
        });
        return { json: result, text: result.text };
      }),
    );
  registerScalingRuns(parent);
}
