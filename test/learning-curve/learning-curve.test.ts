// Learning curves from a kernel: numbers of an independent implementation, and regression on drawn samples.
import {
  createEngine,
  eigenlearning,
  eigh,
  learningCurve,
  normal,
  poolError,
  randomKey,
  tensor,
  type Engine,
} from 'infinite-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
});
afterAll(() => engine.dispose());

describe('eigenlearning', () => {
  const modes = Array.from({ length: 600 }, (_, i) => i + 1);
  const eigenvalues = modes.map((i) => i ** -1.5);
  const total = modes.reduce((sum, i) => sum + i ** -2, 0);
  const energy = modes.map((i) => i ** -2 / total);

  // n, ridge, noise, kappa, test, train; and the test error of 200 drawn sets with Gaussian features, its standard error
  it.each([
    [64, 0, 0, 5.2590613231e-3, 0.0233604178, 0, 0.0239, 3e-4],
    [64, 0.1, 0, 7.6879484648e-3, 0.026430331, 1.0917462956e-3, 0.0264, 3e-4],
    [256, 0.02, 0.1, 5.3429425696e-4, 0.1893719609, 4.0488783171e-3, 0.1899, 7e-4],
    [16, 0.1, 0.1, 5.7786521862e-2, 0.248039842, 2.9015387175e-3, 0.2554, 4.1e-3],
  ] as const)(
    '%i samples, ridge %d, noise %d',
    (samples, ridge, noise, kappa, test, train, measured, spread) => {
      const r = eigenlearning({ eigenvalues, energy, samples, ridge, noise });
      expect(Math.abs(r.kappa / kappa - 1)).toBeLessThan(1e-9);
      expect(Math.abs(r.test - test)).toBeLessThan(1e-9);
      expect(Math.abs(r.train - train)).toBeLessThan(1e-12);
      expect(Math.abs(r.test - measured)).toBeLessThan(3 * spread);
      const learned = r.learnability.reduce((sum, l) => sum + l, 0);
      expect(learned).toBeLessThanOrEqual(samples + 1e-9);
      if (ridge === 0) expect(learned).toBeCloseTo(samples, 9);
      expect(r.bias + r.variance + noise).toBeCloseTo(r.test, 12);
    },
  );

  it('refuses what has no answer', () => {
    expect(() => eigenlearning({ eigenvalues: [1, 2], energy: [1, 1], samples: 2 })).toThrow(
      /no finite value/,
    );
    expect(() => eigenlearning({ eigenvalues: [1, -2], energy: [1, 1], samples: 1 })).toThrow(/numbers >= 0/);
    expect(() => eigenlearning({ eigenvalues: [1, 2], energy: [1], samples: 1 })).toThrow(/as many energies/);
    expect(() => eigenlearning({ eigenvalues: [1, 2], energy: [1, 1], samples: 1, ridge: -1 })).toThrow(
      /ridge must be/,
    );
    expect(() =>
      eigenlearning({ eigenvalues: [1, 2], energy: [1, 1], samples: 1, delta: 1 } as never),
    ).toThrow(/unknown option/);
    // More samples than directions: everything is learned.
    expect(eigenlearning({ eigenvalues: [1, 2], energy: [1, 1], samples: 3 }).test).toBe(0);
  });
});

