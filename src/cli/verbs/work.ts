// `work`: computes what a queue asks for, or a part of a run without a queue.
import { spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import type { Command } from 'commander';
import { startWorker, type WorkerEvent } from '../../queue/worker.js';
import { checkMaker, openKernelRun } from '../../store/kernel-run.js';
import { openStore } from '../../store/open.js';
import { runPlace, storeGiven, withPlaces, type ClusterOptions } from '../cluster.js';
import { UsageError } from '../errors.js';
import { finishTiles } from '../kernel-file.js';
import { partOf, shardFromEnvironment, shardOf, type Shard } from '../shard.js';
import { perform, realNumber, verb, type CommonOptions, type Context, type Outcome } from '../verb.js';

interface WorkOptions extends CommonOptions, ClusterOptions {
  readonly shard?: Shard | 'auto';
  readonly lock: number;
  readonly log?: string;
  readonly child?: boolean;
}

export function registerWork(program: Command): void {
  withPlaces(
    verb(program, 'work', 'computes what a queue asks for, or one part of a run', [
      'infinite-width work --queue redis://localhost:6379 --store /shared/runs',
      'infinite-width work --queue rediss://me@host/prefix --store s3://bucket/runs --workers 8',
      'infinite-width work k.zarr --shard 3/16',
      'infinite-width work k.zarr --shard auto      (as Slurm, Kubernetes or GNU parallel say)',
    ]),
  )
    .argument('[run]', 'a kernel in a store (k.zarr), with --shard')
    .option('--shard <i/n>', "compute part i of n, from 0, without a queue; or 'auto'", shardOf)
    .option(
      '--lock <seconds>',
      'a worker that is silent for so long has lost its work',
      realNumber(1, 3600),
      30,
    )
    .option('--log <file>', 'append what happens, one JSON document a line')
    .option('--child', 'work in this process, which nobody starts again when it ends')
    .action(
      perform<WorkOptions>(async (options, context, [run]) => {
        if ((options.queue === undefined) === (run === undefined))
          throw new UsageError(
            'work: expected either --queue URL with --store PLACE, or a run with --shard i/n.',
          );
        if (run !== undefined) return options.child ? part(run, options, context) : supervise(context);
        if (options.shard !== undefined)
          throw new UsageError('work: --shard needs no --queue: leave one of them out.');
        const store = storeGiven(options.store);
        if (options.workers === 0)
          throw new UsageError(
            'work: expected --workers of at least 1: the queue needs the main thread for itself.',
          );
        return options.child ? workHere(options, store, context) : supervise(context);
      }),
    );
}

/** Exit code of a child that must not be started again: what it was given is wrong. */
const HOPELESS = 2;

/** Runs the same command in a child, and again when it is killed or fails, until it ends well or is hopeless. */
async function supervise({ signal, progress }: Context): Promise<Outcome | void> {
  let wait = 1000;
  for (;;) {
    signal.throwIfAborted();
    const begun = Date.now();
    const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1), '--child'], {
      stdio: 'inherit',
    });
    const stop = (): void => void child.kill('SIGTERM');
    signal.addEventListener('abort', stop);
    const [code, killed] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) =>
      child.once('exit', (...how) => resolve(how)),
    );
    signal.removeEventListener('abort', stop);
    signal.throwIfAborted();
    if (code === 0) return;
    if (code === HOPELESS) {
      process.exitCode = HOPELESS;
      return;
    }
    wait = Date.now() - begun > 10_000 ? 1000 : Math.min(2 * wait, 60_000);
    progress.log(
      `the worker ended (${killed ?? `exit code ${code}`}); another one starts in ${wait / 1000} s`,
    );
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, wait);
      signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
    });
  }
}

/** Works for a queue until it is stopped. */
async function workHere(
  { queue, lock, log }: WorkOptions,
  place: string,
  context: Context,
): Promise<Outcome> {
  const { signal, progress } = context;
  const engine = await context.engine('here');
  const say = (event: WorkerEvent): void => {
    const { what, id = '', detail = '' } = event;
    if (log !== undefined)
      appendFileSync(log, `${JSON.stringify({ time: Date.now(), pid: process.pid, ...event })}\n`);
    if (what !== 'start') progress.log([what, detail, id].filter(Boolean).join('  '));
  };
  const worker = await startWorker({
    queue: queue!,
    store: await openStore(place),
    engine,
    lockSeconds: lock,
    onEvent: say,
  });
  const stopped = new Promise<void>((resolve) =>
    signal.addEventListener('abort', () => resolve(), { once: true }),
  );
  await Promise.race([worker.closed, stopped]);
  await worker.close();
  return { json: { stopped: true }, text: 'stopped' };
}

/** The tiles of a shard. */
async function part(place: string, { shard: given }: WorkOptions, context: Context): Promise<Outcome> {
  if (given === undefined) throw new UsageError('work: expected --shard i/n (or auto) with a run.');
  const shard = given === 'auto' ? shardFromEnvironment() : given;
  const engine = await context.engine('here');
  const run = await openKernelRun((await runPlace(place)).run);
  await checkMaker(run, engine);
  context.keeps(`the finished tiles in ${place}`);
  const list = partOf(shard, run.places.length);
  const { progress, signal } = context;
  progress.start('kernel entries', 1);
  const there = await finishTiles(
    engine,
    run,
    {
      options: { signal },
      onProgress: ({ done, total }) => progress.update(done / total),
      warn: (line) => progress.log(line),
    },
    list,
  );
  progress.finish();
  const json = { run: place, shard, tiles: list.length, there };
  return {
    json,
    text: `${place}: shard ${shard.index} of ${shard.count}: ${list.length} tiles, ${there} were there`,
  };
}
