// Rules on nets that are trained by them: what checks find, and that the best rate stays put.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  checkRule,
  createEngine,
  ruleTransfer,
  type Engine,
  type RuleCheck,
  type RuleSlope,
} from 'infinite-width';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd', workers: 2 });
});
afterAll(() => engine.dispose());

const sizes = [32, 64, 128, 256];
const failing = ({ slopes }: RuleCheck): RuleSlope[] =>
  slopes.filter(({ verdict }) => verdict === 'grows' || verdict === 'vanishes');

describe('checkRule over width', () => {
  it.each(['adamw', 'lion', 'muon'] as const)('finds maximal update flat: %s', async (optimizer) => {
    const check = await checkRule(engine, {
      optimizer,
      sizes,
      steps: 2,
      tolerance: 0.2,
      base: { weightDecay: 0.1 },
    });
    expect(failing(check), check.first ?? '').toEqual([]);
    expect(check).toMatchObject({ verdict: 'ok', first: null });
    expect(new Set(check.slopes.map(({ check }) => check))).toEqual(
      new Set([
        ...['activations', 'change', 'update', 'relative update'],
        ...(optimizer === 'lion' ? [] : ['epsilon']),
      ]),
    );
  });

  it('passes the steps of a rule that leaves decay alone, and fails its decay without training', async () => {
    const base = { weightDecay: 0.1, eps: 1e-14 };
    const check = await checkRule(engine, {
      rule: 'nanogpt-mup',
      optimizer: 'adamw',
      sizes: [32, 64, 128],
      seeds: 2,
      steps: 2,
      base,
    });
    expect(check.first).toMatch(/^Without training: layers\.2\.w: what a step takes off the weights/);
    expect(check.table.failures[0]).toMatchObject({ check: 'decay' });
    // Its first steps look right: only epsilon and decay fail.
    expect(failing(check).filter((row) => row.check === 'change')).toEqual([]);
    expect(failing(check).some((row) => row.check === 'epsilon')).toBe(true);
  });

  it('finds the features that stop moving under Adam at 1/n everywhere, as predicted', async () => {
    const check = await checkRule(engine, { rule: 'sp-1/n', optimizer: 'adam', sizes, seeds: 2, steps: 1 });
    const first = check.slopes.find(
      (row) => row.check === 'change' && row.layer === 'layers.0' && row.step === 1,
    )!;
    expect(first.verdict).toBe('vanishes');
    expect(first.predicted).toBe(-1);
    expect(Math.abs(first.slope + 1)).toBeLessThan(0.15);
  });

  it('follows the decay to where weights end up', async () => {
    const of = async (rule: 'maximal' | 'nanogpt-mup'): Promise<RuleSlope> => {
      const { slopes } = await checkRule(engine, {
        ...{
          rule,
          optimizer: 'adamw',
          sizes: [16, 32, 64],
          seeds: 2,
          steps: 1,
          equilibrium: true,
          readout: 'forward',
        },
        base: { learningRate: 0.02, weightDecay: 0.5, eps: 1e-12 },
      });
      return slopes.find((row) => row.check === 'equilibrium' && row.layer === 'layers.2')!;
    };
    const [right, wrong] = [await of('maximal'), await of('nanogpt-mup')];
    // Too little decay in wide nets leaves their weights larger.
    expect(wrong.slope - right.slope).toBeGreaterThan(0.1);
  });

  it('refuses options that do not fit', async () => {
    const wrong: [object, RegExp][] = [
      [{ optimizer: 'shampoo' }, /optimizer must be .*got 'shampoo'/],
      [{ optimizer: 'adam', sizes: [8, 16] }, /at least three different whole numbers/],
      [{ optimizer: 'adam', seeds: 1 }, /at least 2 seeds, got 1/],
      [{ optimizer: 'adam', over: 'batch' }, /over must be 'width' or 'depth'/],
      [{ optimizer: 'adam', steps: 0 }, /steps must be a whole number >= 1/],
      [{ optimizer: 'adam', equilibrium: true }, /equilibrium needs base.weightDecay > 0/],
      [{ optimizer: 'adam', width: 3 }, /unknown option "width"/],
    ];
    for (const [options, message] of wrong)
      await expect(checkRule(engine, options as never), String(message)).rejects.toThrow(message);
  });
});

describe('checkRule over depth', () => {
  it.each([
    ['1', 0],
    ['1/2', -0.5],
  ] as const)('finds blocks that move by L^(alpha - 1) of their size: alpha %s', async (alpha, relative) => {
    const check = await checkRule(engine, {
      optimizer: 'adamw',
      over: 'depth',
      alpha,
      sizes: [2, 4, 8],
      seeds: 3,
      steps: 2,
      tolerance: 0.2,
    });
    expect(failing(check), check.first ?? '').toEqual([]);
    const blocks = check.slopes.filter((row) => row.layer === 'blocks' && row.check === 'relative update');
    expect(blocks).toHaveLength(2);
    for (const row of blocks) expect(Math.abs(row.slope - relative)).toBeLessThan(0.12);
    expect(check.table).toMatchObject({ verdict: 'ok' });
  });
});

describe('ruleTransfer', () => {
  it('keeps the best rate under maximal update where one rate for all moves it by more than half a power', async () => {
    const options = { optimizer: 'adam', sizes: [32, 64, 128, 256], seeds: 5, steps: 40 } as const;
    const rates = (first: number): number[] => Array.from({ length: 7 }, (_, k) => first * 2 ** k);
    const maximal = await ruleTransfer(engine, { ...options, values: rates(0.002) });
    const standard = await ruleTransfer(engine, { ...options, rule: 'sp', values: rates(0.0005) });
    expect(maximal.verdict, JSON.stringify(maximal)).toBe('transfers');
    expect(standard.shift!, JSON.stringify(standard)).toBeLessThan(-0.5);
  }, 60_000);

  it('refuses sweeps that are none', async () => {
    await expect(ruleTransfer(engine, { optimizer: 'adam', values: [1, 2] })).rejects.toThrow(
      /at least three different positive numbers/,
    );
    await expect(ruleTransfer(engine, { optimizer: 'adam', parameter: 'beta' as never })).rejects.toThrow(
      /parameter must be/,
    );
  });
});
