// Kernel runs in a store: stopped between any two writes, damaged at any byte, continued by others.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEngine, kernel, tensor, type Engine } from 'infinite-width';
import { folderStore } from '#build/store/folder.js';
import {
  beginKernelRun,
  checkMaker,
  openKernelRun,
  type KernelRun,
  type NewRun,
} from '#build/store/kernel-run.js';
import { makeTiles, missingTiles, verifyTiles } from '#build/store/kernel-tiles.js';
import type { Store } from '#build/store/store.js';
import { createArray, openArray } from '#build/store/zarr.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let folder: string;
let engine: Engine;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'iw-run-'));
  engine = await createEngine({ variant: 'simd' });
});
afterAll(async () => {
  engine.dispose();
  await rm(folder, { recursive: true, force: true });
});

const dense = [{ layer: 'dense', units: 1 }, { layer: 'erf' }, { layer: 'dense', units: 1 }];
const spatial = [
  { layer: 'conv', channels: 1, filter: [2], padding: 'SAME' },
  { layer: 'relu' },
  { layer: 'conv', channels: 1, filter: [2] },
];
const numbers = (length: number): Float64Array<ArrayBuffer> =>
  Float64Array.from({ length }, (_, i) => Math.sin(1 + i * 1.7));
const whole: NewRun = {
  net: dense,
  x1: tensor(numbers(22), [11, 2]),
  x2: null,
  get: ['nngp', 'ntk'],
  options: { tile: 4 },
  resume: true,
};
const others: Record<string, NewRun> = {
  whole,
  'two sides': { ...whole, x2: tensor(numbers(14), [7, 2]), get: ['ntk'] },
  positions: { ...whole, net: spatial, x1: tensor(numbers(15), [5, 3, 1]), options: { tile: 2 } },
  masked: {
    ...whole,
    net: spatial,
    x1: tensor(numbers(15), [5, 3, 1]),
    options: { tile: 2, maskConstant: Math.sin(1), diagonalSpatial: true },
  },
  f32: { ...whole, options: { tile: 4, dtype: 'f32' } },
};

async function matrix(run: KernelRun, name: 'nngp' | 'ntk'): Promise<ArrayLike<number>> {
  return (await run.arrays.get(name)!.rows(0, run.document.shape[0]!)).data;
}

async function expectWhole(run: KernelRun, spec: NewRun): Promise<void> {
  const want = await kernel(engine, spec.net, spec.x1, spec.x2, { ...spec.options, get: spec.get });
  for (const name of spec.get) expect(await matrix(run, name)).toEqual(want[name]!.data);
}

describe.each(Object.keys(others))('%s', (name) => {
  const spec = others[name]!;
  it('has the numbers of one call, opened again and computed by another process', async () => {
    const store = folderStore(join(folder, name));
    const run = await beginKernelRun(engine, store, spec);
    await makeTiles(engine, run, [0, 2]);
    const again = await openKernelRun(folderStore(join(folder, name)));
    const missing = await missingTiles(again);
    expect(missing).toEqual([...again.places.keys()].filter((k) => k !== 0 && k !== 2));
    await makeTiles(engine, again, missing);
    expect(await verifyTiles(again, again.places.keys())).toEqual({
      tiles: again.places.length,
      missing: [],
      damaged: [],
    });
    await expectWhole(again, spec);
  });
});

/** A store in memory that fails at its n-th write, before or after it. */
function failing(values: Map<string, Uint8Array>, n: number, after: boolean): Store {
  let left = n;
  return {
    name: 'memory',
    get: async (key) => values.get(key),
    has: async (key) => values.has(key),
    delete: async (key) => void values.delete(key),
    create: async (key, value) => !values.has(key) && !!values.set(key, value),
    async *list() {},
    async set(key, value) {
      left--;
      if (left < 0 || (left === 0 && !after)) throw new Error('killed');
      values.set(key, value);
      if (left === 0) throw new Error('killed');
    },
  };
}

it('goes on from a stop at any write, before or after it, with the same bits', async () => {
  let stopped = 0;
  for (const after of [false, true]) {
    for (let n = 1; ; n++) {
      const values = new Map<string, Uint8Array>();
      const store = failing(values, Infinity, false);
      try {
        const run = await beginKernelRun(engine, failing(values, n, after), whole);
        await makeTiles(engine, run, await missingTiles(run));
        break;
      } catch (error) {
        expect((error as Error).message).toBe('killed');
        stopped++;
      }
      const run = await beginKernelRun(engine, store, whole);
      await makeTiles(engine, run, await missingTiles(run));
      expect((await verifyTiles(run, run.places.keys())).damaged).toEqual([]);
      await expectWhole(run, whole);
    }
  }
  // Six tiles of two kernels, three of them with mirror images, and what makes the run: every write was a stop.
  expect(stopped).toBe(2 * (2 * 6 + 2 * 3 + 9));
}, 60_000);