describe('the pool form', () => {
  it.each([
    [3, 0, 0.7732021872, 0.3681586265, 0],
    [3, 0.1, 1.0652689347, 0.3724353763, 0.0039971852],
    [5, 0.1, 0.224284613, 0.2072274667, 0.0053662707],
  ] as const)('%i samples, ridge %d of a pool of six', (samples, ridge, kappa, test, train) => {
    const r = poolError({
      eigenvalues: [10, 3, 1, 0.5, 0.2, 0.1],
      energy: [1, 2, 0.5, 0.2, 0.1, 0.05],
      samples,
      ridge,
    });
    for (const [got, wanted] of [
      [r.kappa, kappa],
      [r.test, test],
      [r.train, train],
    ] as const)
      expect(Math.abs(got - wanted)).toBeLessThan(1e-10);
  });

  it('is the error of regression where eigenvectors are random, over all sizes', async () => {
    const [m, seeds] = [80, 30];
    const sizes = [8, 40, 72];
    const ratios = sizes.map(() => [] as number[]);
    for (let seed = 0; seed < seeds; seed++) {
      // Haar eigenvectors: those of a symmetric normal matrix.
      const g = normal(engine, randomKey(seed), m * m);
      const { vectors } = await eigh(
        engine,
        tensor(
          Float64Array.from({ length: m * m }, (_, i) => g[i]! + g[(i % m) * m + Math.floor(i / m)]!),
          [m, m],
        ),
      );
      const u = vectors.data;
      const noise = normal(engine, randomKey(seed + 1000), m);
      const kernel = new Float64Array(m * m);
      const y = new Float64Array(m);
      for (let j = 0; j < m; j++)
        for (let a = 0; a < m; a++) {
          y[a]! += (Math.sqrt(m) / (j + 1) + 0.3 * noise[j]!) * u[j * m + a]!;
          for (let b = 0; b < m; b++)
            kernel[a * m + b]! += m * (j + 1) ** -1.5 * u[j * m + a]! * u[j * m + b]!;
        }
      const { points } = await learningCurve(engine, {
        kernel: tensor(kernel, [m, m]),
        y: tensor(y),
        samples: sizes,
        ridge: 0.3,
        draws: 4,
        seed,
      });
      for (const [i, { test, measured }] of points.entries()) ratios[i]!.push(measured!.test / test);
    }
    for (const list of ratios) {
      const mean = list.reduce((a, b) => a + b) / seeds;
      const spread = Math.sqrt(list.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (seeds - 1) / seeds);
      expect(Math.abs(mean - 1)).toBeLessThan(3 * spread + 0.02);
    }
  });

  it('refuses sizes outside the pool and kernels of low rank', () => {
    const spectrum = { eigenvalues: [2, 1, 0, 0], energy: [1, 1, 1, 1] };
    expect(() => poolError({ ...spectrum, samples: 4 })).toThrow(/from 1 to 3/);
    expect(() => poolError({ ...spectrum, samples: 2 })).toThrow(/rank 2/);
    expect(poolError({ ...spectrum, samples: 2, ridge: 0.1 }).test).toBeGreaterThan(0);
  });
});

describe('learningCurve', () => {
  const m = 8;
  const kernel = tensor(
    Float64Array.from(
      { length: m * m },
      (_, i) => 1 / (1 + Math.abs(Math.floor(i / m) - (i % m))) + (i % (m + 1) === 0 ? 0.5 : 0),
    ),
    [m, m],
  );
  const y = [1, -1, 2, 0, 1, 0.5, -0.3, 1];

  it('leaves one out as retraining does', async () => {
    const { whole, cautions } = await learningCurve(engine, {
      kernel,
      y,
      ridge: 0.2,
      samples: [3],
      draws: 0,
    });
    let sum = 0;
    for (let out = 0; out < m; out++) {
      const rest = Array.from({ length: m }, (_, i) => i).filter((i) => i !== out);
      const a = rest.map((i) => [...rest.map((j) => kernel.data[i * m + j]! + (i === j ? 0.2 : 0)), y[i]!]);
      for (let i = 0; i < m - 1; i++)
        for (let j = 0; j < m - 1; j++) {
          if (i === j) continue;
          const f = a[j]![i]! / a[i]![i]!;
          for (let k = i; k < m; k++) a[j]![k]! -= f * a[i]![k]!;
        }
      const f = rest.reduce(
        (total, i, row) => total + (kernel.data[out * m + i]! * a[row]![m - 1]!) / a[row]![row]!,
        0,
      );
      sum += (f - y[out]!) ** 2;
    }
    expect(whole.leaveOneOut).toBeCloseTo(sum / m, 11);
    expect(whole.interval[0]).toBeLessThan(whole.leaveOneOut);
    expect(cautions.join(' ')).toMatch(/pool has 8 samples/);
  });

  it('refuses what it cannot answer', async () => {
    const refused = (options: object): Promise<string> =>
      learningCurve(engine, { kernel, y, ...options } as never).then(
        () => 'nothing',
        (error: Error) => error.message,
      );
    expect(await refused({ samples: [8] })).toMatch(/from 1 to 7/);
    expect(await refused({ beyond: [33] })).toMatch(/from 9 to 32 .*four times/);
    expect(await refused({ y: [1, 2] })).toMatch(/y must have shape \[8\]/);
    expect(await refused({ kernel: undefined })).toMatch(/got neither/);
    expect(await refused({ net: [] })).toMatch(/got both/);
    expect(await refused({ get: 'nntk' })).toMatch(/Did you mean 'ntk'/);
    expect(await refused({ draw: 3 })).toMatch(/Did you mean "draws"/);
    expect(await refused({ draws: -1 })).toMatch(/draws must be a whole number >= 0, got -1/);
  });
});
