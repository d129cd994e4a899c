// Optimisers beside PyTorch over 50 steps, and maximal update with biases beside the package mup (bench/torch/optimizers.py
// wrote the references).
import { beforeAll, afterAll, describe, expect, it } from 'vitest';
import {
  adam,
  adamw,
  createEngine,
  createModel,
  dense,
  lion,
  momentum,
  multipliers,
  muon,
  nesterov,
  relu,
  rmsprop,
  scaledNet,
  scalings,
  scalingTable,
  serial,
  sgd,
  tableFactors,
  tanh,
  tensor,
  Trainer,
  type Engine,
  type LayerDocument,
  type LayerParametersLike,
  type Optimizer,
  type TrainerOptions,
} from 'infinite-width';
import { loadReference } from '../support/reference.js';

/** x <- 16807 x mod (2^31 - 1), as numbers from -1 to 1: the starts of the reference. */
function streamOf(seed: number): (count: number) => Float64Array {
  let x = seed;
  return (count) =>
    Float64Array.from({ length: count }, () => {
      x = (16807 * x) % 2147483647;
      return (2 * x) / 2147483647 - 1;
    });
}

type Take = ReturnType<typeof streamOf>;

/** Weights and biases within 1/sqrt(fan-in), drawn (out, in) as torch stores them. */
function parametersOf(take: Take, sizes: readonly number[], bias: boolean): LayerParametersLike[] {
  return sizes.slice(1).map((outputs, l) => {
    const inputs = sizes[l]!;
    const bound = inputs ** -0.5;
    const stored = take(inputs * outputs);
    const w = tensor(
      Float64Array.from(stored, (_, k) => stored[(k % outputs) * inputs + Math.floor(k / outputs)]! * bound),
      [inputs, outputs],
    );
    return bias ? { w, b: tensor(take(outputs).map((value) => value * bound)) } : { w };
  });
}

const layer = (units: number, bias = true): LayerDocument =>
  dense(units, { parametrization: 'standard', ...(bias ? { bStd: 1 } : {}) });

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
});
afterAll(() => engine.dispose());

describe('optimisers over 50 steps, weight decay included, against PyTorch', () => {
  const others = adamw(0.01, { weightDecay: 0.05 });
  const hidden = { momentum: 0.9, weightDecay: 0.1, others } as const;
  const runs: Record<string, { optimizer: Optimizer; clipNorm?: number }> = {
    sgd: { optimizer: sgd(0.1, { weightDecay: 0.03 }) },
    momentum: { optimizer: momentum(0.05, 0.9, { weightDecay: 0.03 }) },
    nesterov: { optimizer: nesterov(0.05, 0.9, { weightDecay: 0.03 }) },
    rmsprop: { optimizer: rmsprop(0.01, { decay: 0.95, eps: 1e-6, weightDecay: 0.03 }) },
    adam: { optimizer: adam(0.01, { beta1: 0.8, beta2: 0.95, weightDecay: 0.03 }) },
    adamw: { optimizer: adamw(0.01, { beta1: 0.8, beta2: 0.95, weightDecay: 0.1 }) },
    lion: { optimizer: lion(0.003, { beta1: 0.9, beta2: 0.98, weightDecay: 0.3 }) },
    muon: { optimizer: muon(0.02, hidden) },
    'muon plain': { optimizer: muon(0.02, { ...hidden, nesterov: false, factor: 'match_rms_adamw' }) },
    'muon spectral': { optimizer: muon(0.02, { ...hidden, factor: 'spectral_unclamped' }) },
    'adamw clipped': { optimizer: adamw(0.01, { weightDecay: 0.1 }), clipNorm: 0.05 },
  };

  it.each(Object.keys(runs))('%s', async (name) => {
    const reference =
      await loadReference<Record<string, { losses: number[]; outputs: number[][] }>>('torch/optimizers');
    const { losses, outputs } = reference[name]!;
    const take = streamOf(11);
    const [x, y] = [tensor(take(50), [10, 5]), tensor(take(30), [10, 3])];
    const sizes = [5, 8, 6, 9, 3];
    const net = serial(...sizes.slice(1, -1).flatMap((units) => [layer(units), tanh()]), layer(3));
    using model = createModel(engine, net, { inputShape: [5], parameters: parametersOf(take, sizes, true) });
    const trainer = new Trainer(model, { x, y, loss: 'mse', ...runs[name]! });
    let worst = 0;
    for (const want of losses) worst = Math.max(worst, Math.abs(trainer.next().loss / want - 1));
    expect(losses).toHaveLength(50);
    expect(worst).toBeLessThan(1e-8);
    expect(losses.at(-1)! / losses[0]!).toBeLessThan(0.97); // it has learned something
    const final = model.forward(x).data;
    const off = outputs.flat().map((want, i) => Math.abs(final[i]! - want));
    expect(Math.max(...off)).toBeLessThan(1e-8);
    trainer.dispose();
  });
});

