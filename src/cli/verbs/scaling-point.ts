// Which scaling the options of a verb mean.
import type { Command } from 'commander';
import { golikov2020, scalings, type Scaling, type ScalingSpec } from '../../scaling/index.js';
import { UsageError } from '../errors.js';

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

/** `meanField`, `intermediate:0.75`, `golikov2020:ntk` (the rates of the paper's experiments), or a point `-1/2,1/4`. */
export function scalingNamed(name: string): Scaling | ScalingSpec {
  const [head, q, last] = name.split(':');
  if (head === 'intermediate' && q !== undefined) return scalings.intermediate(q);
  if (head === 'golikov2020' && q !== undefined) {
    if (q === 'intermediate' && last !== undefined) return golikov2020.intermediate(last);
    if (NAMES.includes(q)) return golikov2020[q as 'ntk'];
  }
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
    .option(
      '--scaling <name>',
      `one of ${NAMES.join(', ')}, intermediate:<q>; golikov2020:<name> has the paper's rates of hidden matrices`,
    )
    .option('--q-sigma <q>', 'exponent of the initial size: decimal or fraction')
    .option('--q-tilde <q>', 'exponent of both hatted learning rates')
    .option('--q-tilde-a <q>', 'of the output layer alone')
    .option('--q-tilde-w <q>', 'of the input layer alone')
    .option('--q-tilde-v <q>', 'of hidden matrices of deep nets');
