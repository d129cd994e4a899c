// Solves with the empirical NTK: against a dense solve by elimination, for targets of any size, and what is refused.
import { createEngine, createModel, empiricalNtk, empiricalNtkSolve, NumericalError } from 'infinite-width';
import { describe, expect, it } from 'vitest';

const engine = await createEngine({ variant: 'simd' });
const net = [{ layer: 'dense', units: 4, wStd: 1.4 }, { layer: 'relu' }, { layer: 'dense', units: 1 }];
const model = createModel(engine, net, { inputShape: [3] });
const x = [
  [1, 2, 3],
  [0, 1, -1],
  [2, 0, 1],
];

/** Gauss with pivots, on a matrix of three rows. */
function eliminate(matrix: number[][], right: number[]): number[] {
  const a = matrix.map((row, i) => [...row, right[i]!]);
  for (let k = 0; k < 3; k++) {
    const pivot = a
      .slice(k)
      .reduce((best, row, i) => (Math.abs(row[k]!) > Math.abs(a[best]![k]!) ? k + i : best), k);
    [a[k], a[pivot]] = [a[pivot]!, a[k]!];
    for (let i = 0; i < 3; i++)
      if (i !== k) {
        const factor = a[i]![k]! / a[k]![k]!;
        a[i] = a[i]!.map((value, j) => value - factor * a[k]![j]!);
      }
  }
  return a.map((row, i) => row[3]! / row[i]!);
}

describe('empiricalNtkSolve', () => {
  const { data } = empiricalNtk(model, x);
  for (const size of [1, 1e160, 1e-170, 1e300, 1e-300])
    it(`solves targets of size ${size}`, () => {
      const matrix = [0, 1, 2].map((i) => [0, 1, 2].map((j) => data[3 * i + j]! + (i === j ? 0.1 : 0)));
      const want = eliminate(matrix, [1, 2, 3]);
      const y = [[size], [2 * size], [3 * size]];
      const { solution, residual } = empiricalNtkSolve(model, x, y, { diagReg: 0.1, tolerance: 1e-12 });
      want.forEach((value, i) => expect(solution.data[i]! / size / value).toBeCloseTo(1, 9));
      expect(residual).toBeLessThan(1e-12);
    });

  it('gives zeros for zeros', () => {
    expect([...empiricalNtkSolve(model, x, [[0], [0], [0]], { diagReg: 0.1 }).solution.data]).toEqual([
      0, 0, 0,
    ]);
  });

  it('refuses what has no answer', () => {
    const y = [[1], [2], [3]];
    for (const diagReg of [NaN, Infinity, -1, '1' as never])
      expect(() => empiricalNtkSolve(model, x, y, { diagReg })).toThrow(
        'empiricalNtkSolve: diagReg must be >= 0',
      );
    for (const tolerance of [NaN, 0, 1, -1])
      expect(() => empiricalNtkSolve(model, x, y, { tolerance })).toThrow(
        'tolerance must be between 0 and 1',
      );
    for (const maxIterations of [0, 1.5, NaN])
      expect(() => empiricalNtkSolve(model, x, y, { maxIterations })).toThrow(
        'maxIterations must be a whole number',
      );
    for (const bad of [NaN, Infinity])
      expect(() => empiricalNtkSolve(model, x, [[bad], [1], [2]])).toThrow(
        'entry [0, 0] is NaN'.replace('NaN', `${bad}`),
      );
    expect(() => empiricalNtkSolve(model, x, [[1], [2]])).toThrow(
      'must have 3 entries (samples x outputs), got [2, 1]',
    );
    expect(() => empiricalNtkSolve(model, x, [[1e308], [1e308], [-1e308]])).toThrow(NumericalError);
    expect(() => empiricalNtkSolve(model, x, y, { diagreg: 1 } as object)).toThrow('Did you mean "diagReg"?');
  });
});
