// The time that `plan` prints: the queue played through.
import { createEngine, planKernel } from 'infinite-width';
import { estimateKernel, playQueue } from '#build/queue/estimate.js';
import { expect, it } from 'vitest';

it('plays a queue: workers take the next message whenever they are free', () => {
  expect(playQueue([3, 1, 1, 1], 1)).toBe(6);
  expect(playQueue([3, 1, 1, 1], 2)).toBe(3);
  expect(playQueue([1, 1, 1, 3], 2)).toBe(4);
  expect(playQueue([2, 2, 2], 1000)).toBe(2);
  expect(playQueue([], 5)).toBe(0);
  // Against a search for the free worker, one by one.
  const messages = Array.from({ length: 500 }, (_, i) => 1 + ((i * 7919) % 101) / 50);
  for (const workers of [1, 3, 10, 64]) {
    const free = Array.from({ length: workers }, () => 0);
    for (const seconds of messages) {
      const at = free.indexOf(Math.min(...free));
      free[at] = free[at]! + seconds;
    }
    expect(playQueue(messages, workers)).toBeCloseTo(Math.max(...free), 9);
  }
});

it('estimates entries, bytes and tiles as the plan of the kernel says, and no longer with more workers', async () => {
  await using engine = await createEngine({ variant: 'simd' });
  const net = [{ layer: 'dense', units: 1 }, { layer: 'relu' }, { layer: 'dense', units: 1 }];
  const found = await estimateKernel(engine, net, [3000, 5], { get: ['ntk'], dtype: 'f64', tile: 500 });
  expect(found).toMatchObject({
    entries: (3000 * 3001) / 2,
    tile: 500,
    tiles: 21,
    bytes: 8 * 3000 ** 2,
    free: null,
  });
  expect(found.tiles).toBe(planKernel(engine, net, [3000, 5], null, { tile: 500 }).tiles);
  expect(found.on.map(({ workers }) => workers)).toEqual([1, 10, 100, 1000]);
  for (let i = 1; i < 4; i++) expect(found.on[i]!.seconds).toBeLessThanOrEqual(found.on[i - 1]!.seconds);
  expect(found.on[0]!.seconds / 3600).toBeGreaterThanOrEqual(found.cpuHours);
});
