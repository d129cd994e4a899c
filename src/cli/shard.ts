// A part of a run that is divided among processes before it starts: `--shard i/n`, or what Slurm, Kubernetes and GNU parallel
// say in the environment.
import { InvalidArgumentError } from 'commander';
import { UsageError } from './errors.js';

/** Part `index` (from 0) of `count`. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

/** `i/n` with i from 0 to n - 1, or `auto`. */
export function shardOf(text: string): Shard | 'auto' {
  if (text === 'auto') return text;
  const [, index, count] = /^(\d+)\/(\d+)$/.exec(text.trim()) ?? [];
  if (index === undefined || Number(index) >= Number(count))
    throw new InvalidArgumentError("Expected i/n with i from 0 to n - 1, such as 0/8, or 'auto'.");
  return { index: Number(index), count: Number(count) };
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Where each scheduler says which part this is: its number, the first number, and how many there are. */
const SCHEDULERS: readonly (readonly [name: string, index: string, first: string, count: string])[] = [
  ['Slurm', 'SLURM_ARRAY_TASK_ID', 'SLURM_ARRAY_TASK_MIN', 'SLURM_ARRAY_TASK_COUNT'],
  ['Kubernetes', 'JOB_COMPLETION_INDEX', '', 'JOB_COMPLETIONS'],
  ['GNU parallel', 'PARALLEL_SEQ', '', 'PARALLEL_TOTAL'],
];

/** The shard that a scheduler has given this process. UsageError where none has, or its variables are no numbers. */
export function shardFromEnvironment(env: Environment = process.env): Shard {
  for (const [name, index, first, count] of SCHEDULERS) {
    if (env[index] === undefined) continue;
    const begin = first ? Number(env[first] ?? 0) : name === 'GNU parallel' ? 1 : 0;
    const shard = { index: Number(env[index]) - begin, count: Number(env[count]) };
    if (Number.isInteger(shard.index) && shard.index >= 0 && shard.index < shard.count) return shard;
    throw new UsageError(
      `--shard auto: ${name} says ${index}=${env[index]} and ${count}=${env[count] ?? 'nothing'}. Give --shard i/n.`,
    );
  }
  throw new UsageError(
    `--shard auto: expected the variables of a scheduler (${SCHEDULERS.map(([, index]) => index).join(', ')}). Give --shard i/n.`,
  );
}

/** The numbers from 0 to `total` - 1 that belong to a shard: every count-th, so that all get dear and cheap ones. */
export function partOf({ index, count }: Shard, total: number): number[] {
  return Array.from({ length: Math.ceil((total - index) / count) }, (_, i) => index + i * count);
}
