import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  abcOf,
  classify,
  fromAbc,
  golikov2020,
  muPMultipliers,
  multipliers,
  scaling,
  scalings,
  toAbc,
  type OptimizerKind,
  type Scaling,
} from 'infinite-width';
import { widthPower } from '#build/scaling/theory/power.js';
import { toRational } from '#build/scaling/theory/rational.js';
import { loadReference } from '../support/reference.js';
import { scalingOfMode, type Mode } from '../support/golikov.js';

interface Row {
  readonly optimizer: OptimizerKind;
  readonly mode: Mode;
  readonly wf: number;
  readonly error?: string;
  readonly [factor: string]: unknown;
}
const FACTORS = [
  ['w_in', 'weights', 'input'],
  ['w_hidden', 'weights', 'hidden'],
  ['w_out', 'weights', 'output'],
  ['lr_in', 'rates', 'input'],
  ['lr_hidden', 'rates', 'hidden'],
  ['lr_out', 'rates', 'output'],
] as const;

describe('multipliers', () => {
  let rows: readonly Row[];
  beforeAll(async () => {
    ({ rows } = await loadReference<{ rows: Row[] }>('golikov/multipliers'));
  });

  it('equals the published code wherever that has a rule', () => {
    let compared = 0;
    for (const row of rows) {
      // For normalised optimisers the published code has named modes only: tuples silently get SGD's multipliers.
      if (row.error || (row.optimizer !== 'sgd' && typeof row.mode !== 'string')) continue;
      const got = multipliers(scalingOfMode(row.mode), row.wf, { optimizer: row.optimizer });
      for (const [key, group, layer] of FACTORS) {
        const want = row[key] as number;
        expect(Math.abs(got[group][layer] - want) / want, `${JSON.stringify(row)} ${key}`).toBeLessThan(
          2e-15 * 16,
        );
        compared++;
      }
    }
    expect(compared).toBeGreaterThan(1900);
  });

  it('is exactly 1 at the reference width and exact for halves', () => {
    for (const optimizer of ['sgd', 'rmsprop', 'adam'] as const) {
      for (const named of [...Object.values(scalings), scaling({ qSigma: -0.66, qTilde: 0.5 })]) {
        if (typeof named === 'function') continue;
        const { weights, rates } = multipliers(named, 1, { optimizer });
        for (const { biases, ...matrices } of [weights, rates])
          expect([...Object.values(matrices), ...Object.values(biases)]).toEqual([1, 1, 1, 1, 1, 1]);
      }
    }
    const { weights, rates } = multipliers(scalings.meanField, 512 / 128);
    expect([weights.output, rates.input, rates.output]).toEqual([0.5, 4, 0.25]);
  });

  it('derives normalised optimisers: a tuple on the NTK-MF segment equals the named mode', () => {
    for (const optimizer of ['rmsprop', 'adam'] as const) {
      for (const q of [0.5, 0.625, 0.75, 1]) {
        const named = multipliers(golikov2020.intermediate(q), 16, { optimizer });
        expect(multipliers({ qSigma: -q, qTilde: 2 * q - 1 }, 16, { optimizer })).toEqual(named);
        expect(named.rates.output).toBe(1 / 16);
      }
    }
  });

  it('takes powers within 2 units in the last place of 50-digit values', () => {
    // 3.7^q to 50 digits (mpmath)
    const known: [number, string, number][] = [
      [3.7, '1/3', 1.5466803737720354],
      [3.7, '-19/50', 0.6082517188265651],
      [512, '-0.16', 0.3685673043227753],
      [2, '0.0001', 1.0000693171203765],
    ];
    for (const [base, q, want] of known) {
      expect(Math.abs(widthPower(base, toRational(q, 'q')) / want - 1), `${base}^${q}`).toBeLessThan(4.5e-16);
    }
    expect(() => widthPower(0, toRational(1, 'q'))).toThrow(/width factor/);
  });
});

