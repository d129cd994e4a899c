// Engines in processes of their own: what keeps Node alive, and what workers take from the command line.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { createEngine, matmul, createModel, dense } from 'infinite-width';
import { expect, it } from 'vitest';

const library = new URL('../../build/index.js', import.meta.url).href;
const start = `import { createEngine, matmul } from '${library}';\n`;

function run(program: string, flags: readonly string[] = []) {
  const args = [...flags, '--input-type=module', '-e', start + program];
  const { status, stdout, stderr, error } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    timeout: 20_000,
    cwd: fileURLToPath(new URL('.', import.meta.url)),
  });
  return { status, stdout: stdout.trim(), stderr, error };
}
const product = `console.log((await matmul(engine, [[1, 2], [3, 4]], [[1, 0], [2, 1]])).data.join());`;

it('an engine with workers that was never used lets the process end', () => {
  expect(run('await createEngine({ workers: 2 });')).toMatchObject({ status: 0, error: undefined });
});

it('an engine with workers that was used and not disposed lets the process end', () => {
  expect(run(`const engine = await createEngine({ workers: 1 });\n${product}`)).toMatchObject({
    status: 0,
    stdout: '5,2,11,4',
  });
});

it('a job that is still running keeps the process alive', () => {
  const program = `const engine = await createEngine({ workers: 1 });
matmul(engine, [[1, 2], [3, 4]], [[1, 0], [2, 1]]).then(({ data }) => console.log(data.join()));`;
  expect(run(program)).toMatchObject({ status: 0, stdout: '5,2,11,4' });
});

it('workers start whatever flags the process has', () => {
  const flags = ['--no-warnings', '--expose-gc', '--title=flags', '--stack-trace-limit=5'];
  expect(run(`const engine = await createEngine({ workers: 1 });\n${product}`, flags)).toMatchObject({
    status: 0,
    stdout: '5,2,11,4',
  });
});

it.each([0, 1])('a disposed engine with %i workers computes nothing more', async (workers) => {
  const engine = await createEngine({ variant: 'simd', workers });
  const model = createModel(engine, [dense(1)], { inputShape: [2], seed: 1 });
  engine.dispose();
  engine.dispose();
  await expect(matmul(engine, [[1]], [[1]])).rejects.toThrow('used after dispose()');
  expect(() => createModel(engine, [dense(1)], { inputShape: [2], seed: 1 })).toThrow('used after dispose()');
  expect(() => model.forward([[1, 2]])).toThrow('used after dispose()');
  model.dispose();
});
