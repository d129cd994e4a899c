// `experiment` as a process: results and figures, a run that is stopped and goes on, and bad input.
import { spawn } from 'node:child_process';
import { access, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';

const main = fileURLToPath(new URL('../../build/cli/main.js', import.meta.url));
let cwd: string;
beforeAll(async () => void (cwd = await mkdtemp(join(tmpdir(), 'iw-experiment-'))));
afterAll(() => rm(cwd, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** With `until`: interrupts once a file of that name begins to exist in the folder. */
async function run(line: string, until?: { folder: string; name: string }): Promise<Ended> {
  const child = spawn(process.execPath, [main, 'experiment', ...line.split(' ')], { cwd });
  const ended = { stdout: '', stderr: '' };
  child.stdout.on('data', (part: Buffer) => (ended.stdout += part.toString()));
  child.stderr.on('data', (part: Buffer) => (ended.stderr += part.toString()));
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
  if (until) {
    const seen = async (): Promise<boolean> =>
      (await readdir(join(cwd, until.folder)).catch((): string[] => [])).some((name) =>
        name.startsWith(until.name),
      );
    while (child.exitCode === null && !(await seen())) await new Promise((resolve) => setTimeout(resolve, 5));
    child.kill('SIGINT');
  }
  return { code: await closed, ...ended };
}

const small =
  '2001.07301 --architectures FC --parts figure-3 --train 20 --test 20 --seeds 1 --steps 20 --json';

it('writes its result and figures, and goes on after a stop with the same numbers', async () => {
  const whole = await run(`${small} --out whole`);
  expect(whole.code, whole.stderr).toBe(0);
  const result = JSON.parse(whole.stdout) as { training: unknown[]; files: string[] };
  expect(result.training).toHaveLength(18);
  for (const name of ['result.json', 'figure-3.svg', 'figure-3.vl.json', 'report.html'])
    await access(join(cwd, 'whole', name));
  expect(await readdir(join(cwd, 'whole'))).not.toContain('figure-1.svg');

  const stopped = await run(`${small} --out parts`, { folder: 'parts/runs', name: 'nets-FC-ntk-8-' });
  expect(stopped).toMatchObject({ code: 1, stdout: '' });
  expect(stopped.stderr).toContain('the same command goes on');
  const found = await readdir(join(cwd, 'parts', 'runs'));
  expect(found.length).toBeGreaterThanOrEqual(2);
  expect(found.length).toBeLessThan(18);
  const { code, stdout } = await run(`${small} --out parts`);
  expect(code).toBe(0);
  expect((JSON.parse(stdout) as { training: unknown[] }).training).toEqual(result.training);
  const file = JSON.parse(await readFile(join(cwd, 'parts', 'result.json'), 'utf8')) as object;
  expect(JSON.stringify(file)).toContain(JSON.stringify(result.training[0]));
}, 60_000);

it('names its experiments and explains itself', async () => {
  const { code, stdout } = await run('--list --json');
  expect(code).toBe(0);
  expect((JSON.parse(stdout) as { name: string }[]).map(({ name }) => name)).toContain('2001.07301');
  expect((await run('--help')).stdout).toContain('--parts');
}, 30_000);

it('forwards the scalings to train', async () => {
  const { code, stdout, stderr } = await run(
    'golikov-figure-1 --width 128 --seeds 1 --steps 2 --examples 32 --json --out golikov',
  );
  expect(code, stderr).toBe(0);
  expect((JSON.parse(stdout) as { files: string[] }).files).toContain('golikov/comparison.svg');
  await access(join(cwd, 'golikov', 'result.json'));
}, 60_000);

it('refuses bad input in one line', async () => {
  for (const [line, message] of [
    ['2001.07301 --data nowhere --out x', /nowhere/],
    ['2001.07301', /--out is missing/],
    ['2001.07302 --out x', /name of an experiment/],
    ['golikov-figure-9 --out x', /golikov-figure-1/],
    ['2001.07301 --parts figure-9 --out x', /figure-1, figure-2, figure-3/],
  ] as const) {
    const { code, stdout, stderr } = await run(line);
    expect(code, line).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(message);
    expect(stderr.trim().split('\n'), stderr).toHaveLength(1);
  }
}, 30_000);
