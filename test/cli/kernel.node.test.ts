import { execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { createEngine, defineActivation, kernel, readNpy, readNpz, tensor, writeNpy } from 'infinite-width';
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

const cli = (...args: string[]): Promise<{ stdout: string; stderr: string }> =>
  run(process.execPath, [main, 'kernel', '--workers', '0', ...args]);
const failure = (...args: string[]): Promise<{ code: number; stderr: string }> =>
  cli(...args).then(
    () => ({ code: 0, stderr: '' }),
    (error: { code: number; stderr: string }) => error,
  );

it('continues a killed run, with the bytes of an uninterrupted one', async () => {
  const at = (name: string): string => join(folder, name);
  const values = Float64Array.from({ length: 24 * 36 }, (_, i) => Math.sin(i * 12.9898));
  await writeFile(at('images.npy'), writeNpy(tensor(values, [24, 6, 6, 1])));
  const spatial = [
    { layer: 'conv', channels: 4, filter: [3, 3], padding: 'SAME' },
    { layer: 'tanh' },
    { layer: 'conv', channels: 4, filter: [3, 3] },
  ];
  await writeFile(at('cnn.json'), JSON.stringify(spatial));
  const args = ['--net', at('cnn.json'), '--x', at('images.npy'), '--tile', '4', '--json'];
  await cli(...args, '--out', at('whole.npz'));
  const out = at('killed.npz');
  const child = spawn(process.execPath, [main, 'kernel', '--workers', '0', ...args, '--out', out]);
  // A tile is done when its chunk of the last kernel is there; those above the diagonal are mirror images.
  const journal = async (): Promise<number> =>
    (await readdir(`${out}.parts/ntk/c`, { recursive: true }).catch(() => [])).filter((name) => {
      const [i, j, ...rest] = name.split('/').map(Number);
      return rest.length === 4 && j! <= i!;
    }).length;
  while ((await journal()) < 3 && child.exitCode === null)
    await new Promise((resolve) => setTimeout(resolve, 2));
  child.kill('SIGKILL');
  await new Promise((resolve) => child.on('close', resolve));
  const done = await journal();
  expect(done).toBeGreaterThanOrEqual(3);
  expect(done).toBeLessThan(21);
  await expect(readFile(out)).rejects.toThrow(/ENOENT/); // nothing half-written under the name

  expect(await failure(...args, '--out', out)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--resume'),
  });
  const other = await failure(...args, '--get', 'ntk', '--out', out, '--resume');
  expect(other).toMatchObject({ code: 2, stderr: expect.stringContaining('differs in get') });
  const { stdout } = await cli(...args, '--out', out, '--resume');
  expect(JSON.parse(stdout)).toMatchObject({ resumed: done, tiles: 21, shape: [24, 24, 4, 4, 4, 4] });
  const [whole, resumed] = await Promise.all(
    [at('whole.npz'), out].map(async (file) => readNpz(await readFile(file))),
  );
  await using engine = await createEngine({ variant: 'simd' });
  const want = await kernel(engine, spatial, tensor(values, [24, 6, 6, 1]), null, { tile: 4 });
  for (const name of ['nngp', 'ntk'] as const) {
    expect(resumed!.arrays[name]).toEqual(whole!.arrays[name]);
    expect(resumed!.arrays[name]!.data).toEqual(want[name].data);
  }
  await expect(readFile(`${out}.parts/run.json`)).rejects.toThrow(/ENOENT/);
}, 60_000);

it('takes images from folders, functions from modules, and draws what it wrote', async () => {
  const at = (name: string): string => join(folder, name);
  await mkdir(at('set'));
  const head = (...shape: number[]): number[] => [
    0,
    0,
    8,
    shape.length,
    ...shape.flatMap((n) => [0, 0, 0, n]),
  ];
  const pixels = Array.from({ length: 6 * 9 }, (_, i) => (i * 37) % 256);
  await writeFile(
    at('set/train-images-idx3-ubyte.gz'),
    gzipSync(Uint8Array.from([...head(6, 3, 3), ...pixels])),
  );
  await writeFile(at('set/train-labels-idx1-ubyte'), Uint8Array.from([...head(6), 2, 0, 1, 2, 0, 1]));
  await writeFile(at('snake.mjs'), 'export const snake = { fn: (x) => x + Math.sin(x) ** 2 };\n');
  const layers = [
    { layer: 'flatten' },
    { layer: 'dense', units: 8 },
    { layer: 'elementwise', name: 'snake' },
    { layer: 'dense', units: 1 },
  ];
  await writeFile(at('snake.json'), JSON.stringify(layers));
  const args = ['--net', at('snake.json'), '--x', at('set'), '--limit', '5', '--get', 'nngp', '--json'];
  const { stdout } = await cli(
    ...args,
    '--functions',
    at('snake.mjs'),
    '--figure',
    '--out',
    at('images.npy.npy'),
  );
  const report = JSON.parse(stdout) as { figures: string[]; shape: number[] };
  expect(report.shape).toEqual([5, 5]);
  expect(report.figures).toEqual([at('images.npy-nngp.json'), at('images.npy-nngp.svg')]);
  expect(await readFile(report.figures[1]!, 'utf8')).toContain('ordered by class');
  expect(JSON.parse(await readFile(at('images.npy.json'), 'utf8'))).toMatchObject({
    dtype: 'f32',
    x1: [5, 3, 3, 1],
  });
  const written = readNpy(await readFile(at('images.npy.npy')));
  const snake = defineActivation('snake', { fn: (x) => x + Math.sin(x) ** 2 });
  expect(snake()).toEqual(layers[2]);
  await using engine = await createEngine({ variant: 'simd' });
  const x = tensor(
    Float32Array.from(pixels.slice(0, 45), (value) => value / 255),
    [5, 3, 3, 1],
  );
  expect(written.data).toEqual((await kernel(engine, layers, x)).nngp.data);

  expect((await failure(...args, '--out', at('no.npy'))).stderr).toContain(
    "no activation 'snake' is defined",
  );
  await expect(readFile(at('no.npy.parts/run.json'))).rejects.toThrow(/ENOENT/);
  expect((await failure(...args, '--x', folder, '--out', at('no.npy'))).stderr).toContain('got none of them');
  expect(
    (await failure('--net', at('net.json'), '--x', at('x.npy'), '--out', at('two.npy'))).stderr,
  ).toContain('one kernel');
}, 60_000);

