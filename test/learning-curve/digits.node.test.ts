// Learning curves of the embedded digits: a table of another program; its own draws of train sets say how far theory is off.
import {
  createEngine,
  kernel,
  learningCurve,
  loadDigits,
  poolError,
  serial,
  dense,
  relu,
  spectrum,
  tensor,
  type Engine,
  type Tensor,
} from 'infinite-width';
import { afterAll, beforeAll, expect, it } from 'vitest';

let engine: Engine;
let y: Tensor;
let ntk: Tensor;
const pool = 1797;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd', workers: 2 });
  const { x, labels } = await loadDigits();
  const rows = new Float64Array(pool * 64);
  for (let i = 0; i < pool; i++) {
    const row = x.data.slice(64 * i, 64 * i + 64);
    const norm = Math.sqrt(row.reduce((sum, v) => sum + v * v, 0));
    row.forEach((v, j) => (rows[64 * i + j] = (v / norm) * Math.sqrt(32))); // the first kernel is the cosine
  }
  const he = { wStd: Math.SQRT2 };
  const net = serial(dense(1, he), relu(), dense(1, he), relu(), dense(1, he));
  y = tensor(
    Float64Array.from({ length: 10 * pool }, (_, i) =>
      labels.data[Math.floor(i / 10)] === i % 10 ? 0.9 : -0.1,
    ),
    [pool, 10],
  );
  ({ ntk } = await kernel(engine, net, tensor(rows, [pool, 64]), null, { get: 'ntk' }));
}, 120_000);
afterAll(() => engine.dispose());

it('the formula for a pool gives the deterministic numbers', async () => {
  const { values, energy } = await spectrum(engine, ntk, y);
  const table = [
    [
      0,
      [16, 32, 64, 128, 256, 512, 1000, 1400, 1700],
      [0.6202, 0.4489, 0.3117, 0.2111, 0.14, 0.0908, 0.0576, 0.0444, 0.0375],
    ],
    [1, [16, 32, 64, 128, 256], [0.6911, 0.5402, 0.4041, 0.2962, 0.2156]],
  ] as const;
  for (const [ridge, sizes, errors] of table)
    for (const [i, samples] of sizes.entries()) {
      const { test } = poolError({ eigenvalues: tensor(values), energy: tensor(energy), samples, ridge });
      expect(Math.abs(test - errors[i]!)).toBeLessThan(6e-5);
    }
}, 120_000);

it('a part of the pool predicts the errors inside, at and beyond its size, and says where it reads low', async () => {
  const part = 400;
  const order = Array.from({ length: part }, (_, i) => (i * 997) % pool);
  const sub = tensor(
    Float64Array.from(
      { length: part * part },
      (_, i) => ntk.data[order[Math.floor(i / part)]! * pool + order[i % part]!]!,
    ),
    [part, part],
  );
  const targets = tensor(Float64Array.from(order.flatMap((i) => [...y.data.slice(10 * i, 10 * i + 10)])), [
    part,
    10,
  ]);
  const curve = await learningCurve(engine, {
    kernel: sub,
    y: targets,
    samples: [64, 200],
    beyond: [800, 1400],
    draws: 6,
  });
  // Measured on the whole pool (other draws): .319 at 64, .173 at 200, .075 at 800, .055 at 1400.
  expect(Math.abs(curve.points[0]!.measured!.leaveOneOut - 0.319)).toBeLessThan(0.03);
  expect(Math.abs(curve.points[0]!.measured!.test - 0.319)).toBeLessThan(0.03);
  expect(Math.abs(curve.points[1]!.measured!.test - 0.173)).toBeLessThan(0.02);
  expect(curve.points[1]!.test).toBeLessThan(curve.points[1]!.measured!.test);
  expect(curve.cautions[0]).toMatch(/The formula reads \d+ % below the leave-one-out error/);
  const [near, far] = curve.beyond;
  expect(Math.abs(near!.test - 0.075)).toBeLessThan(3 * near!.deviation);
  expect(Math.abs(far!.test - 0.055)).toBeLessThan(3 * far!.deviation);
  expect(far!.deviation).toBeLessThan(0.02);
  expect(curve.whole.interval[0]).toBeLessThan(0.12);
  expect(curve.whole.interval[1]).toBeGreaterThan(0.105);
}, 60_000);
