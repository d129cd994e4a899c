// Workers that end from outside: the running job is rejected, and the engine goes on with a new worker.
import workerThreads from 'node:worker_threads';
import { syncBuiltinESMExports } from 'node:module';
import { createEngine, kernel, matmul, serial, dense, tensor } from 'infinite-width';
import { afterAll, beforeAll, expect, it } from 'vitest';

const { Worker } = workerThreads;
const made: InstanceType<typeof Worker>[] = [];
beforeAll(() => {
  workerThreads.Worker = class extends Worker {
    constructor(...rest: ConstructorParameters<typeof Worker>) {
      super(...rest);
      made.push(this);
    }
  };
  syncBuiltinESMExports();
});
afterAll(() => {
  workerThreads.Worker = Worker;
  syncBuiltinESMExports();
});

const big = tensor(new Float64Array(1500 * 1500).fill(0.5), [1500, 1500]);

it('rejects the running job with the exit code and a remedy, and runs the next one', async () => {
  await using engine = await createEngine({ workers: 1, variant: 'simd' });
  await kernel(engine, serial(dense(1)), [[1, 2]]); // the worker is up
  const running = matmul(engine, big, big);
  setTimeout(() => void made.at(-1)!.terminate(), 5);
  await expect(running).rejects.toThrow(/engine: a worker ended with exit code 1 .* lower memoryBytes/);
  expect((await matmul(engine, [[2]], [[3]])).data[0]).toBe(6);
});

it('replaces a worker that ended while it was idle', async () => {
  await using engine = await createEngine({ workers: 2, variant: 'simd' });
  await kernel(engine, serial(dense(1)), [[1, 2]]);
  await Promise.all(made.slice(-2).map((worker) => worker.terminate()));
  await new Promise((resolve) => setTimeout(resolve, 50));
  const before = made.length;
  expect((await matmul(engine, [[2]], [[3]])).data[0]).toBe(6);
  expect(made.length).toBe(before + 1); // one task, one worker: the other slot waits until it is needed
});
