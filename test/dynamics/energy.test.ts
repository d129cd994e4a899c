import { createEngine, createModel, meanFieldEnergy, tensor, type Engine } from 'infinite-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const N = 40;
const net = (units = N) => [
  { layer: 'dense', units, bStd: 0.5 },
  { layer: 'tanh' },
  { layer: 'dense', units: 1 },
];
const x = tensor(Float64Array.of(1, 0.2, -0.5, 0.9, 0.3, -1.1, -0.8, -0.4), [4, 2]);
const y = tensor(Float64Array.of(0.5, -0.4, 0.3, -0.6), [4, 1]);
const model = { inputShape: [2], seed: 3 };

describe('energy of mean-field training', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createEngine({ variant: 'simd' });
  });
  afterAll(() => engine.dispose());

  it('energy and dissipation are those of the particles, written out', async () => {
    const decay = 0.02;
    const got = await meanFieldEnergy(engine, net(), { x, y, model, steps: 1, decay });
    using start = createModel(engine, net(), model);
    const [hidden, output] = start.parameters;
    // f = mean of a tanh(u), u = w.x / sqrt(2) + b / 2
    const particle = (r: number, s: number) => {
      const [x0, x1] = [x.data[2 * s]!, x.data[2 * s + 1]!];
      const u =
        (hidden!.w.data[r]! * x0 + hidden!.w.data[N + r]! * x1) / Math.SQRT2 + hidden!.b!.data[r]! / 2;
      return { a: output!.w.data[r]!, phi: Math.tanh(u), inputs: [x0 / Math.SQRT2, x1 / Math.SQRT2, 0.5] };
    };
    const f = [0, 1, 2, 3].map((s) => {
      let sum = 0;
      for (let r = 0; r < N; r++) sum += (particle(r, s).a * particle(r, s).phi) / N;
      return sum;
    });
    const loss = f.reduce((sum, value, s) => sum + (value - y.data[s]!) ** 2 / 8, 0);
    let [size, dissipation] = [0, 0];
    for (let r = 0; r < N; r++) {
      const own = [hidden!.w.data[r]!, hidden!.w.data[N + r]!, hidden!.b!.data[r]!, output!.w.data[r]!];
      const grad = own.map((value) => decay * value);
      f.forEach((value, s) => {
        const g = (value - y.data[s]!) / 4;
        const { a, phi, inputs } = particle(r, s);
        inputs.forEach((input, i) => (grad[i]! += g * a * (1 - phi * phi) * input));
        grad[3]! += g * phi;
      });
      size += own.reduce((sum, value) => sum + value * value, 0);
      dissipation += grad.reduce((sum, value) => sum + value * value, 0) / N;
    }
    expect(got.loss[0]).toBeCloseTo(loss, 13);
    expect(got.energy[0]).toBeCloseTo(loss + (decay * size) / (2 * N), 13);
    expect(got.dissipation[0]).toBeCloseTo(dissipation, 13);
  });

  it.each(['mse', 'logistic'] as const)(
    'falls as the flow predicts, to second order of the step: %s',
    async (loss) => {
      const labels = loss === 'mse' ? y : tensor(Float64Array.of(1, -1, 1, -1), [4, 1]);
      const errors: number[] = [];
      for (const steps of [40, 80, 160]) {
        const options = { x, y: labels, model, loss, decay: 0.01, learningRate: 8 / steps, steps };
        const { energy, predicted, rises } = await meanFieldEnergy(engine, net(), options);
        expect(rises).toBe(0);
        expect(energy.at(-1)!).toBeLessThan(energy[0]! * 0.99);
        errors.push(Math.abs(energy.at(-1)! - predicted.at(-1)!) / (energy[0]! - energy.at(-1)!));
      }
      const [coarse, middle, fine] = errors as [number, number, number];
      expect(middle).toBeLessThan(0.01);
      for (const ratio of [coarse / middle, middle / fine]) {
        expect(ratio).toBeGreaterThan(3);
        expect(ratio).toBeLessThan(5.5);
      }
    },
  );

  it('is the same flow at every number of particles: energies of two widths part less when both are wide', async () => {
    const options = { x, y, model, learningRate: 0.4, steps: 30 };
    const spread = async (units: number): Promise<number> => {
      let sum = 0;
      for (let seed = 0; seed < 12; seed++) {
        const { energy } = await meanFieldEnergy(engine, net(units), {
          ...options,
          model: { ...model, seed },
        });
        const other = await meanFieldEnergy(engine, net(units), {
          ...options,
          model: { ...model, seed: seed + 50 },
        });
        sum += (energy.at(-1)! - other.energy.at(-1)!) ** 2;
      }
      return Math.sqrt(sum / 12);
    };
    // power -1/2 of 16 would be 1/4; the standard error of a ratio of two such deviations of 12 is 29 %
    expect(await spread(1024)).toBeLessThan((await spread(64)) / 2);
  });

  it('counts rises where the step is too large, and refuses nets that are no particles', async () => {
    const large = await meanFieldEnergy(engine, net(), { x, y, model, learningRate: 30, steps: 30 });
    expect(large.rises).toBeGreaterThan(0);
    const deep = [{ layer: 'dense', units: 4 }, { layer: 'tanh' }, ...net()];
    const biased = [...net().slice(0, 2), { layer: 'dense', units: 1, bStd: 0.1 }];
    const normed = [net()[0]!, { layer: 'layerNorm' }, net()[2]!];
    for (const other of [deep, biased, normed])
      await expect(meanFieldEnergy(engine, other, { x, y, model })).rejects.toThrow(
        /its units are the particles/,
      );
    await expect(meanFieldEnergy(engine, net(), { x, y, model, learningRate: 0 })).rejects.toThrow(
      /positive/,
    );
    await expect(
      meanFieldEnergy(engine, net(), { x, y, model, learningRate: 1e200, steps: 5 }),
    ).rejects.toThrow(/energy is not finite at step/);
  });
});
