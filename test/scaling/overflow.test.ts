import { expect, it } from 'vitest';
import { createEngine, trainOneHidden } from 'infinite-width';
import { xorMixture } from '../support/xor.js';

it('keeps what came before an overflow and says where it happened', async () => {
  const engine = await createEngine({ variant: 'simd' });
  const [trace] = await trainOneHidden(engine, {
    data: xorMixture(16, 16, 4),
    scaling: { qSigma: '1/4', qTilde: 2 },
    width: 1024,
    baseWidth: 1,
    epochs: 30,
    learningRate: 10,
    loss: 'linear',
  });
  engine.dispose();
  const { overflow, epochs, testLoss, trainLoss, meanAbsLogit } = trace!;
  expect(overflow).not.toBeNull();
  expect(epochs.length).toBeGreaterThan(0);
  expect(epochs.length).toBeLessThan(31);
  expect(overflow!.epoch).toBeGreaterThanOrEqual(epochs.at(-1)!);
  for (const list of [testLoss, trainLoss, meanAbsLogit]) {
    expect(list.length).toBe(epochs.length);
    expect(list.every(Number.isFinite)).toBe(true);
  }
});

it('refuses choices it does not know', async () => {
  const engine = await createEngine({ variant: 'simd' });
  const options = { data: xorMixture(8, 8, 4), scaling: { qSigma: -1, qTilde: 1 }, width: 128, epochs: 1 };
  for (const [name, value] of [
    ['loss', 'zz'],
    ['init', 'zz'],
    ['init', { law: 'zz' }],
    ['optimizer', 'zz'],
    ['mode', 'zz'],
    ['dtype', 'f16'],
  ] as const) {
    await expect(trainOneHidden(engine, { ...options, [name]: value } as never), name).rejects.toThrow(name);
  }
  engine.dispose();
});