it('finds every damaged chunk and makes its tile again', async () => {
  const at = join(folder, 'damaged');
  const run = await beginKernelRun(engine, folderStore(at), whole);
  await makeTiles(engine, run, await missingTiles(run));
  const chunks: string[] = [];
  for await (const key of run.store.list('/')) if (/^\/(nngp|ntk)\/c\//.test(key)) chunks.push(key);
  expect(chunks).toHaveLength(18);
  for (const key of chunks) {
    for (const harm of ['flip', 'cut', 'empty', 'gone']) {
      const file = join(at, key);
      const bytes = Uint8Array.from(await readFile(file));
      if (harm === 'flip') bytes[17]! ^= 2;
      if (harm === 'gone') await rm(file);
      else
        await writeFile(
          file,
          harm === 'cut' ? bytes.subarray(0, 60) : harm === 'empty' ? bytes.subarray(0, 0) : bytes,
        );
      const found = await verifyTiles(run, run.places.keys(), { repair: true });
      if (found.missing.length === 0) {
        expect(found.damaged.map((bad) => bad.key)).toEqual([key]);
        if (harm === 'flip') expect(found.damaged[0]!.why).toMatch(/checksum/);
      } else expect(harm).toBe('gone'); // the commit itself: the tile is not there
      const missing = await missingTiles(run);
      expect(missing).toHaveLength(1);
      await makeTiles(engine, run, missing);
    }
  }
  await expectWhole(run, whole);
}, 60_000);

it('refuses another run in its place, and a document that was changed', async () => {
  const at = join(folder, 'refused');
  const store = folderStore(at);
  await beginKernelRun(engine, store, whole);
  await expect(beginKernelRun(engine, store, { ...whole, resume: false })).rejects.toThrow(
    /Continue it with --resume/,
  );
  const x1 = tensor(
    numbers(22).map((value) => value + 1e-9),
    [11, 2],
  );
  for (const [other, word] of [
    [{ ...whole, x1 }, 'data'],
    [{ ...whole, get: ['ntk'] }, 'get'],
    [{ ...whole, options: { tile: 5 } }, 'tile'],
    [{ ...whole, net: spatial, x1: tensor(numbers(33), [11, 3, 1]) }, 'net'],
    [{ ...whole, functions: 'export const a = 1' }, 'functions'],
  ] as const)
    await expect(beginKernelRun(engine, store, other as NewRun)).rejects.toThrow(
      new RegExp(`differs in .*${word}`),
    );
  for (const name of ['run.json', 'params.record', 'ntk/zarr.json', 'x1/c/0/0']) {
    const file = join(at, name);
    const before = await readFile(file);
    const text =
      name === 'ntk/zarr.json'
        ? before.toString().replace(/11/, '13')
        : before.toString('latin1').replace(/[0-9]/, (d) => String((Number(d) + 1) % 10));
    await writeFile(file, name.endsWith('json') ? text : Buffer.from(text, 'latin1'));
    await expect(openKernelRun(store).then((run) => makeTiles(engine, run, [0]))).rejects.toThrow(
      /damaged|no JSON/,
    );
    await writeFile(file, before);
  }
});

it('is computed only by the same package, variant and kernels, and not without functions given in code', async () => {
  const run = await beginKernelRun(engine, folderStore(join(folder, 'maker')), whole);
  await checkMaker(run, engine);
  for (const [other, word] of [
    [{ version: '0.0.0' }, 'version 0.0.0'],
    [{ variant: 'relaxed' as const }, 'variant relaxed'],
    [{ wasm: 'f'.repeat(64) }, 'wasm ffff'],
    [{ functions: 'f'.repeat(64) }, '--functions'],
  ] as const)
    await expect(checkMaker({ ...run, document: { ...run.document, ...other } }, engine)).rejects.toThrow(
      word,
    );
});

it('says that the result does not fit before anything is computed', async () => {
  const store = { ...folderStore(join(folder, 'full')), room: () => Promise.resolve(1000) };
  await expect(beginKernelRun(engine, store, whole)).rejects.toThrow(
    /needs 2304 bytes on disk, the limit is 1000/,
  );
});

it('reads and writes arrays of any shape chunk by chunk, edges included', async () => {
  const store = folderStore(join(folder, 'arrays'));
  const array = await createArray(store, 'a', { shape: [5, 3, 2], chunks: [2, 2, 2], dtype: 'float32' });
  const full = Float32Array.from({ length: 30 }, (_, i) => i);
  for (let i = 0; i < 3; i++)
    for (let j = 0; j < 2; j++) {
      const part = [];
      for (let r = 2 * i; r < Math.min(5, 2 * i + 2); r++)
        for (let c = 2 * j; c < Math.min(3, 2 * j + 2); c++)
          part.push(full[r * 6 + c * 2]!, full[r * 6 + c * 2 + 1]!);
      await array.write([i, j, 0], Float32Array.from(part));
    }
  const opened = await openArray(store, 'a');
  expect((await opened.rows(1, 5)).data).toEqual(full.subarray(6));
  expect(await opened.read([2, 1, 0])).toEqual({ data: Float32Array.of(28, 29), shape: [1, 1, 2] });
  await array.delete([1, 0, 0]);
  expect(await opened.read([1, 0, 0])).toBeNull();
  await expect(opened.rows(0, 5)).rejects.toThrow(/is not there/);
  await expect(array.write([0, 0, 0], new Float32Array(3))).rejects.toThrow(/a chunk of shape/);
  await expect(openArray(store, 'b')).rejects.toThrow(/holds no array b/);
});