describe('abc-parametrisations and muP', () => {
  it('places the four named ones', () => {
    const cell = (name: 'standard' | 'ntk' | 'meanField' | 'muP'): [string, string, string] => {
      const { qSigma, qTildeA, qTildeW } = fromAbc(abcOf(name));
      return [qSigma, qTildeA, qTildeW];
    };
    expect(cell('standard')).toEqual(['-1/2', '1', '0']);
    expect(cell('ntk')).toEqual(['-1/2', '0', '0']);
    expect(cell('meanField')).toEqual(['-1', '1', '1']);
    expect(cell('muP')).toEqual(['-1', '1', '1']);
  });

  it('goes both ways, and the symmetry leaves the scaling alone', () => {
    const num = fc.integer({ min: -9, max: 9 }).map((n) => `${n}/4`);
    fc.assert(
      fc.property(num, num, num, num, num, (qSigma, qTildeA, qTildeW, c, shift) => {
        const start = scaling({ qSigma, qTildeA, qTildeW });
        const abc = toAbc(start, { c });
        expect(pick(fromAbc(abc))).toEqual(pick(start));
        const t = Number(shift.slice(0, -2)) / 4;
        const value = (q: string): number => Number(q.split('/')[0]) / Number(q.split('/')[1] ?? 1);
        const moved = {
          a: abc.a.map((q) => value(q) + t),
          b: abc.b.map((q) => value(q) - t),
          c: value(abc.c) - 2 * t,
        };
        expect(pick(fromAbc(moved))).toEqual(pick(start));
      }),
      { numRuns: 300, seed: 8 },
    );
  });

  it('agrees with our letters: r = -(v + max(0, u)), nontrivial stable = MF, NTK, MF-NTK', () => {
    for (const [q, t] of [
      [-1, 1],
      [-0.5, 0],
      [-0.75, 0.5],
      [-0.5, 0.5],
      [-1, 0.5],
      [-1.5, 1.5],
    ] as const) {
      const { stable, nontrivial, featureLearning } = classify(toAbc({ qSigma: q, qTilde: t }));
      const ours = classify({ qSigma: q, qTilde: t });
      expect(nontrivial, ours.name).toBe(ours.exponents.logits === 0);
      expect(stable, ours.name).toBe(ours.exponents.A <= 0 && ours.exponents.logits <= 0);
      expect(featureLearning, ours.name).toBe(nontrivial && ours.properties.kernelsEvolve);
    }
    for (let u = -1; u <= 0.5; u += 0.25) {
      for (let v = -1; v + u <= 0; v += 0.25) {
        const { r } = classify(toAbc({ qSigma: -1, qTildeA: u + 1, qTildeW: v + 1 }));
        const [top, bottom = '1'] = r.split('/');
        // Yang & Hu's r also has the readout's own initial size in its minimum; here a_2 + b_2 = 1.
        expect(Number(top) / Number(bottom), `${u} ${v}`).toBe(-(v + Math.max(0, u)) + 0);
      }
    }
    expect(classify(abcOf('muP', 3))).toMatchObject({
      r: '0',
      stable: true,
      nontrivial: true,
      featureLearning: true,
    });
    expect(classify(abcOf('ntk', 3))).toMatchObject({
      r: '1/2',
      stable: true,
      nontrivial: true,
      featureLearning: false,
    });
    expect(classify(abcOf('standard', 3)).stable).toBe(false);
  });

  it('equals the tables of the mup package', async () => {
    interface Param {
      readonly shape: readonly number[];
      readonly init_rescale: number;
      readonly MuSGD: { readonly lr_mult: number; readonly weight_decay_mult: number };
      readonly MuAdam: { readonly lr_mult: number; readonly weight_decay_mult: number };
    }
    const { rows } = await loadReference<{
      rows: {
        h1: number;
        h2: number;
        base: number;
        din: number;
        dout: number;
        readout_forward_mult: number;
        params: Record<string, Param>;
      }[];
    }>('golikov/mup_multipliers');
    for (const { h1, h2, base, din, dout, readout_forward_mult, params } of rows) {
      const layers = {
        input_layer: { kind: 'input', fanIn: din, fanOut: h1, baseFanIn: din, baseFanOut: base },
        hidden_layer: { kind: 'hidden', fanIn: h1, fanOut: h2, baseFanIn: base, baseFanOut: base },
        readout: { kind: 'output', fanIn: h2, fanOut: dout, baseFanIn: base, baseFanOut: dout },
      } as const;
      for (const [path, want] of Object.entries(params)) {
        const [layer, part] = path.split('.') as [keyof typeof layers, string];
        const got = muPMultipliers({ ...layers[layer], bias: part === 'bias' });
        expect(got, `${h1} ${h2} ${path}`).toEqual({
          init: want.init_rescale,
          sgdRate: want.MuSGD.lr_mult,
          sgdWeightDecay: want.MuSGD.weight_decay_mult,
          adamRate: want.MuAdam.lr_mult,
          adamWeightDecay: want.MuAdam.weight_decay_mult,
          forward: path === 'readout.weight' ? readout_forward_mult : 1,
        });
      }
    }
    // One hidden layer: readout weights times forward factor is mean field.
    const readout = muPMultipliers({ kind: 'output', fanIn: 512, fanOut: 1, baseFanIn: 128, baseFanOut: 1 });
    const ours = multipliers(scalings.meanField, 4);
    expect(readout.init * readout.forward).toBe(ours.weights.output);
    expect(readout.sgdRate * readout.forward ** 2).toBe(ours.rates.output);
  });
});

const pick = ({ qSigma, qTildeA, qTildeW }: Scaling): string[] => [qSigma, qTildeA, qTildeW];
