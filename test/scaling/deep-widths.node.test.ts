// The figures of arXiv:2003.05884 for several hidden layers: what must be seen in them.
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  createEngine,
  golikovDeepWidths,
  type DeepWidths,
  type Engine,
  type KeptRun,
  type RunCheckpoint,
  type WidthSummary,
} from 'infinite-width';
import { xorMixture } from '../support/xor.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd', workers: 'auto' });
});
afterAll(() => engine.dispose());

const shared = { data: xorMixture(64, 64, 8), widths: [128, 256, 512], seeds: 2 };
const of = ({ summaries }: DeepWidths, name: string): WidthSummary =>
  summaries.find((item) => item.name === name)!;

it('starts all scalings from one net and spreads them over width, two hidden layers', async () => {
  const study = await golikovDeepWidths(engine, { ...shared, hiddenLayers: 2, epochs: 30 });
  expect(study.notes).toEqual([]);
  expect(study.summaries.map(({ name }) => name)).toEqual([
    'mean-field',
    'NTK',
    'intermediate(3/4)',
    'default',
  ]);
  const [first, ...others] = study.summaries;
  expect(Object.keys(first!.terms)).toEqual(['f0', 'fa', 'fv', 'fw', 'fav', 'faw', 'fvw', 'favw']);
  const atBase = ({ trainLoss, testLoss, terms, hiddenMove }: WidthSummary): unknown => [
    trainLoss[0],
    testLoss[0],
    hiddenMove![0],
    Object.values(terms).map((points) => points[0]),
  ];
  for (const other of others) expect(atBase(other)).toEqual(atBase(first!));
  const [meanField, ntk] = [of(study, 'mean-field'), of(study, 'NTK')];
  const ratio = (points: WidthSummary['inputMove']): number => points[2]!.mean / points[0]!.mean;
  // Relative moves keep their size under mean field and fall under NTK (by wf^-1/2, hidden ones with the paper's rates too).
  for (const key of ['inputMove', 'hiddenMove', 'outputMove'] as const) {
    expect(Math.abs(Math.log2(ratio(meanField[key]!))), key).toBeLessThan(0.5);
    expect(Math.log2(ratio(ntk[key]!)), key).toBeLessThan(-0.6);
  }
  const { losses, terms, increments } = study.panels;
  expect(losses.map(({ series }) => series.length)).toEqual([8, 8, 4]);
  expect(terms.map(({ series }) => series.length)).toEqual([8, 8, 8, 8]);
  expect(new Set(terms[0]!.series.map(({ name, style }) => `${name} ${style}`)).size).toBe(8);
  expect(increments.length).toBe(3);
});

it('shows how mean field with three hidden layers stops training under SGD, and not under RMSProp', async () => {
  const options = { ...shared, hiddenLayers: 3, epochs: 30 };
  const losses = (study: DeepWidths, name: string): number[] =>
    of(study, name).trainLoss.map(({ mean }) => mean);
  const plain = await golikovDeepWidths(engine, { ...options, learningRate: 0.3 });
  const [first, , last] = losses(plain, 'mean-field');
  expect(first).toBeLessThan(0.3); // the reference trains
  expect(last).toBeGreaterThan(2 * first!); // the logits' power is near -1: ln 2 in the limit
  expect(last).toBeGreaterThan(1.2 * losses(plain, 'NTK')[2]!);
  const adaptive = losses(
    await golikovDeepWidths(engine, { ...options, optimizer: 'rmsprop' }),
    'mean-field',
  );
  for (const loss of adaptive) expect(Math.abs(loss / adaptive[0]! - 1)).toBeLessThan(0.5);
});

it('takes finished runs from a journal and says which overflowed', async () => {
  const kept = new Map<string, KeptRun | RunCheckpoint>();
  let left = -1;
  const options = {
    ...{ ...shared, widths: [128, 256], hiddenLayers: 2, epochs: 3 },
    journal: {
      everySeconds: 1,
      load: async (key: string) => kept.get(key) ?? null,
      keep: async (key: string, what: KeptRun | RunCheckpoint) => void kept.set(key, what),
    },
    onPlan: (plan: { left: number }) => (left = plan.left),
  };
  const whole = await golikovDeepWidths(engine, options);
  expect([left, kept.size]).toEqual([16, 16]);
  kept.delete([...kept.keys()][5]!);
  expect(await golikovDeepWidths(engine, options)).toEqual(whole);
  expect(left).toBe(1);
  await golikovDeepWidths(engine, { ...options, hiddenLayers: 3 });
  expect(left).toBe(16);
  const { notes, summaries } = await golikovDeepWidths(engine, { ...options, learningRate: 1e30 });
  expect(notes[0]).toMatch(/^mean-field, width 128: outputs overflow in epoch \d; left out\.$/);
  expect(summaries[0]!.widths).toEqual([]);
  await expect(golikovDeepWidths(engine, { ...options, hiddenLayers: 0 })).rejects.toThrow(/hiddenLayers/);
});
