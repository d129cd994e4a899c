import { loadDigits } from 'infinite-width';
import { expect, it } from 'vitest';

it('ships the digits as published', async () => {
  const { x, labels, attribution } = await loadDigits();
  expect(x.shape).toEqual([1797, 64]);
  const perClass = new Array<number>(10).fill(0);
  for (const label of labels.data) perClass[label]!++;
  expect(perClass).toEqual([178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
  expect(Math.min(...x.data)).toBe(0);
  expect(Math.max(...x.data)).toBe(16);
  expect(x.data.reduce((sum, value) => sum + value)).toBe(561718);
  expect([...x.data.subarray(0, 8)]).toEqual([0, 0, 5, 13, 9, 1, 0, 0]);
  expect(attribution).toContain('CC BY 4.0');
});