interface MupRun {
  readonly depth: number;
  readonly bias: boolean;
  readonly width: number;
  readonly optimizer: 'sgd' | 'momentum' | 'adam' | 'adamw' | 'adam with L2';
  readonly logits: number[][];
}

describe('maximal update with biases against the package mup 1.0.0', () => {
  const optimizers: Record<MupRun['optimizer'], Optimizer> = {
    sgd: sgd(0.1),
    momentum: momentum(0.1),
    adam: adam(1e-3),
    adamw: adamw(1e-3, { weightDecay: 0.5 }),
    'adam with L2': adam(1e-3, { weightDecay: 0.01 }),
  };

  /** Largest difference of logits over their largest, at the start and after each of five steps. */
  function differenceOf(
    { depth, bias, width, optimizer, logits }: MupRun,
    factors: Pick<TrainerOptions, 'rates' | 'decays' | 'epsilons'>,
    weights: ReturnType<typeof tableFactors>['multipliers'],
  ): number {
    const take = streamOf(100 * depth + width);
    const x = tensor(take(48), [8, 6]);
    const sizes = [6, ...Array.from({ length: depth }, () => width), 3];
    const net = serial(
      ...sizes.slice(1, -1).flatMap((units) => [layer(units, bias), relu()]),
      layer(3, bias),
    );
    const parameters = parametersOf(take, sizes, bias);
    using model = createModel(engine, net, { inputShape: [6], parameters, multipliers: weights });
    const y = tensor([0, 1, 2, 0, 1, 2, 0, 1]);
    const trainer = new Trainer(model, {
      x,
      y,
      loss: 'crossEntropy',
      optimizer: optimizers[optimizer],
      ...factors,
    });
    let worst = 0;
    logits.forEach((want, step) => {
      if (step > 0) trainer.next();
      const got = model.forward(x).data;
      const most = Math.max(...want.map(Math.abs));
      worst = Math.max(worst, ...want.map((value, i) => Math.abs(got[i]! - value) / most));
    });
    trainer.dispose();
    return worst;
  }

  it('trains as mup does by `multipliers`: 1e-12, and 2e-5 where Adam keeps one epsilon for gradients of other sizes', async () => {
    const { runs } = await loadReference<{ runs: MupRun[] }>('torch/mup');
    let compared = 0;
    for (const run of runs.filter(({ optimizer }) => optimizer in { sgd: 1, momentum: 1, adam: 1 })) {
      const kind = run.optimizer === 'adam' ? 'adam' : 'sgd';
      const { weights, rates } = multipliers(scalings.muP, run.width / 16, { optimizer: kind });
      const label = JSON.stringify({ ...run, logits: 0 });
      expect(differenceOf(run, { rates }, weights), label).toBeLessThan(kind === 'sgd' ? 1e-12 : 2e-5);
      // In mup the readout's weights stay and its input is divided by wf, so its gradients are smaller by wf beside epsilon.
      const wf = run.width / 16;
      const epsilons = { input: 1, hidden: 1, output: wf, biases: { input: 1, hidden: 1, output: 1 } };
      expect(differenceOf(run, { rates, epsilons }, weights), label).toBeLessThan(1e-12);
      compared++;
    }
    expect(compared).toBe(3 * 2 * 3 * 3);
  });

  it('trains as mup does by a table of the rule `mup`, decay included, all five optimisers: 1e-12', async () => {
    const { runs } = await loadReference<{ runs: MupRun[] }>('torch/mup');
    for (const run of runs) {
      const { depth, bias, width, optimizer } = run;
      const widthFactor = width / 16;
      const base = serial(
        ...Array.from({ length: depth }, () => [layer(16, bias), relu()]).flat(),
        layer(3, bias),
      );
      const { parameters } = scaledNet({ net: base, inputShape: [6], widthFactor });
      const name = optimizer === 'adam with L2' ? 'adam' : optimizer;
      const table = scalingTable({ rule: 'mup', optimizer: name, widthFactor, parameters });
      const { multipliers: weights, ...factors } = tableFactors(table, { start: 'given' });
      expect(differenceOf(run, factors, weights), JSON.stringify({ ...run, logits: 0 })).toBeLessThan(1e-12);
    }
    expect(runs).toHaveLength(90);
  });

  it('differs from mup where mup is wrong: L2 inside Adam', () => {
    // The share of the decay in the gradient must not depend on width: n^-1/2 for hidden matrices, not n.
    const parameters = [
      { name: 'a.w', kind: 'input', shape: [64, 10] },
      { name: 'b.w', kind: 'hidden', shape: [64, 64] },
      { name: 'c.w', kind: 'readout', shape: [3, 64] },
    ] as const;
    const of = (rule: 'mup' | 'maximal'): number[] =>
      scalingTable({
        rule,
        optimizer: 'adam',
        widthFactor: 4,
        parameters,
        readout: 'forward',
      }).parameters.map((row) => row.multipliers.weightDecay);
    expect(of('mup')).toEqual([1, 4, 1]);
    expect(of('maximal')).toEqual([0.25, 0.5, 0.25]);
  });
});

