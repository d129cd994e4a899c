// Memory of convolutional kernels: what a plan announces for 1000 images, and that a part of the run stays inside it.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { planKernel, type NetDocument } from 'infinite-width';
import { expect, it } from 'vitest';

const GIB = 2 ** 30;
const net: NetDocument[] = [
  ...Array.from({ length: 21 }, (): NetDocument[] => [
    { layer: 'conv', channels: 64, filter: [3, 3], padding: 'SAME', wStd: Math.SQRT2 },
    { layer: 'relu' },
  ]).flat(),
  { layer: 'globalAvgPool' },
  { layer: 'dense', units: 10 },
];

it.each(['f32', 'f64'] as const)(
  '1000 images through 21 layers and a global pool: below 1 GiB (%s)',
  (dtype) => {
    for (const tile of [undefined, 1000]) {
      const plan = planKernel({ memoryBytes: GIB }, net, [1000, 32, 32, 3], null, {
        dtype,
        ...(tile ? { tile } : {}),
      });
      expect(plan.offsets).not.toHaveProperty('reason');
      expect(plan.resultBytes + plan.tileBytes).toBeLessThan(GIB);
    }
    // the planes of all pairs of positions of one pair of images, 21 layers of K and T, are 352 MB in f64 if they are kept
    expect(planKernel({ memoryBytes: GIB }, net, [1000, 32, 32, 3], null, { dtype }).tileBytes).toBeLessThan(
      4e6,
    );
  },
);

const program = `
import { createEngine, kernelTiles, planKernel } from 'infinite-width';
const net = ${JSON.stringify(net)};
const engine = await createEngine({ variant: 'simd' });
const x = { data: new Float32Array(1000 * 3072).map((_, i) => (i % 251) / 125 - 1), shape: [1000, 32, 32, 3] };
const { tileBytes } = planKernel(engine, net, x.shape, null, { dtype: 'f32' });
const before = process.memoryUsage().rss;
let tiles = 0;
for await (const tile of kernelTiles(engine, net, x, null, { dtype: 'f32' })) if (++tiles === 2) break;
const grown = process.resourceUsage().maxRSS * 1024 - before;
console.log(JSON.stringify({ tileBytes, heap: engine.heap.usage.peak, grown }));
`;

it('tiles of that run hold what the plan says', { timeout: 120_000 }, () => {
  const cwd = fileURLToPath(new URL('../..', import.meta.url));
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    cwd,
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  const { tileBytes, heap, grown } = JSON.parse(stdout) as Record<'tileBytes' | 'heap' | 'grown', number>;
  expect(heap).toBeGreaterThan(tileBytes / 10);
  expect(heap).toBeLessThanOrEqual(tileBytes);
  // the process: code and its compiler, garbage, the wasm memory's steps of growth
  expect(grown).toBeLessThan(tileBytes + 100e6);
});