it('writes the kernels of every layer and the part of the NTK of each, and freezes layers', async () => {
  const at = (name: string): string => join(folder, name);
  const files = ['--net', at('net.json'), '--x', at('x.npy')];
  const { stdout } = await cli(...files, '--per-layer', '--out', at('layers.npz'), '--json');
  const { layers } = JSON.parse(stdout) as {
    layers: { path: string; layer: string; members: string[]; share: number | null }[];
  };
  expect(layers.map(({ layer }) => layer)).toEqual(['dense', 'relu', 'dense']);
  expect(layers.map(({ share }) => share !== null)).toEqual([true, false, true]);
  expect(layers[0]!.share! + layers[2]!.share!).toBeCloseTo(1, 12);
  const { arrays } = await readNpz(await readFile(at('layers.npz')));
  expect(Object.keys(arrays).sort()).toEqual(layers.flatMap(({ members }) => members).sort());
  await using engine = await createEngine({ variant: 'simd' });
  const whole = await kernel(engine, net, x);
  const frozen = await kernel(engine, net, x, null, { frozen: ['layers.0'] });
  for (const [i, value] of whole.ntk.data.entries()) {
    expect(arrays['layers.2.ntk']!.data[i]).toBeCloseTo(value, 12);
    expect(arrays['layers.0.part']!.data[i]! + arrays['layers.2.part']!.data[i]!).toBeCloseTo(value, 12);
    expect(arrays['layers.2.part']!.data[i]).toBeCloseTo(frozen.ntk.data[i]!, 12);
  }
  await cli(...files, '--frozen', 'layers.0', '--out', at('frozen.npz'));
  const { arrays: kept } = await readNpz(await readFile(at('frozen.npz')));
  expect(kept['ntk']!.data).toEqual(frozen.ntk.data);
  const wrong = await failure(...files, '--frozen', 'layers.1', '--out', at('none.npz'));
  expect(wrong).toMatchObject({ code: 2 });
  expect(wrong.stderr).toContain("got 'layers.1'. This net has layers.0, layers.2");
  expect((await failure(...files, '--per-layer', '--resume', '--out', at('none.npz'))).stderr).toContain(
    'no --resume',
  );
});

it('refuses nets without a kernel, with the path of the layer', async () => {
  const dense = { layer: 'dense', units: 4 };
  const nets: readonly (readonly [unknown, RegExp])[] = [
    [{}, /the net must name its layer, .*got the fields none/],
    [[{ type: 'Dense', units: 3 }], /layers\.0 must name its layer.*got the fields type, units/],
    [[{ layer: 'ReLU' }], /layers\.0 has unknown layer "ReLU", is it "relu"\?/],
    [[dense, { layer: 'relu' }, { layer: 'erf' }], /layers\.2 \(erf\) needs Gaussian/],
    [[dense, { layer: 'relu' }, { layer: 'layerNorm' }], /layers\.2 \(layerNorm\) needs Gaussian/],
    [[dense, { layer: 'dropout', keep: 0 }], /layers\.1 \(dropout\).*"keep"/],
    [[{ ...dense, parametrization: 'mup' }], /layers\.0 \(dense\).*"parametrization" must be/],
    [[{ ...dense, parametrization: 'standard', s: [2, 1] }], /layers\.0.*sIn/],
    [[{ layer: 'sum', branches: [dense, { layer: 'relu' }] }], /layers\.0\.branches\.1|layers\.0 \(sum\)/],
  ];
  await Promise.all(
    nets.map(async ([net, message], i) => {
      const file = join(folder, `bad${i}.json`);
      await writeFile(file, JSON.stringify(net));
      const { code, stderr } = await failure('--net', file, '--x', join(folder, 'x.npy'), '--plan');
      expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringMatching(message) as string });
    }),
  );
});
