// Models and trainers after their end, and two trainings of one model: errors, and nobody else's numbers change.
import {
  createEngine,
  createModel,
  dense,
  linearize,
  relu,
  sgd,
  train,
  Trainer,
  type Engine,
  type Model,
} from 'infinite-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ variant: 'simd' });
});
afterAll(() => engine.dispose());

const net = [dense(8), relu(), dense(1)];
const x = [
  [1, 2, 3],
  [0, -1, 2],
];
const y = [[1], [-1]];
const make = (seed = 0): Model => createModel(engine, net, { inputShape: [3], seed });

describe('after dispose', () => {
  const uses: Record<string, (model: Model) => unknown> = {
    forward: (model) => model.forward(x),
    parameters: (model) => model.parameters,
    setParameters: (model) => model.setParameters(make().parameters),
    gradients: (model) => model.gradients(x, y, 'mse'),
    vectorJacobian: (model) => model.vectorJacobian(x, y),
    jacobianVector: (model) => model.jacobianVector(x, make().parameters),
    linearize: (model) => linearize(model),
    train: (model) => new Trainer(model, { x, y, loss: 'mse' }),
  };
  for (const [name, use] of Object.entries(uses)) {
    it(`${name} of a model is an error and leaves its successor alone`, () => {
      for (const kind of [make, () => linearize(make())]) {
        const gone = kind();
        gone.dispose();
        using heir = make(1);
        const before = heir.parameters.map(({ w }) => [...w.data]);
        expect(() => use(gone)).toThrow(/model: used after dispose\(\)/);
        expect(heir.parameters.map(({ w }) => [...w.data])).toEqual(before);
      }
    });
  }

  it('a model disposed while it is trained ends the training', async () => {
    const model = make();
    using heir = make(1);
    const before = heir.forward(x).data;
    const run = train(model, { x, y, loss: 'mse', steps: 5 });
    await run.next();
    model.dispose();
    await expect(run.next()).rejects.toThrow(/used after dispose/);
    expect(heir.forward(x).data).toEqual(before);
  });

  it('a trainer is an error too, and gives its memory back once', () => {
    using model = make();
    const { used } = engine.heap.usage;
    const trainer = new Trainer(model, { x, y, loss: 'mse' });
    trainer.dispose();
    trainer.dispose();
    expect(engine.heap.usage.used).toBe(used);
    expect(() => trainer.next()).toThrow(/trainer: used after dispose/);
    expect(() => trainer.checkpoint()).toThrow(/trainer: used after dispose/);
  });
});

describe('two trainings of one model', () => {
  it('the second is refused, the first goes on to the same bits', async () => {
    const end = async (disturb: boolean): Promise<number[]> => {
      using model = make();
      const run = train(model, { x, y, loss: 'mse', steps: 6, recordEvery: 2, optimizer: sgd(0.1) });
      await run.next();
      if (disturb) {
        const second = train(model, { x, y: [[3], [3]], loss: 'mse', steps: 6 });
        await expect(second.next()).rejects.toThrow(/train: the model is being trained by another call/);
      }
      while (!(await run.next()).done);
      return [...model.forward(x).data];
    };
    expect(await end(true)).toEqual(await end(false));
  });

  it('one after the other is fine, also after a break', async () => {
    using model = make();
    for await (const record of train(model, { x, y, loss: 'mse', steps: 6 })) if (record.step === 2) break;
    for await (const record of train(model, { x, y, loss: 'mse', steps: 1 }))
      expect(record.step).toBeLessThan(2);
  });
});

it('memory is not taken from a region that has ended', () => {
  const region = engine.heap.region();
  region.dispose();
  expect(() => region.alloc('f64', 1)).toThrow(/alloc: its region or scope has ended/);
});

it('words of the right kind that mean nothing are refused', () => {
  expect(() => createModel(engine, net, { inputShape: [3], init: 'xavier' as never })).toThrow(
    /createModel: init must be 'gaussian' or 'uniform', got 'xavier'/,
  );
  using model = make();
  expect(() => model.gradients(x, y, 'mse', { reduction: 'avg' as never })).toThrow(
    /reduction must be 'mean' or 'sum', got 'avg'/,
  );
});
