// What an installed package is asked to do: plain text for a scratch project, the same in every surrounding.

/** A module exporting `journey(workers)`: numbers of each part of the library, as one text. */
export const JOURNEY = `
import { createEngine, kernel, tensor, createModel, train } from 'infinite-width';
import { loadDigits, xorMixture } from 'infinite-width/data';
import { relu, dense, serial } from 'infinite-width/layers';
import { matmul } from 'infinite-width/linalg';
import { gradientDescentMse } from 'infinite-width/predict';
import { sgd } from 'infinite-width/training';

const hash = (data) => {
  let h = 0x811c9dc5;
  for (const byte of new Uint8Array(data.buffer, data.byteOffset, data.byteLength)) h = Math.imul(h ^ byte, 16777619);
  return (h >>> 0).toString(16);
};

export async function journey(workers) {
  const engine = await createEngine({ variant: 'simd', workers });
  const { x } = await loadDigits();
  const some = tensor(x.data.slice(0, 64 * 50), [50, 64]);
  const net = serial(dense(32, { wStd: 1.5, bStd: 0.1 }), relu(), dense(1));
  const { nngp, ntk } = await kernel(engine, net, some, null, { get: ['nngp', 'ntk'] });
  const y = tensor(Float64Array.from({ length: 50 }, (_, i) => (i % 3) - 1), [50, 1]);
  const predicted = await gradientDescentMse(engine, { ntk, y, learningRate: 1e-4 })(100);
  const model = createModel(engine, net, { inputShape: [64], seed: 1 });
  const start = model.forward(some);
  for await (const record of train(model, { x: some, y, loss: 'mse', optimizer: sgd(1e-4), steps: 20 })) void record;
  const out = {
    digits: hash(x.data),
    product: hash((await matmul(engine, tensor(x.data.slice(0, 4096), [64, 64]), tensor(x.data.slice(4096, 8192), [64, 64]))).data),
    nngp: hash(nngp.data),
    ntk: hash(ntk.data),
    predicted: hash(predicted.train.data),
    finite: hash(start.data),
    trained: hash(model.forward(some).data),
    xor: hash(xorMixture({ samples: 20 }).x.data),
  };
  model.dispose();
  engine.dispose();
  return JSON.stringify(out);
}
`;
