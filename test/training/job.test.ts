// A stopped training job goes on from any state it has sent, with the bits of one that was not stopped.
import {
  adam,
  createEngine,
  dense,
  dropout,
  relu,
  serial,
  tensor,
  trainJob,
  type TrainJobParams,
  type TrainJobState,
} from 'infinite-width';
import { expect, it } from 'vitest';

const waves = (n: number, seed: number): Float64Array =>
  Float64Array.from({ length: n }, (_, i) => (((i + seed) * 7919) % 101) / 50 - 1);
const x = tensor(waves(33, 5), [11, 3]);
const y = tensor(waves(22, 6), [11, 2]);
const params: TrainJobParams = {
  net: serial(dense(9, { wStd: 1.4 }), relu(), dropout(0.8), dense(2)),
  model: { inputShape: [3], seed: 4 },
  train: {
    ...{ x, y, loss: 'mse', optimizer: adam(0.01), batchSize: 4, steps: 20, recordAt: [3, 8, 17] },
    ...{ evaluate: { test: { x, y }, bare: { x: [[1, 2, 3]] } }, probe: { x, y, kernels: ['ntk', 'nngp'] } },
  },
  keepParameters: true,
  keepCheckpoint: true,
};

it.each([0, 1])('from every record, with %i workers', async (workers) => {
  await using engine = await createEngine({ variant: 'simd', workers });
  const states: TrainJobState[] = [];
  const onMessage = (message: unknown): void => {
    const { state } = message as { state?: TrainJobState };
    if (state) states.push(state);
  };
  const whole = await engine.run(trainJob, { ...params, checkpointSeconds: 0 }, { onMessage });
  expect(whole.trace.map(({ step }) => step)).toEqual([0, 3, 8, 17, 20]);
  expect(states.map(({ checkpoint, trace }) => [checkpoint.step, trace.length])).toEqual([
    [3, 2],
    [8, 3],
    [17, 4],
    [20, 5],
  ]);
  expect(await engine.run(trainJob, params)).toEqual(whole);
  for (const from of states) {
    const before = structuredClone(from);
    expect(await engine.run(trainJob, { ...params, from })).toEqual(whole);
    expect(from).toEqual(before);
  }
});
