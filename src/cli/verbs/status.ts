// `status` and `verify`: how far a run is, what a queue does, and whether what is stored is what was written.
import type { Command } from 'commander';
import { openKernelRun, resultBytes } from '../../store/kernel-run.js';
import { missingTiles, verifyTiles } from '../../store/kernel-tiles.js';
import { boardOf, runPlace, withPlaces, type ClusterOptions } from '../cluster.js';
import { UsageError } from '../errors.js';
import { perform, verb, type CommonOptions, type Context, type Outcome } from '../verb.js';

export function registerStatus(program: Command): void {
  withPlaces(
    verb(program, 'status', 'how far a run is, and what a queue does', [
      'infinite-width status k.zarr',
      'infinite-width status --queue redis://localhost:6379',
    ]),
  )
    .argument('[run]', 'a kernel in a store')
    .action(perform<CommonOptions & ClusterOptions>((options, _, [run]) => status(options, run)));
  verb(program, 'verify', 'reads all of a run and checks it; --repair deletes what is damaged', [
    'infinite-width verify k.zarr',
    'infinite-width verify k.zarr --repair       (then kernel --resume makes it again)',
  ])
    .argument('<run>', 'a kernel in a store')
    .option('--repair', 'delete damaged tiles')
    .action(
      perform<CommonOptions & { repair?: boolean }>((options, context, [run]) =>
        verify(options, run!, context),
      ),
    );
}

async function status(
  { queue, variant }: CommonOptions & ClusterOptions,
  place: string | undefined,
): Promise<Outcome> {
  if (queue === undefined && place === undefined)
    throw new UsageError('status: expected a run, or --queue URL.');
  const lines: string[] = [];
  const json: Record<string, unknown> = {};
  if (place !== undefined) {
    const run = await openKernelRun((await runPlace(place)).run);
    const missing = (await missingTiles(run)).length;
    const { shape, get, dtype, variant: made, version } = run.document;
    const done = run.places.length - missing;
    Object.assign(json, {
      run: place,
      tiles: run.places.length,
      done,
      missing,
      shape,
      get,
      dtype,
      variant: made,
      version,
    });
    json['bytes'] = resultBytes(run.document);
    lines.push(
      `${place}: ${done} of ${run.places.length} tiles (${((100 * done) / run.places.length).toFixed(1)} %), ${get.join(', ')} of shape (${shape.join(', ')}), ${dtype}`,
    );
  }
  if (queue !== undefined) {
    const board = await boardOf(queue, variant === 'auto' ? 'simd' : variant);
    try {
      const [counts, workers, failures] = [
        await board.counts(),
        await board.workers(),
        await board.failures(),
      ];
      Object.assign(json, { queue: board.name, workers, ...counts, failures });
      const { active = 0, failed = 0, ...waiting } = counts;
      const waits = Object.values(waiting).reduce((sum, n) => sum + n, 0);
      lines.push(
        `${board.name}: ${workers} workers, ${active} messages in work, ${waits} waiting, ${failed} failed`,
      );
      for (const { id, reason } of failures) lines.push(`  ${id}: ${reason}`);
    } finally {
      await board.close();
    }
  }
  return { json, text: lines.join('\n') };
}

async function verify(
  { repair = false }: { repair?: boolean },
  place: string,
  context: Context,
): Promise<Outcome> {
  const { progress, signal } = context;
  const store = (await runPlace(place)).run;
  const run = await openKernelRun(store);
  const swept = repair ? ((await store.sweep?.()) ?? 0) : 0;
  progress.start('tiles', run.places.length);
  let seen = 0;
  const found = await verifyTiles(run, run.places.keys(), {
    repair,
    signal,
    onDone: () => progress.update(++seen),
  });
  progress.finish();
  const lines = found.damaged.map(({ key, why }) => `${place}${key}: ${why}`);
  const { tiles, missing, damaged } = found;
  lines.push(
    `${place}: ${tiles - missing.length} of ${tiles} tiles are there, ${damaged.length} damaged values${repair && damaged.length > 0 ? ' deleted; resume the run' : ''}`,
  );
  const failure =
    damaged.length > 0 && !repair
      ? `verify: ${damaged.length} values of ${place} are damaged. Run it with --repair, then resume the run.`
      : undefined;
  return {
    json: { run: place, ...found, repaired: repair, swept },
    text: lines.join('\n'),
    ...(failure ? { failure } : {}),
  };
}
