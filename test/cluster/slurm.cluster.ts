// An array of Slurm on three node daemons, whose processes are killed: the script that submit prints finishes the run.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { alone, chunksOf, problemIn } from './problem.js';
import { cli, freePort, main, Slurm, sleep, until } from './servers.js';

/** The processes that work as children of a supervisor on a run. */
function children(run: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
        return words.includes('--child') && words.includes(run);
      } catch {
        return false;
      }
    })
    .map(Number);
}

it('finishes with the bits of one process, children killed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'iw-slurm-'));
  const problem = problemIn(folder);
  const slurm = new Slurm(join(folder, 'slurm'), [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ]);
  try {
    const want = await alone(folder, problem);
    await slurm.start();
    const run = join(folder, 'k.zarr');
    // The run is begun, and has the tiles of a shard that nobody else has.
    expect(
      (await cli(['kernel', ...problem, '--workers', '1', '--out', run, '--shard', '44/45']).end).code,
    ).toBe(0);
    const { stdout } = await cli(['submit', run, '--slurm', '6']).end;
    // The package is not installed here: its command is the build.
    const command = `#!/bin/sh\nexec ${process.execPath} ${main} "$@"\n`;
    writeFileSync(join(folder, 'infinite-width'), command, { mode: 0o755 });
    writeFileSync(
      join(folder, 'job.sh'),
      stdout
        .replace('\n', `\n#SBATCH --chdir=${folder}\n`)
        .replace('\ninfinite-width', `\nPATH=${folder}:$PATH; infinite-width`),
    );
    const sent = slurm.run('sbatch', join(folder, 'job.sh'));
    expect(sent.stderr + sent.stdout).toMatch(/Submitted batch job/);
    let killed = 0;
    await until(
      'the array',
      async () => {
        const alive = children(run);
        if (killed < 6 && alive.length > 0) {
          await sleep(400);
          try {
            process.kill(alive[killed % alive.length]!, 'SIGKILL');
            killed++;
          } catch {
            // it has ended
          }
        }
        return slurm.run('squeue', '-h').stdout.trim() === '';
      },
      150,
    );
    expect(killed).toBeGreaterThanOrEqual(3);
    expect(chunksOf(run)).toBe(want);
    expect(dirname(run)).toBe(folder);
  } finally {
    slurm.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});
