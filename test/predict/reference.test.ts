// Every predict case of the stored neural-tangents values.
import {
  createEngine,
  gpInference,
  gradientDescentMse,
  gradientFlow,
  maxLearningRate,
  predict,
  type Engine,
  type NetDocument,
  type Tensor,
} from 'infinite-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadReference, mismatch, toArray, type ReferenceArray } from '../support/reference.js';

type Stored = { shape: number[]; data: (number | string)[] };
interface Case {
  name: string;
  net: NetDocument;
  x1: Stored;
  x2: Stored;
  function: string;
  inputs: Record<string, Stored>;
  options: {
    learningRate: number;
    diagReg: number;
    diagRegAbsoluteScale: boolean;
    traceAxes: number[];
    t: (number | string)[];
    loss: 'crossEntropy' | 'mse';
    momentum: number | null;
    yTrainSize: number;
  };
  expected: Record<string, Stored>;
}

const { cases } = await loadReference<{ cases: Case[] }>('neural-tangents/predict');
const of = (name: string): Case[] => cases.filter((item) => item.function === name);
const tensorOf = (value: Stored): Tensor => toArray(value) as Tensor;
const strict = { rtol: 1e-10, atolOverMax: 1e-10 };
const ode = { rtol: 1e-8, atolOverMax: 1e-8 };

let engine: Engine;
beforeAll(async () => void (engine = await createEngine({ variant: 'simd' })));
afterAll(() => engine.dispose());

function expectTensor(got: Tensor | undefined, want: Stored, tolerance = strict): void {
  const reference: ReferenceArray = toArray(want);
  expect(got!.shape).toEqual(reference.shape);
  expect(mismatch(got!.data, reference, tolerance)).toBeNull();
}

const scale = (item: Case): 'absolute' | 'relative' =>
  item.options.diagRegAbsoluteScale ? 'absolute' : 'relative';

describe('gradientDescentMse', () => {
  for (const item of of('gradientDescentMse')) {
    const { inputs, options, expected } = item;
    const times = Float64Array.from(options.t, Number);
    const make = () =>
      gradientDescentMse(engine, {
        ntk: tensorOf(inputs['kTrainTrain']!),
        y: tensorOf(inputs['yTrain']!),
        learningRate: options.learningRate,
        diagReg: options.diagReg,
        diagRegScale: scale(item),
        traceAxes: options.traceAxes,
      });
    const call = () => ({
      f0Train: tensorOf(inputs['fxTrain0']!),
      f0Test: tensorOf(inputs['fxTest0']!),
      ntkTestTrain: tensorOf(inputs['kTestTrain']!),
    });
    it(item.name, async () => {
      const result = await make()({ data: times, shape: [times.length] }, call());
      expectTensor(result.train, expected['fxTrain']!);
      expectTensor(result.test, expected['fxTest']!);
      expect(result.diagnostics.method).toBe('eigen');
    });
    it(`${item.name}: infinity by Cholesky`, async () => {
      const result = await make()(null, call());
      const last = (stored: Stored): Stored => {
        const size = stored.data.length / times.length;
        return { shape: stored.shape.slice(1), data: stored.data.slice(-size) };
      };
      expect(times.at(-1)).toBe(Infinity);
      expectTensor(result.train, last(expected['fxTrain']!));
      expectTensor(result.test, last(expected['fxTest']!));
      expect(result.diagnostics.method).toBe('cholesky');
    });
  }
});

describe('gpInference', () => {
  for (const item of of('gpInference')) {
    for (const method of ['nngp', 'ntk', 'ntkgp'] as const) {
      it(`${item.name} ${method}`, async () => {
        const { inputs, options, expected } = item;
        const predictor = gpInference(engine, {
          nngp: tensorOf(inputs['nngpTrainTrain']!),
          ntk: tensorOf(inputs['ntkTrainTrain']!),
          y: tensorOf(inputs['yTrain']!),
          diagReg: options.diagReg,
          diagRegScale: scale(item),
          method,
        });
        const call = {
          nngpTestTrain: tensorOf(inputs['nngpTestTrain']!),
          ntkTestTrain: tensorOf(inputs['ntkTestTrain']!),
          nngpTestTest: tensorOf(inputs['nngpTestTest']!),
          ntkTestTest: tensorOf(inputs['ntkTestTest']!),
        };
        const result = await predictor(call);
        expectTensor(result.mean, expected[`${method}Mean`]!);
        expectTensor(result.covariance, expected[`${method}Covariance`]!);
        const { variance } = await predictor({ ...call, covariance: 'diagonal' });
        const tests = result.mean.shape[0]!;
        for (let i = 0; i < tests; i++)
          expect(variance!.data[i]).toBeCloseTo(result.covariance!.data[i * tests + i]!, 12);
      });
    }
  }
});

describe('maxLearningRate', () => {
  for (const { name, inputs, options, expected } of of('maxLearningRate')) {
    it(name, async () => {
      const rate = await maxLearningRate(engine, tensorOf(inputs['kTrainTrain']!), {
        targets: options.yTrainSize,
        momentum: options.momentum!,
      });
      expect(mismatch([rate], toArray(expected['maxLearningRate']!), strict)).toBeNull();
    });
  }
});

describe('gradientFlow', () => {
  for (const { name, inputs, options, expected } of of('gradientDescent')) {
    it(name, async () => {
      const flow = gradientFlow(engine, {
        ntk: tensorOf(inputs['kTrainTrain']!),
        y: tensorOf(inputs['yTrain']!),
        loss: options.loss,
        learningRate: options.learningRate,
        momentum: options.momentum,
      });
      const result = await flow(options.t.map(Number), {
        f0Train: tensorOf(inputs['fxTrain0']!),
        f0Test: tensorOf(inputs['fxTest0']!),
        ntkTestTrain: tensorOf(inputs['kTestTrain']!),
      });
      expectTensor(result.train, expected['fxTrain']!, ode);
      expectTensor(result.test, expected['fxTest']!, ode);
    });
    if (options.loss === 'mse' && options.momentum !== null) {
      it(`${name}: closed form`, async () => {
        const result = await gradientDescentMse(engine, {
          ntk: tensorOf(inputs['kTrainTrain']!),
          y: tensorOf(inputs['yTrain']!),
          learningRate: options.learningRate,
          momentum: options.momentum,
        })(options.t.map(Number), {
          f0Train: tensorOf(inputs['fxTrain0']!),
          f0Test: tensorOf(inputs['fxTest0']!),
          ntkTestTrain: tensorOf(inputs['kTestTrain']!),
        });
        expectTensor(result.train, expected['fxTrain']!, ode);
        expectTensor(result.test, expected['fxTest']!, ode);
      });
    }
  }
});

describe('predict from a net', () => {
  for (const item of of('gradientDescentMseEnsemble')) {
    const { net, options, expected } = item;
    for (const method of ['ntk', 'nngp'] as const) {
      for (const set of ['Test', 'Train'] as const) {
        it(`${item.name} ${method} ${set}`, async () => {
          const { mean, covariance } = await predict(engine, net, {
            xTrain: tensorOf(item.x1),
            yTrain: tensorOf(item.inputs['yTrain']!),
            ...(set === 'Test' ? { xTest: tensorOf(item.x2) } : {}),
            time: options.t.map(Number),
            method,
            learningRate: options.learningRate,
            diagReg: options.diagReg,
            diagRegScale: scale(item),
            covariance: 'full',
          });
          expectTensor(mean, expected[`${method}Mean${set}`]!);
          expectTensor(covariance, expected[`${method}Covariance${set}`]!);
        });
      }
    }
  }
});
