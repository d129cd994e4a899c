import { createEngine } from 'infinite-width';
import { describe, expect, it } from 'vitest';
import type { BenchCase } from '#build/speed/case.js';
import { benchCases } from '#build/speed/index.js';
import { measure, measureAll, median, rooflines } from '#build/speed/measure.js';
import {
  asBenchReport,
  benchTable,
  compareBench,
  compareTable,
  goalRatio,
  type BenchReport,
} from '#build/speed/report.js';

/** A clock that says how much work was done, so that nothing here depends on the machine's speed. */
function fakeWork() {
  let now = 0;
  const spend = (ms: number) => () => void (now += ms);
  return { clock: () => now, spend };
}
const quiet = { samples: 3, sampleMs: 0.05, clock: () => performance.now() };

describe('bench', () => {
  it('takes medians', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
  });

  it('counts work, time and the factor over the loops', async () => {
    const { clock, spend } = fakeWork();
    const engine = await createEngine({ variant: 'simd' });
    const kernels = { ...engine.kernels, rooflineMadd_f64: spend(1) };
    const test: BenchCase = {
      name: 'x',
      dtype: 'f64',
      limit: 'flops',
      work: 480_000,
      prepare: () => spend(2),
      naive: () => ({ run: spend(3), work: 48_000 }),
    };
    const result = measure({ ...engine, kernels }, test, { clock, samples: 5, sampleMs: 15 });
    expect(result.milliseconds).toBeCloseTo(2, 10);
    expect(result.rate).toBeCloseTo(0.24, 10);
    expect(result.ratio).toBeCloseTo(0.25, 10); // 20000 turns of 48 flops in 1 ms are four times that
    expect(result.noise).toBeLessThan(1e-12);
    expect(result.overNaive).toBeCloseTo(15, 10);
    engine.dispose();
  });

  it('every case has its own name, runs, and its goal points at a case', async () => {
    const names = benchCases.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const { goal } of benchCases) if (goal?.of) expect(names).toContain(goal.of);
    const engine = await createEngine({ variant: 'simd' });
    const small = benchCases
      .filter(({ name }) => /^dual-| (64|256)$/.test(name))
      .map(({ name, dtype, limit, work, prepare }) => ({ name, dtype, limit, work, prepare }));
    const results = await measureAll(engine, small, quiet);
    for (const { rate, ratio } of results) {
      expect(rate).toBeGreaterThan(0);
      expect(ratio).toBeGreaterThan(0);
    }
    for (const limit of Object.values(rooflines(engine, quiet))) expect(limit).toBeGreaterThan(0);
    engine.dispose();
  });

  it('reports and compares', () => {
    const one = (name: string, ratio: number, noise: number) =>
      ({ name, dtype: 'f64', limit: 'flops', milliseconds: 1, rate: 2, ratio, noise, samples: 9 }) as const;
    const report = (cases: BenchReport['cases']): BenchReport => ({
      kind: 'infinite-width bench',
      version: '0',
      date: '',
      machine: {},
      variant: 'simd',
      rooflines: {},
      cases,
    });
    const before = report([one('a', 0.5, 0.01), one('b', 0.5, 0.01), one('c', 0.5, 0.1)]);
    const after = report([one('a', 0.6, 0.01), one('b', 0.4, 0.01), one('c', 0.6, 0.1), one('d', 1, 0)]);
    expect(compareBench(before, after).map(({ verdict }) => verdict)).toEqual(['faster', 'slower', 'same']);
    expect(compareTable(compareBench(before, after))).toMatch(/a +\+20\.0 % +2\.2 % +faster/);
    // Exact samples do not make a run exact: 5 % may lie between two processes, 6 % not.
    const between = (ratio: number) => compareBench(report([one('a', 1, 0)]), report([one('a', ratio, 0)]));
    expect([between(1.05), between(1.06), between(0.94)].map(([change]) => change!.verdict)).toEqual([
      'same',
      'faster',
      'slower',
    ]);
    const goal = { ...one('e', 0.4, 0), goal: { ratio: 0.7, of: 'a' } };
    expect(goalRatio(goal, [...before.cases, goal])).toBeCloseTo(0.8, 12);
    expect(goalRatio(goal, [goal])).toBeNull();
    expect(benchTable(report([...before.cases, goal]))).toContain('met: 0.80 / 0.70');
    expect(asBenchReport(JSON.parse(JSON.stringify(before)), 'x')).toEqual(before);
    expect(() => asBenchReport({}, 'x.json')).toThrow('x.json');
  });
});
