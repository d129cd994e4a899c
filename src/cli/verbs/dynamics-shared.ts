// What the verbs of `dynamics` that train nets share: the net, its data, options and progress.
import type { Command } from 'commander';
import type { Tensor } from '../../math/index.js';
import type { LossName, NetDocument } from '../../net/index.js';
import type { Series } from '../../report/index.js';
import type { Engine, RunOptions } from '../../wasm/engine.js';
import { inFolder, readJson, readTensor } from '../files.js';
import { oneOf, perform, verb, wholeNumber, type Context, type Outcome } from '../verb.js';

export interface NetOptions {
  readonly net: string;
  readonly x: string;
  readonly y: string;
  readonly seed: number;
  readonly steps: number;
  readonly out?: string;
}
export interface Problem {
  readonly net: NetDocument;
  readonly x: Tensor;
  readonly y: Tensor;
}

/** `perform` for verbs that may write a report: `--out` is made and checked before the work. */
export const performReport = <O extends { readonly out?: string }>(
  body: (options: O, context: Context) => Promise<Outcome>,
): ReturnType<typeof perform> =>
  perform<O>((options, context) => inFolder(options.out, () => body(options, context)));

export function netVerb(
  parent: Command,
  name: string,
  description: string,
  example: string,
  steps: number,
): Command {
  return verb(parent, name, description, [
    `infinite-width dynamics ${name} --net net.json --x x.npy --y y.npy ${example}`.trim(),
  ])
    .requiredOption('--net <file>', 'Net document (JSON)')
    .requiredOption('--x <file>', 'samples (n, ...): a handful')
    .requiredOption('--y <file>', 'targets (n, outputs)')
    .option('--steps <n>', 'steps', wholeNumber(1), steps)
    .option('--seed <n>', 'of the parameters', wholeNumber(), 0)
    .option('--out <dir>', 'folder for result.json, the figure and report.html');
}

export async function problemOf(
  options: NetOptions,
  context: Pick<Context, 'memoryBytes'>,
): Promise<Problem> {
  const net = (await readJson(options.net)) as NetDocument;
  return { net, x: await readTensor(options.x, context), y: await readTensor(options.y, context) };
}

export const modelOf = ({ x }: Problem, seed: number): { inputShape: number[]; seed: number } => ({
  inputShape: x.shape.slice(1),
  seed,
});
/** The net and samples that a call names, and what `run` finds on them by training, while progress shows. */
export async function trained<S extends object, R>(
  options: NetOptions,
  context: Context,
  settings: S,
  run: (
    engine: Engine,
    net: NetDocument,
    data: S & Pick<Problem, 'x' | 'y'> & { model: ReturnType<typeof modelOf> },
  ) => Promise<R>,
): Promise<{ found: R; variant: Engine['variant'] }> {
  const problem = await problemOf(options, context);
  const engine = await context.engine();
  context.progress.start('training', 1);
  const { net, x, y } = problem;
  const found = await run(engine, net, { ...settings, x, y, model: modelOf(problem, options.seed) });
  context.progress.finish();
  return { found, variant: engine.variant };
}

export const LOSSES: (text: string) => LossName = oneOf('mse', 'logistic', 'crossEntropy');
export const follow = ({ signal, progress }: Context): RunOptions => ({
  signal,
  onDone: (done: number, total: number): void => progress.update(done / total),
});

/** A series without the points a logarithmic axis cannot show. */
export function positive(name: string, x: readonly number[], y: ArrayLike<number>, points = false): Series {
  const kept = x.map((_, i) => i).filter((i) => y[i]! > 0);
  return { name, x: kept.map((i) => x[i]!), y: kept.map((i) => y[i]!), points };
}
