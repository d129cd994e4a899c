// `submit`: hands a run that is begun to a queue without waiting for it, or prints what a scheduler takes.
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { groupTiles } from '../../queue/tiles.js';
import { checkMaker, openKernelRun } from '../../store/kernel-run.js';
import { missingTiles } from '../../store/kernel-tiles.js';
import { boardOf, runPlace, withPlaces, type ClusterOptions } from '../cluster.js';
import { UsageError } from '../errors.js';
import { perform, verb, wholeNumber, type CommonOptions, type Context, type Outcome } from '../verb.js';

interface SubmitOptions extends CommonOptions, ClusterOptions {
  readonly slurm?: number;
  readonly kubernetes?: number;
  readonly image?: string;
  readonly cancel?: boolean;
}

export function registerSubmit(program: Command): void {
  withPlaces(
    verb(program, 'submit', 'hands a run to a queue, or prints the script for a scheduler', [
      'infinite-width submit k.zarr --queue redis://localhost:6379',
      'infinite-width submit k.zarr --queue redis://localhost:6379 --cancel',
      'infinite-width submit k.zarr --slurm 200 > job.sh; sbatch job.sh',
      'infinite-width submit s3://bucket/k.zarr --kubernetes 200 --image registry/me:1 > job.yaml',
    ]),
  )
    .argument('<run>', 'a kernel in a store, as kernel --out begins it')
    .option('--priority <n>', 'with --queue: lower numbers first', wholeNumber(0, 2 ** 20))
    .option('--cancel', 'take back what waits in the queue of this run')
    .option('--slurm <n>', 'print the script of an array of n elements', wholeNumber(1, 100_000))
    .option('--kubernetes <n>', 'print the manifest of an indexed job of n pods', wholeNumber(1, 100_000))
    .option('--image <name>', 'with --kubernetes: a container image with this package')
    .action(perform<SubmitOptions>((options, context, [run]) => submit(options, run!, context)));
}

async function submit(options: SubmitOptions, place: string, context: Context): Promise<Outcome> {
  const ways = (['queue', 'slurm', 'kubernetes'] as const).filter((way) => options[way] !== undefined);
  if (ways.length !== 1)
    throw new UsageError(`submit: expected one of --queue, --slurm and --kubernetes, got ${ways.length}.`);
  const { name, run: store } = await runPlace(place, options.store);
  const run = await openKernelRun(store);
  const { variant } = run.document;
  const whole = place.startsWith('s3://') ? place : resolve(place); // a scheduler starts elsewhere
  if (options.slurm !== undefined) return script(slurm(whole, options.slurm, variant));
  if (options.kubernetes !== undefined) {
    if (options.image === undefined)
      throw new UsageError('submit: --kubernetes needs --image NAME, a container image with this package.');
    return script(kubernetes(whole, options.kubernetes, options.image, variant));
  }
  const board = await boardOf(options.queue!, options.variant, options.priority);
  try {
    if (options.cancel) {
      const gone = await board.cancel((task) => task.kind !== 'jobs' && task.run === name);
      return { json: { cancelled: gone }, text: `${gone} messages taken back` };
    }
    const engine = await context.engine('here');
    await checkMaker(run, engine);
    const groups = await groupTiles(engine, run, Math.max(1, await board.workers()), {
      name,
      signal: context.signal,
    });
    for (const task of groups) await board.ask(task);
    const missing = (await missingTiles(run)).length;
    const json = { run: place, messages: groups.length, missing, tiles: run.places.length };
    return { json, text: `${place}: ${groups.length} messages for ${missing} of ${run.places.length} tiles` };
  } finally {
    await board.close();
  }
}

const script = (text: string): Outcome => ({ json: { script: text }, text });

/** An argument in single quotes, for a shell. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

const command = (place: string, variant: string): string =>
  `infinite-width work ${quoted(place)} --shard auto --variant ${variant}`;

/**
 * A process that is killed is started again by `work` itself; a node that is lost is Slurm's to requeue. Elements above the
 * limit of an array (MaxArraySize, often 1001) must be asked of the cluster.
 */
const slurm = (place: string, count: number, variant: string): string => `#!/bin/bash
#SBATCH --job-name=infinite-width
#SBATCH --array=0-${count - 1}
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=infinite-width-%A-%a.log
# One element computes every ${count}th tile; tiles that are there are left out, so the same script continues a run.
${command(place, variant)} --workers "\${SLURM_CPUS_ON_NODE:-1}" --quiet`;

/** YAML takes JSON: strings are written as such. */
function kubernetes(place: string, count: number, image: string, variant: string): string {
  const args = ['work', place, '--shard', 'auto', '--variant', variant, '--workers', '1', '--quiet'];
  return `apiVersion: batch/v1
kind: Job
metadata:
  name: infinite-width
spec:
  completionMode: Indexed
  completions: ${count}
  parallelism: ${count}
  backoffLimit: ${Math.max(20, 2 * count)}
  template:
    spec:
      restartPolicy: OnFailure
      containers:
        - name: work
          image: ${JSON.stringify(image)}
          command: ["infinite-width"]
          args: ${JSON.stringify(args)}
          env:
            - name: JOB_COMPLETIONS
              value: "${count}"
          envFrom:
            - secretRef:
                name: infinite-width
                optional: true`;
}