describe('what optimisers refuse', () => {
  it.each([
    [() => adamw(1e-3, { beta3: 1 } as never), /adam: unknown option "beta3"/],
    [
      () => sgd(0.1, { weightdecay: 1 } as never),
      /sgd: unknown option "weightdecay". Did you mean "weightDecay"/,
    ],
    [() => muon(0.1, { steps: 5 } as never), /muon: unknown option "steps"/],
  ])('unknown options: %s', (call, message) => expect(call).toThrow(message));

  it('values that are none, by field', () => {
    const net = serial(layer(4), relu(), layer(1));
    using model = createModel(engine, net, { inputShape: [2] });
    const start = (options: object): Trainer =>
      new Trainer(model, { x: [[1, 2]], y: [[1]], loss: 'mse', ...options } as never);
    const wrong: [object, RegExp][] = [
      [{ optimizer: { ...adam(0.1), kind: 'adamm' } }, /kind must be .*'adam'.*got 'adamm'/],
      [{ optimizer: { ...adam(0.1), weightDecay: -1 } }, /weightDecay must be >= 0, got -1/],
      [{ optimizer: { ...adam(0.1), decayForm: 'l2' } }, /decayForm must be/],
      [{ optimizer: { ...adam(0.1), momentum: 1 } }, /unknown option "momentum"/],
      [{ optimizer: muon(0.1, { iterations: 0 }) }, /iterations must be a whole number from 1 to 99, got 0/],
      [{ optimizer: muon(0.1, { others: muon(0.1) as never }) }, /others must not be muon itself/],
      [{ optimizer: muon(0.1, { factor: 'x' as never }) }, /factor must be/],
      [{ clipNorm: 0 }, /clipNorm must be a positive, finite number, got 0/],
      [{ decays: [1, -1] }, /decays must be >= 0, got -1/],
      [{ epsilons: [1] }, /epsilons: expected 2 finite numbers/],
      [{ rates: { input: 1, hidden: 1, outptu: 1 } }, /unknown option "outptu"/],
      [{ rates: [{ w: 1, b: NaN }, 1] }, /rates: expected 2 finite numbers/],
    ];
    for (const [options, message] of wrong) expect(() => start(options), String(message)).toThrow(message);
  });

  it('freezes a bias alone, and resumes Muon and Lion with equal bits', () => {
    const net = serial(layer(4), relu(), layer(4), relu(), layer(1));
    for (const optimizer of [muon(0.05), lion(0.01), adamw(0.01)]) {
      using model = createModel(engine, net, { inputShape: [2] });
      const rates = [{ w: 1, b: 0 }, 1, 1];
      const make = (): Trainer =>
        new Trainer(model, {
          x: [
            [1, 2],
            [0, 1],
          ],
          y: [[1], [0]],
          loss: 'mse',
          optimizer,
          rates,
        });
      const start = model.parameters;
      const trainer = make();
      for (let i = 0; i < 5; i++) trainer.next();
      const middle = trainer.checkpoint();
      for (let i = 0; i < 5; i++) trainer.next();
      const end = trainer.checkpoint();
      trainer.dispose();
      expect(model.parameters[0]!.b!.data).toEqual(start[0]!.b!.data);
      expect(model.parameters[1]!.b!.data).not.toEqual(start[1]!.b!.data);
      const again = make();
      again.restore(middle);
      for (let i = 0; i < 5; i++) again.next();
      expect(again.checkpoint()).toEqual(end);
      again.dispose();
    }
  });

  it('decays independently of the rate by the decay itself', () => {
    using model = createModel(engine, serial(dense(1)), { inputShape: [1], parameters: [{ w: [[2]] }] });
    const optimizer = sgd(1e-9, { weightDecay: 0.25, decayForm: 'independent' });
    const trainer = new Trainer(model, { x: [[0]], y: [[0]], loss: 'mse', optimizer });
    trainer.next();
    expect(model.parameters[0]!.w.data[0]).toBe(1.5);
    trainer.dispose();
  });
});
