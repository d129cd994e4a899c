import { createEngine, orderChaos, phaseDiagram, type Engine } from 'infinite-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** E[f(z)] for a standard normal z by the trapezoid rule. */
const mean = (f: (z: number) => number): number => {
  let sum = 0;
  for (let i = -400; i <= 400; i++) sum += f(i * 0.025) * Math.exp(-((i * 0.025) ** 2) / 2);
  return (sum * 0.025) / Math.sqrt(2 * Math.PI);
};

describe('order and chaos', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createEngine({ variant: 'simd' });
  });
  afterAll(() => engine.dispose());

  it('relu is critical at wStd = sqrt(2) without bias, ordered below, exploding above', async () => {
    const relu = { layer: 'relu' };
    const critical = await orderChaos(engine, { activation: relu, wStd: Math.SQRT2 });
    expect(critical.phase).toBe('critical');
    expect(critical.qStar).toBeCloseTo(1, 10);
    expect(critical.depthScale).toBe(Infinity);
    const ordered = await orderChaos(engine, { activation: relu, wStd: 1, bStd: 0.5 });
    expect(ordered.chi1).toBeCloseTo(0.5, 10);
    expect(ordered.qStar).toBeCloseTo(0.25 / 0.5, 10);
    expect(ordered.depthScale).toBeCloseTo(1 / Math.log(2), 9);
    const exploding = await orderChaos(engine, { activation: relu, wStd: 1.6 });
    expect(exploding).toMatchObject({ qStar: Infinity, cStar: 1, phase: 'chaotic' });
  });

  it('tanh fixed points and slopes equal one-dimensional quadrature', async () => {
    for (const [wStd, bStd] of [
      [2.5, 0.3],
      [0.8, 0.2],
    ] as const) {
      const got = await orderChaos(engine, { activation: { layer: 'tanh' }, wStd, bStd });
      const q = got.qStar;
      const again = wStd ** 2 * mean((z) => Math.tanh(Math.sqrt(q) * z) ** 2) + bStd ** 2;
      expect(again / q).toBeCloseTo(1, 9);
      const chi = wStd ** 2 * mean((z) => (1 - Math.tanh(Math.sqrt(q) * z) ** 2) ** 2);
      expect(got.chi1).toBeCloseTo(chi, 7);
      expect(got.phase).toBe(chi < 1 ? 'ordered' : 'chaotic');
      if (got.phase === 'chaotic') {
        // The correlation map by conditioning on the first variable.
        const c = got.cStar;
        const s = Math.sqrt(q);
        const dual = mean(
          (z) => Math.tanh(s * z) * mean((w) => Math.tanh(s * (c * z + Math.sqrt(1 - c * c) * w))),
        );
        expect((wStd ** 2 * dual + bStd ** 2) / q).toBeCloseTo(c, 7);
        expect(got.depthScale).toBeGreaterThan(0);
      } else expect(got.cStar).toBe(1);
    }
  });

  it('solves for fixed points near criticality, where depth alone takes for ever', async () => {
    const at = (layer: string, wStd: number, bStd = 0) =>
      orderChaos(engine, { activation: { layer }, wStd, bStd });
    // phi(x) = x + O(x^3): critical at wStd = 1 / phi'(0), and 0 is the fixed point.
    for (const [layer, wStd] of [
      ['tanh', 1],
      ['sin', 1],
      ['erf', Math.sqrt(Math.PI) / 2],
    ] as const) {
      const { qStar, chi1, phase, depthScale } = await at(layer, wStd);
      expect({ qStar, phase, depthScale }).toEqual({ qStar: 0, phase: 'critical', depthScale: Infinity });
      expect(chi1).toBeCloseTo(1, 12);
    }
    const ordered = await at('tanh', 0.999);
    expect(ordered).toMatchObject({ qStar: 0, cStar: 1, phase: 'ordered' });
    expect(ordered.chi1).toBeCloseTo(0.999 ** 2, 12);
    for (const [wStd, bStd] of [
      [1.0005, 0],
      [1.01, 0],
      [1, 0.001],
      [1.3, 0.2],
    ] as const) {
      const { qStar: q } = await at('tanh', wStd, bStd);
      const again = wStd ** 2 * mean((z) => Math.tanh(Math.sqrt(q) * z) ** 2) + bStd ** 2;
      const slope =
        wStd ** 2 *
        mean((z) => {
          // d V / d q
          const s = Math.sqrt(q);
          return (z / s) * Math.tanh(s * z) * (1 - Math.tanh(s * z) ** 2);
        });
      expect(Math.abs(again - q) / (1 - slope) / q).toBeLessThan(1e-9); // how far the root is
    }
    expect((await at('tanh', 1.01)).cStar).toBe(0); // without a bias an odd net decorrelates inputs
    // V(q) = (wStd^2 / 2) q + bStd^2 in closed form
    expect((await at('relu', Math.SQRT2, 0.1)).qStar).toBe(Infinity);
    expect((await at('relu', 1.414, 0.1)).qStar / (0.01 / (1 - 1.414 ** 2 / 2))).toBeCloseTo(1, 9);
    expect((await at('relu', 1e30)).qStar).toBe(Infinity);
  });

  it('follows variance maps that fall', async () => {
    // cos: V(q) = wStd^2 (1 + exp(-2 q)) / 2
    let q = 1;
    for (let i = 0; i < 500; i++) q = 1 + Math.exp(-2 * q);
    const found = await orderChaos(engine, { activation: { layer: 'cos' }, wStd: Math.SQRT2 });
    expect(found.qStar).toBeCloseTo(q, 9);
  });

  it('tanh without bias in the chaotic phase decorrelates; the diagram crosses at wStd = 1', async () => {
    const [low, high] = await phaseDiagram(engine, { layer: 'tanh' }, [0.9, 1.5], [0]);
    expect(low![0]).toMatchObject({ qStar: 0, phase: 'ordered' });
    expect(high![0]!.phase).toBe('chaotic');
    expect(high![0]!.cStar).toBeCloseTo(0, 6);
  });

  it('tells a variance that vanishes from one that stays small', async () => {
    const wStd = 0.5;
    const gone = await orderChaos(engine, {
      activation: { layer: 'polynomial', coefficients: [0, 1] },
      wStd,
    });
    expect(gone.qStar).toBe(0);
    // V(q) = (1e-16 + q) / 4 and V(q) = q / 4 + 1e-18
    const shifted = { layer: 'polynomial', coefficients: [1e-8, 1] };
    const low = await orderChaos(engine, { activation: shifted, wStd });
    expect(low.qStar / (1e-16 / 3)).toBeCloseTo(1, 9);
    const bias = await orderChaos(engine, { activation: { layer: 'abs' }, wStd, bStd: 1e-9 });
    expect(bias.qStar / ((1e-18 * 4) / 3)).toBeCloseTo(1, 9);
  });

  it('rejects bad standard deviations', async () => {
    await expect(orderChaos(engine, { activation: { layer: 'relu' }, wStd: -1 })).rejects.toThrow(/wStd/);
  });
});
