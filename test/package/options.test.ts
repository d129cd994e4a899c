// Every public call that takes options refuses one it does not know, also in nested objects.
import * as library from 'infinite-width';
import { expect, test } from 'vitest';

const L = library;
const engine = await L.createEngine({ variant: 'simd' });
const net = [L.dense(4), L.tanh(), L.dense(1)];
const [x, y] = [
  [
    [1, 2],
    [0, 1],
    [2, -1],
  ],
  [[1], [2], [3]],
];
const model = L.createModel(engine, net, { inputShape: [2] });
const kernels = await L.kernel(engine, net, x);
const bad = { misspelt: 1 };
const setup = { inputShape: [2] };
const problem = { x, y, model: setup };
const binary = { xTrain: x, yTrain: [1, -1, 1], xTest: x, yTest: [1, -1, 1] };
const one = { data: binary, epochs: 1 };
const scaling = L.scalings.ntk;
const sweep = { ...one, scaling, widths: [128, 256, 512], seeds: 2 };
const rows = [1, 2, 3].map((a) => ({ a, y: a }));
const first = async (items: AsyncIterable<unknown>): Promise<unknown> => {
  for await (const item of items) return item;
  return null;
};

/** A call with options it does not know; where it holds others, they would do. */
const CALLS: Record<string, (bad: never) => unknown> = {
  createEngine: (o) => L.createEngine(o),
  matmul: (o) => L.matmul(engine, x, y, o),
  cholesky: (o) => L.cholesky(engine, kernels.nngp, o),
  solve: (o) => L.solve(engine, kernels.nngp, y, o),
  extremeEigenvalues: (o) => L.extremeEigenvalues((v) => v, 3, o),
  tiledGram: (o) => L.tiledGram(engine, x, o),
  tiledCholesky: async (o) => L.tiledCholesky(engine, await L.tiledGram(engine, x), o),
  tiledSolve: async (o) => L.tiledSolve(engine, await L.tiledGram(engine, x), y, o),
  createModel: (o) => L.createModel(engine, net, { ...setup, ...(o as object) }),
  'model.forward': (o) => model.forward(x, o),
  'model.gradients': (o) => model.gradients(x, y, 'mse', o),
  'model.vectorJacobian': (o) => model.vectorJacobian(x, y, o),
  Trainer: (o) => new L.Trainer(model, { x, y, loss: 'mse', ...(o as object) }),
  train: (o) => first(L.train(model, { x, y, loss: 'mse', ...(o as object) })),
  'train: probe': (o) => first(L.train(model, { x, y, loss: 'mse', probe: { x, ...(o as object) } })),
  trainEnsemble: (o) =>
    L.trainEnsemble(engine, net, { model: setup, train: { x, y, loss: 'mse' }, seeds: 1, ...(o as object) }),
  'trainEnsemble: train': (o) =>
    L.trainEnsemble(engine, net, { model: setup, train: { x, y, loss: 'mse', ...(o as object) }, seeds: 1 }),
  kernel: (o) => L.kernel(engine, net, x, null, o),
  kernelTiles: (o) => first(L.kernelTiles(engine, net, x, null, o)),
  kernelState: (o) => L.kernelState(engine, net, x, null, o),
  layerKernels: (o) => L.layerKernels(engine, net, x, null, o),
  kernelPerLayer: (o) => L.kernelPerLayer(engine, net, x, null, o),
  kernelInputGradient: (o) => L.kernelInputGradient(engine, net, x, x, o),
  planKernel: (o) => L.planKernel(engine, net, [3, 2], null, o),
  predict: (o) => L.predict(engine, net, { xTrain: x, yTrain: y, ...(o as object) }),
  createPredictor: (o) => L.createPredictor(engine, net, { xTrain: x, yTrain: y, ...(o as object) }),
  'createPredictor: call': async (o) => (await L.createPredictor(engine, net, { xTrain: x, yTrain: y }))(o),
  gpInference: (o) => L.gpInference(engine, { ...kernels, y, ...(o as object) }),
  'gpInference: call': (o) => L.gpInference(engine, { ...kernels, y })(o),
  gradientDescentMse: (o) => L.gradientDescentMse(engine, { ntk: kernels.ntk, y, ...(o as object) }),
  'gradientDescentMse: call': (o) => L.gradientDescentMse(engine, { ntk: kernels.ntk, y })(1, o),
  gradientDescentMseEnsemble: (o) =>
    L.gradientDescentMseEnsemble(engine, { ...kernels, y, ...(o as object) }),
  'gradientDescentMseEnsemble: call': (o) => L.gradientDescentMseEnsemble(engine, { ...kernels, y })(1, o),
  gradientFlow: (o) => L.gradientFlow(engine, { ntk: kernels.ntk, y, loss: 'logistic', ...(o as object) }),
  'gradientFlow: call': (o) =>
    L.gradientFlow(engine, { ntk: kernels.ntk, y: [[1], [-1], [1]], loss: 'logistic' })(1, o),
  maxLearningRate: (o) => L.maxLearningRate(engine, kernels.ntk, o),
  logMarginalLikelihood: (o) => L.logMarginalLikelihood(engine, net, x, y, o),
  leaveOneOutLogDensity: (o) => L.leaveOneOutLogDensity(engine, net, x, y, o),
  fitHyperparameters: (o) => L.fitHyperparameters(engine, net, x, y, o),
  fit: (o) => L.fit(engine, rows, { target: 'y', ...(o as object) }),
  crossValidate: (o) => L.crossValidate(engine, rows, { target: 'y', ...(o as object) }),
  parseTable: (o) => L.parseTable('a,b\n1,2\n', o),
  empiricalNtk: (o) => L.empiricalNtk(model, x, null, o),
  empiricalNtkPerLayer: (o) => L.empiricalNtkPerLayer(model, x, null, o),
  empiricalNngp: (o) => L.empiricalNngp(model, x, null, o),
  planEmpiricalNtk: (o) => L.planEmpiricalNtk(model, 3, 3, o),
  empiricalNtkExtremes: (o) => L.empiricalNtkExtremes(model, x, o),
  empiricalNtkSolve: (o) => L.empiricalNtkSolve(model, x, y, o),
  monteCarloKernel: (o) => L.monteCarloKernel(engine, net, x, null, o),
  explain: (o) => L.explain(scaling, o),
  multipliers: (o) => L.multipliers(scaling, 2, o),
  toAbc: (o) => L.toAbc(scaling, o),
  muPMultipliers: (o) =>
    L.muPMultipliers({
      ...{ kind: 'input', fanIn: 1, fanOut: 2, baseFanIn: 1, baseFanOut: 1 },
      ...(o as object),
    }),
  trainOneHidden: (o) => L.trainOneHidden(engine, { ...one, scaling, width: 128, ...(o as object) }),
  'trainOneHidden: init': (o) => L.trainOneHidden(engine, { ...one, scaling, width: 128, init: o }),
  'trainOneHidden: keep': (o) => L.trainOneHidden(engine, { ...one, scaling, width: 128, keep: o }),
  limitModel: (o) => L.limitModel(engine, scaling, { ...one, ...(o as object) }),
  compareScalings: (o) =>
    L.compareScalings(engine, { ...one, scalings: [scaling], widths: [128], ...(o as object) }),
  measureExponents: (o) => L.measureExponents(engine, { scaling, ...(o as object) }),
  measurePlane: (o) => L.measurePlane(engine, { ...one, quantity: 'testLoss', ...(o as object) }),
  measureTerms: (o) => L.measureTerms(engine, { ...sweep, ...(o as object) }),
  measureDeepTerms: (o) => L.measureDeepTerms(engine, { ...sweep, ...(o as object) }),
  coordinateCheck: (o) => {
    const { epochs: _, ...rest } = sweep;
    return L.coordinateCheck(engine, { ...rest, ...(o as object) });
  },
  learningRateTransfer: (o) =>
    L.learningRateTransfer(engine, { ...sweep, learningRates: [1, 2, 3], ...(o as object) }),
  golikovFigure: (o) => L.golikovFigure(engine, { data: binary, ...(o as object) }),
  golikovWidths: (o) => L.golikovWidths(engine, { data: binary, ...(o as object) }),
  golikovDeepWidths: (o) => L.golikovDeepWidths(engine, { data: binary, hiddenLayers: 2, ...(o as object) }),
  catapult: (o) => L.catapult({ learningRate: 1, width: 8, ...(o as object) }),
  doubleDescent: (o) => L.doubleDescent(engine, o),
  hierarchy: (o) => L.hierarchy(model, { x, y, time: 1, ...(o as object) }),
  kernelOrders: (o) => L.kernelOrders(model, x, o),
  lazyDial: (o) => L.lazyDial(engine, net, { ...problem, alphas: [1], ...(o as object) }),
  'lazyDial: model': (o) =>
    L.lazyDial(engine, net, { ...problem, model: { ...setup, ...(o as object) }, alphas: [1] }),
  scanLearningRates: (o) =>
    L.scanLearningRates(engine, net, { ...problem, multiples: [1], ...(o as object) }),
  meanFieldEnergy: (o) => L.meanFieldEnergy(engine, net, { ...problem, ...(o as object) }),
  taylorErrors: (o) => L.taylorErrors(engine, net, { ...problem, ...(o as object) }),
  measureWidthLaws: (o) =>
    L.measureWidthLaws(engine, net, { x, y, widths: [4, 8], baseWidth: 4, ...(o as object) }),
  orderChaos: (o) => L.orderChaos(engine, { activation: { layer: 'tanh' }, wStd: 1, ...(o as object) }),
  spectrum: (o) => L.spectrum(engine, kernels.ntk, y, o),
  readCsv: (o) => L.readCsv('a,b\n1,2\n', o),
  readCifar: (o) => L.readCifar(new Uint8Array(3073), o),
  readImages: (o) => L.readImages([], o),
  loadKernel: async (o) => L.loadKernel(await L.saveKernel(kernels, { net, variant: 'simd' }), o),
  xorMixture: (o) => L.xorMixture({ samples: 4, ...(o as object) }),
};

for (const [name, call] of Object.entries(CALLS))
  test(name, async () => {
    await expect((async () => call(bad as never))()).rejects.toThrow(
      /: unknown option "([a-z]+\.)?misspelt"/i,
    );
  });
