import { xorMixture } from 'infinite-width';
import { expect, it } from 'vitest';

it('puts four Gaussians on a square and labels them by the product of signs', () => {
  const n = 4000;
  const { x, y } = xorMixture({ samples: n, features: 5, seed: 1 });
  const sums = new Map<string, number[]>();
  let others = 0;
  for (let i = 0; i < n; i++) {
    const [a, b, c] = x.data.subarray(i * 5, i * 5 + 3) as unknown as [number, number, number];
    const row = sums.get(String(y.data[i])) ?? [0, 0, 0];
    sums.set(String(y.data[i]), [row[0]! + 1, row[1]! + a * b, row[2]! + a * a]);
    others += c * c;
  }
  // Within a class E[ab] = ±1.5², E[a²] = 1.5² + 0.6²; four standard errors of the means are below 0.2.
  for (const [label, [count, product, square]] of sums) {
    expect(Math.abs(count! - n / 2)).toBeLessThan(4 * Math.sqrt(n / 4));
    expect(Math.abs(product! / count! - Number(label) * 2.25)).toBeLessThan(0.2);
    expect(Math.abs(square! / count! - 2.61)).toBeLessThan(0.2);
  }
  expect(Math.abs(others / n - 1)).toBeLessThan(4 * Math.sqrt(2 / n));
});

it('repeats for a seed, differs between seeds, starts alike for more samples', () => {
  const { x } = xorMixture({ samples: 4, seed: 7 });
  expect(xorMixture({ samples: 4, seed: 7 }).x).toEqual(x);
  expect(xorMixture({ samples: 4, seed: 8 }).x).not.toEqual(x);
  expect(xorMixture({ samples: 9, seed: 7 }).x.data.subarray(0, 80)).toEqual(x.data);
});

it('refuses wrong sizes', () => {
  expect(() => xorMixture({ samples: 0 })).toThrow(/samples/);
  expect(() => xorMixture({ samples: 5, features: 1 })).toThrow(/features/);
  expect(() => xorMixture({ samples: 5, noise: NaN })).toThrow(/noise/);
});
