// What verbs that can run on many machines share: the queue, the store, and where a run lies in it.
import { resolve, sep } from 'node:path';
import type { Command } from 'commander';
import { Board } from '../queue/board.js';
import { makerOf } from '../queue/message.js';
import { queuePool } from '../queue/pool.js';
import { openStore } from '../store/open.js';
import { checkKey, within, type Key, type Store } from '../store/store.js';
import type { JobPool, Variant } from '../wasm/engine.js';
import { UsageError } from './errors.js';
import { wholeNumber } from './verb.js';

export interface ClusterOptions {
  readonly queue?: string;
  readonly store?: string;
  readonly priority?: number;
}

const QUEUE = ['--queue <url>', 'redis(s)://HOST:PORT/PREFIX or postgres://HOST:PORT/DATABASE'] as const;
const STORE = ['--store <place>', 'what all workers reach: a folder, or s3://bucket/prefix'] as const;

/** Options of verbs whose jobs can go through a queue. */
export function clustered(command: Command): Command {
  return command
    .option(QUEUE[0], `compute on the workers of a queue: ${QUEUE[1]}`)
    .option(STORE[0], `with --queue: ${STORE[1]}`)
    .option('--priority <n>', 'with --queue: lower numbers first', wholeNumber(0, 2 ** 20));
}

/** The same for verbs about the queue itself. */
export const withPlaces = (command: Command): Command => command.option(...QUEUE).option(...STORE);

/** The pool that the options ask for, or none. */
export async function poolOf(
  { queue, store, priority }: ClusterOptions,
  variant: Variant | 'auto',
): Promise<JobPool | null> {
  if (queue === undefined) {
    if (store !== undefined || priority !== undefined)
      throw new UsageError('--store and --priority: expected --queue beside them.');
    return null;
  }
  return queuePool({
    queue,
    store: storeGiven(store),
    variant: fixedVariant(variant),
    ...(priority === undefined ? {} : { priority }),
  });
}

export function storeGiven(store: string | undefined): string {
  if (store === undefined)
    throw new UsageError(
      '--queue: expected --store beside it, a folder or s3://bucket/prefix that all workers reach.',
    );
  return store;
}

export function fixedVariant(variant: Variant | 'auto'): Variant {
  if (variant === 'auto')
    throw new UsageError(
      "--variant: expected simd or relaxed with a queue, all workers must compute the same bits, got 'auto'.",
    );
  return variant;
}

export async function boardOf(queue: string, variant: Variant | 'auto', priority?: number): Promise<Board> {
  const maker = await makerOf(fixedVariant(variant));
  return Board.open(queue, { maker, ...(priority === undefined ? {} : { priority }) });
}

/** The store of the workers, and the name in it of the run at `place`; without `root` that is the folder around the run. */
export async function runPlace(
  place: string,
  root?: string,
): Promise<{ store: Store; name: Key; run: Store }> {
  const remote = place.startsWith('s3://');
  const whole = remote ? place.replace(/\/+$/, '') : resolve(place);
  const slash = remote ? '/' : sep;
  const around =
    root === undefined
      ? whole.slice(0, whole.lastIndexOf(slash))
      : remote
        ? root.replace(/\/+$/, '')
        : resolve(root);
  if (!whole.startsWith(`${around}${slash}`))
    throw new UsageError(`--store: expected a place around the run ${place}, got ${root}.`);
  const name = `/${whole
    .slice(around.length + 1)
    .split(slash)
    .join('/')}`;
  checkKey(name);
  const store = await openStore(around);
  return { store, name, run: within(store, name) };
}
