import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createEngine, matmul, tensor } from 'infinite-width';
import { afterAll, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'iw-kernels-'));
afterAll(() => rmSync(folder, { recursive: true }));
const cli = (...args: string[]) =>
  spawnSync(process.execPath, [join(root, 'build/cli/main.js'), 'kernels', ...args], { encoding: 'utf8' });

it('writes the very module the package carries, and an engine runs on it', async () => {
  const file = join(folder, 'deep', 'simd.wasm');
  const { status, stdout, stderr } = cli('--out', file, '--json');
  expect(stderr).toBe('');
  expect(status).toBe(0);
  const bytes = readFileSync(file);
  expect(JSON.parse(stdout)).toEqual({ file, variant: 'simd', bytes: bytes.length });
  expect(bytes.equals(readFileSync(join(root, 'build/kernels/simd.wasm')))).toBe(true);

  const a = tensor(
    Float64Array.from({ length: 35 }, (_, i) => 1 / (i + 1)),
    [5, 7],
  );
  const b = tensor(
    Float64Array.from({ length: 21 }, (_, i) => Math.sqrt(i)),
    [7, 3],
  );
  const [written, carried] = await Promise.all(
    [{ wasm: new WebAssembly.Module(bytes), workers: 1 }, { variant: 'simd' as const }].map(
      async (options) => {
        using engine = await createEngine(options);
        return (await matmul(engine, a, b)).data;
      },
    ),
  );
  expect(written).toEqual(carried);
});

it('says what is missing or cannot be written', () => {
  expect(cli()).toMatchObject({ status: 2, stderr: expect.stringContaining('--out') });
  const into = cli('--out', folder);
  expect(into.status).toBe(2);
  expect(into.stderr).toContain('is a folder');
});
