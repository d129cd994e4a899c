// The kernel that the tests compute: 45 tiles of a small convolutional net, a fraction of a second each.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tensor, writeNpy } from 'infinite-width';
import { expect } from 'vitest';
import { cli, type Said } from './servers.js';

const SAME = { layer: 'conv', channels: 1, filter: [3, 3], padding: 'SAME' };
const netOf = (depth: number): unknown[] => [
  ...Array.from({ length: depth }, () => [SAME, { layer: 'relu' }]).flat(),
  { layer: 'globalAvgPool' },
  { layer: 'dense', units: 1 },
];
export const SAMPLES = 108;
export const TILES = 45;

/** The options of the problem, with its files in `folder`; tiles take longer with more convolutions. */
export function problemIn(folder: string, depth = 2): string[] {
  const values = Float64Array.from({ length: SAMPLES * 64 }, (_, i) => Math.sin(1 + i * 12.9898));
  writeFileSync(join(folder, 'net.json'), JSON.stringify(netOf(depth)));
  writeFileSync(join(folder, 'x.npy'), writeNpy(tensor(values, [SAMPLES, 8, 8, 1])));
  writeFileSync(
    join(folder, 'y.npy'),
    writeNpy(
      tensor(
        Float64Array.from({ length: SAMPLES }, (_, i) => Math.cos(i)),
        [SAMPLES],
      ),
    ),
  );
  return ['--net', join(folder, 'net.json'), '--x', join(folder, 'x.npy'), '--tile', '12', '--quiet'];
}

/** SHA-256 of the chunks of both kernels of a run, by name. */
export function chunksOf(run: string): string {
  const hash = createHash('sha256');
  let count = 0;
  for (const name of ['nngp', 'ntk']) {
    const folder = join(run, name, 'c');
    for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
      if (!/^\d+\/\d+$/.test(file)) continue;
      hash.update(`${name} ${file}\n`).update(readFileSync(join(folder, file)));
      count++;
    }
  }
  expect(count).toBe(162);
  return hash.digest('hex');
}

/** The problem in one process. */
export async function alone(folder: string, problem: readonly string[]): Promise<string> {
  const { code, stderr } = await cli([
    'kernel',
    ...problem,
    '--workers',
    '1',
    '--out',
    join(folder, 'alone.zarr'),
  ]).end;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return chunksOf(join(folder, 'alone.zarr'));
}

/** Starts that did not end in the same process, ends beyond the first of a tile, and tiles whose end nobody said. */
export function account(said: readonly Said[], computed: number): { starts: number; expected: number } {
  const starts = said.filter(({ what }) => what === 'start');
  const dones = said.filter(({ what }) => what === 'done');
  const lost = starts.filter(
    ({ pid, detail }) => !dones.some((done) => done.pid === pid && done.detail === detail),
  ).length;
  const seen = new Set(dones.map(({ detail }) => detail)).size;
  return { starts: starts.length, expected: computed + lost + (dones.length - seen) - (computed - seen) };
}
