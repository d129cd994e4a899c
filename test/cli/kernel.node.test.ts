import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createEngine, kernel, readNpz, tensor, writeNpy } from 'infinite-width';
import { afterAll, beforeAll, expect, it } from 'vitest';

const main = fileURLToPath(new URL('../../build/cli/main.js', import.meta.url));
const run = promisify(execFile);
const net = [{ layer: 'dense', units: 8 }, { layer: 'relu' }, { layer: 'dense', units: 1 }];
const x = tensor(Float64Array.of(1, 2, -1, 0.5, 0.3, 0), [3, 2]);
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'iw-kernel-'));
  await writeFile(join(folder, 'net.json'), JSON.stringify(net));
  await writeFile(join(folder, 'x.npy'), writeNpy(x));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it('writes what the library computes, with its provenance', async () => {
  const at = (name: string): string => join(folder, name);
  const args = [
    'kernel',
    '--net',
    at('net.json'),
    '--x',
    at('x.npy'),
    '--out',
    at('k.npz'),
    '--json',
    '--workers',
    '0',
  ];
  const { stdout } = await run(process.execPath, [main, ...args]);
  expect(JSON.parse(stdout)).toMatchObject({
    shape: [3, 3],
    kernels: ['nngp', 'ntk'],
    dtype: 'f64',
    variant: 'simd',
  });
  const { arrays, meta } = await readNpz(await readFile(at('k.npz')));
  await using engine = await createEngine({ variant: 'simd' });
  const want = await kernel(engine, net, x);
  expect(arrays['ntk']).toEqual({ data: want.ntk.data, shape: [3, 3] });
  expect(arrays['nngp']!.data).toEqual(want.nngp.data);
  expect(meta).toMatchObject({ variant: 'simd', dtype: 'f64' });
});

it('plans without computing, and says what is missing', async () => {
  const args = ['kernel', '--net', join(folder, 'net.json'), '--x', join(folder, 'x.npy')];
  const { stdout } = await run(process.execPath, [main, ...args, '--plan', '--json']);
  expect(JSON.parse(stdout)).toMatchObject({ tiles: 1, resultBytes: 144 });
  const failed = await run(process.execPath, [main, ...args]).catch(
    (error: { code: number; stderr: string }) => error,
  );
  expect(failed).toMatchObject({ code: 2 });
  expect((failed as { stderr: string }).stderr).toContain('--out');
});
