// The coordinate check of the mup package on a deep net: the sizes of its pre-activations and logits over the first steps, replayed.
import { expect, it } from 'vitest';
import {
  adam,
  createEngine,
  createModel,
  dense,
  multipliers,
  preActivations,
  relu,
  scalings,
  serial,
  sgd,
  tensor,
  train,
} from 'infinite-width';
import { loadReference } from '../support/reference.js';

interface Matrix {
  readonly shape: [number, number];
  readonly data: number[];
}
interface Reference {
  readonly base_width: number;
  readonly X: number[][];
  readonly y: number[];
  readonly initial_params_before_rescale: Record<string, { params: Record<string, Matrix> }>;
  readonly runs: {
    readonly optimizer: 'sgd' | 'adam';
    readonly lr: number;
    readonly bias: boolean;
    readonly parametrization: 'mup' | 'standard';
    readonly results: { width: number; seed: number; coords: Record<string, { l1: number[] }> }[];
  }[];
}

/** `(out, in)` as stored to `(in, out)`. */
const transposed = ({ shape: [out, inputs], data }: Matrix): ReturnType<typeof tensor> =>
  tensor(
    Float64Array.from({ length: data.length }, (_, k) => data[(k % out) * inputs + Math.floor(k / out)]!),
    [inputs, out],
  );

it('replays pre-activations and logits of muP and of the standard parametrisation, two hidden layers', async () => {
  await using engine = await createEngine({ variant: 'simd' });
  const reference = await loadReference<Reference>('golikov/mup_coord');
  let compared = 0;
  for (const { optimizer, lr, bias, parametrization, results } of reference.runs) {
    for (const { width, seed, coords } of results) {
      // With biases the start of the net of the base width is stored, where every factor is 1; for what biases of wider
      // nets get there are the tables of muPMultipliers (multipliers.test.ts).
      const initial =
        reference.initial_params_before_rescale[`${bias ? 'bias' : 'nobias'}_w${width}_s${seed}`];
      if (!initial) continue;
      const wf = width / reference.base_width;
      const spec = parametrization === 'mup' ? scalings.muP : scalings.default;
      const { weights, rates } = multipliers(spec, wf, { optimizer });
      const layer = (units: number): ReturnType<typeof dense> =>
        dense(units, { parametrization: 'standard', ...(bias ? { bStd: 1 } : {}) });
      const model = createModel(engine, serial(layer(width), relu(), layer(width), relu(), layer(3)), {
        inputShape: [10],
        parameters: ['input_layer', 'hidden_layer', 'readout'].map((name) => {
          const b = initial.params[`${name}.bias`];
          const w = transposed(initial.params[`${name}.weight`]!);
          return b ? { w, b: tensor(b.data) } : { w };
        }),
        multipliers: weights,
      });
      const x = tensor(reference.X);
      const records = train(model, {
        x,
        y: reference.y,
        loss: 'crossEntropy',
        optimizer: optimizer === 'sgd' ? sgd(lr) : adam(lr),
        rates,
        epochs: 4,
      });
      const names = ['input_layer', 'hidden_layer', 'readout'];
      for await (const { epoch } of records) {
        const sizes = preActivations(model, x).map(({ data }) =>
          Float64Array.from(data).reduce((sum, value) => sum + Math.abs(value) / data.length, 0),
        );
        // Adam's eps stands beside gradients of the readout that differ by the width factor: 1e-8 over 1e-3.
        const tolerance = optimizer === 'sgd' ? 1e-10 : 1e-5;
        expect(sizes.length).toBe(3);
        names.forEach((name, l) => {
          const off = Math.abs(sizes[l]! / coords[name]!.l1[epoch]! - 1);
          expect(off, `${optimizer} ${parametrization} ${width} ${name} ${epoch}`).toBeLessThan(tolerance);
        });
        compared++;
      }
      model.dispose();
    }
  }
  // Four steps and the start of: two widths and two seeds without biases, one of each with, all for two optimisers and
  // two parametrisations.
  expect(compared).toBe(5 * 2 * 2 * (2 * 2 + 1));
});
