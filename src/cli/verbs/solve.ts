// `solve`: kernel regression from a stored kernel.
import type { Command } from 'commander';
import type { CgState } from '../../predict/large/conjugate-gradients.js';
import { Objects } from '../../queue/objects.js';
import { queueMultiply } from '../../queue/product.js';
import { digest } from '../../store/digest.js';
import { keptIn } from '../../store/kept.js';
import { openKernelRun, type KernelRun } from '../../store/kernel-run.js';
import { solveStored, type SolveOptions } from '../../store/solve.js';
import { within, type Store } from '../../store/store.js';
import { writeNpy } from '../../data/npy.js';
import { boardOf, clustered, runPlace, type ClusterOptions } from '../cluster.js';
import { UsageError } from '../errors.js';
import { outputFile, readTensor, writeFileAtomic } from '../files.js';
import {
  oneOf,
  perform,
  realNumber,
  verb,
  wholeNumber,
  type CommonOptions,
  type Context,
  type Outcome,
} from '../verb.js';

interface SolveVerbOptions extends CommonOptions, ClusterOptions {
  readonly y: string;
  readonly get?: 'nngp' | 'ntk';
  readonly diagReg: number;
  readonly solver: 'cg' | 'tiled';
  readonly tolerance: number;
  readonly rank?: number;
  readonly seed: number;
  readonly out: string;
}

export function registerSolve(program: Command): void {
  clustered(
    verb(program, 'solve', 'regression from a stored kernel: weights w with (K + rho I) w = y', [
      'infinite-width solve k.zarr --y y.npy --diag-reg 1e-4 --out w.npy',
      'infinite-width solve k.zarr --y y.npy --solver cg --queue redis://localhost:6379 --store . --out w.npy',
    ]),
  )
    .argument('<run>', 'a kernel of samples with themselves, as kernel --out k.zarr writes it')
    .requiredOption('--y <file>', 'targets (n) or (n, outputs)')
    .option('--get <kernel>', 'ntk or nngp (default: ntk where it is stored)', oneOf('ntk', 'nngp'))
    .option('--diag-reg <r>', 'noise over the mean diagonal of the kernel', realNumber(0), 1e-4)
    .option(
      '--solver <name>',
      'tiled (Cholesky, n^2/2 numbers of memory) or cg (a few vectors of memory; goes on after a stop)',
      oneOf('tiled', 'cg'),
      'cg',
    )
    .option('--tolerance <e>', 'of cg: largest |y - M w| / |y|', realNumber(1e-15, 0.5), 1e-8)
    .option('--rank <n>', 'of cg: samples of the preconditioner', wholeNumber(1))
    .option('--seed <n>', 'of the choice of these samples', wholeNumber(), 0)
    .requiredOption('--out <file>', 'a .npy file for the weights')
    .action(perform<SolveVerbOptions>((options, context, [run]) => solve(options, run!, context)));
}

async function solve(options: SolveVerbOptions, place: string, context: Context): Promise<Outcome> {
  const { solver, diagReg, seed, rank, tolerance } = options;
  if (!options.out.endsWith('.npy'))
    throw new UsageError(`--out: expected a name ending with .npy, got ${options.out}.`);
  if (options.queue !== undefined && solver !== 'cg')
    throw new UsageError(
      '--queue: expected --solver cg, whose products are divided among workers; Cholesky runs in one process.',
    );
  const out = await outputFile(options.out);
  const y = await readTensor(options.y);
  const { store, name, run: at } = await runPlace(place, options.store);
  const run = await openKernelRun(at);
  const kernel = options.get ?? (run.document.get.includes('ntk') ? 'ntk' : 'nngp');
  const engine = await context.engine('here');
  const { progress, signal } = context;
  const columns = y.shape[1] ?? 1;
  let stage = '';
  const parts = [String(diagReg), solver, String(tolerance), String(rank), String(seed), kernel];
  const checkpoint = checkpointOf(run, at, parts, y, context);
  const call: SolveOptions = {
    ...{ kernel, diagReg, solver, tolerance, seed, signal },
    ...(rank === undefined ? {} : { rank }),
    onShare: (share, now) => {
      if (now !== stage) progress.start(now, 1);
      stage = now;
      progress.update(share);
    },
    checkpoint,
  };
  context.keeps(solver === 'cg' ? `the last iteration in ${place}; the same command goes on` : 'nothing');
  const targets = Float64Array.from(y.data);
  const solved = await withQueue(options, { store, name, run, kernel }, signal, (multiply) =>
    solveStored(engine, run, targets, columns, multiply ? { ...call, multiply } : call),
  );
  progress.finish();
  await writeFileAtomic(out, writeNpy({ data: solved.weights as Float64Array<ArrayBuffer>, shape: y.shape }));
  await checkpoint.drop();
  const { weights: _, ...found } = solved;
  const { iterations } = solved;
  return {
    json: { out: options.out, run: place, kernel, solver, diagReg, shape: y.shape, ...found },
    text: `${options.out}: weights of shape (${y.shape.join(', ')}), residual ${solved.residual.toExponential(2)}${iterations === null ? '' : `, ${iterations} iterations`}`,
  };
}

type Multiply = (b: Float64Array) => Promise<Float64Array>;

/** Runs `work` with products by the workers of a queue, where there is one. */
async function withQueue<T>(
  { queue, variant, priority }: SolveVerbOptions,
  { store, name, run, kernel }: { store: Store; name: `/${string}`; run: KernelRun; kernel: 'nngp' | 'ntk' },
  signal: AbortSignal,
  work: (multiply: Multiply | null) => Promise<T>,
): Promise<T> {
  if (queue === undefined) return work(null);
  const board = await boardOf(queue, variant, priority);
  try {
    const workers = Math.max(1, await board.workers());
    return await work(queueMultiply(board, run, new Objects(store), { name, kernel, workers, signal }));
  } finally {
    await board.close();
  }
}

/** The state of the solve after each iteration, in the run, under a name of everything that it depends on. */
function checkpointOf(
  run: KernelRun,
  at: Store,
  settings: readonly string[],
  y: { data: ArrayBufferView; shape: readonly number[] },
  { progress }: Context,
): NonNullable<SolveOptions['checkpoint']> & { drop(): Promise<void> } {
  const { data, params } = run.document;
  const name = `cg-${digest(data, params, ...settings, y).slice(0, 32)}`;
  const kept = keptIn(within(at, '/solve'), (line) => progress.log(line));
  return {
    load: async () => (await kept.load(name)) as CgState | null,
    keep: (state) => kept.keep(name, state),
    drop: () => kept.drop(name),
  };
}
