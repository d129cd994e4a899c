// Figures 1 and 2 of arXiv:2001.07301: test errors of kernel regression with the NTK of both parametrisations. The NTK of
// the improved standard parametrisation is affine in a common width N, so two kernels give those of all widths.
import { accuracyOf, centredOneHot } from '../../demo/problem.js';
import { kernel } from '../../kernel/index.js';
import { foldIn, randomKey, uniformAt } from '../../math/random.js';
import type { Tensor } from '../../math/tensor.js';
import type { NetDocument } from '../../net/index.js';
import { fitHyperparameters, gpInference } from '../../predict/index.js';
import type { Engine } from '../../wasm/engine.js';
import { studyNet, type Architecture } from './architectures.js';
import { first, flat, type StudyData } from './data.js';
import type { Follow } from './memory.js';

/** Train-train and test-train. */
export interface KernelPairs {
  readonly train: Float64Array;
  readonly test: Float64Array;
}

const inputsOf = (kind: Architecture, x: Tensor): Tensor => (kind === 'FC' ? flat(x) : x);

export async function ntkPairs(
  engine: Engine,
  kind: Architecture,
  net: NetDocument,
  data: StudyData,
  { signal, memory }: Follow,
): Promise<KernelPairs> {
  const [train, test] = [inputsOf(kind, data.xTrain), inputsOf(kind, data.xTest)];
  const of = async (x1: Tensor, x2: Tensor | null): Promise<Float64Array> =>
    memory?.ntk
      ? memory.ntk(engine, net, x1, x2, signal)
      : ((await kernel(engine, net, x1, x2, { get: 'ntk', ...(signal ? { signal } : {}) })).ntk
          .data as Float64Array);
  return { train: await of(train, null), test: await of(test, train) };
}

/** Share of wrong test labels of kernel regression on the first `n` train samples; ridge over the mean diagonal. */
export async function kernelError(
  engine: Engine,
  { train, test }: KernelPairs,
  data: StudyData,
  n: number,
  { diagReg, signal }: Follow & { readonly diagReg: number },
): Promise<number> {
  const total = data.trainLabels.length;
  const m = data.testLabels.length;
  const block = (from: Float64Array, rows: number): Tensor => {
    const out = new Float64Array(rows * n);
    for (let i = 0; i < rows; i++) out.set(from.subarray(i * total, i * total + n), i * n);
    return { data: out, shape: [rows, n] };
  };
  const y = centredOneHot(data.trainLabels.subarray(0, n), data.classes);
  const infer = gpInference(engine, { method: 'ntkgp', ntk: block(train, n), y, diagReg });
  const { mean } = await infer({ ntkTestTrain: block(test, m), signal });
  return 1 - accuracyOf(mean.data, data.testLabels, data.classes);
}

/** One comparison: the same architecture, train size and width, both parametrisations. */
export interface ErrorRow {
  readonly architecture: Architecture;
  readonly depth: number;
  /** Common width or widening factor; null: drawn per layer, see `widths`. */
  readonly width: number | null;
  readonly widths?: readonly number[];
  readonly train: number;
  readonly ntk: number;
  readonly standard: number;
}

export interface ErrorSizes {
  readonly trainSizes: readonly number[];
  readonly widths: readonly number[];
  readonly diagReg: number;
}

/** Figure 1, upper panel, of one architecture and depth. */
export async function parametrisationErrors(
  engine: Engine,
  kind: Architecture,
  depth: number,
  data: StudyData,
  { trainSizes, widths, diagReg, ...follow }: ErrorSizes & Follow,
): Promise<ErrorRow[]> {
  const positions = data.xTrain.shape[1]! * data.xTrain.shape[2]!;
  const of = (parametrization: 'ntk' | 'standard', width: number): Promise<KernelPairs> =>
    ntkPairs(engine, kind, studyNet(kind, { depth, width, parametrization, positions }, 1), data, follow);
  const ntk = await of('ntk', 1);
  follow.onPart?.(0.25);
  const one = await of('standard', 1);
  follow.onPart?.(0.5);
  const two = await of('standard', 2);
  follow.onPart?.(0.75);
  const rows: ErrorRow[] = [];
  const solve = { diagReg, signal: follow.signal };
  for (const train of trainSizes) {
    const reference = await kernelError(engine, ntk, data, train, solve);
    for (const width of widths) {
      const at = (a: Float64Array, b: Float64Array): Float64Array =>
        a.map((value, i) => value + (width - 1) * (b[i]! - value));
      const standard = { train: at(one.train, two.train), test: at(one.test, two.test) };
      const error = await kernelError(engine, standard, data, train, solve);
      rows.push({ architecture: kind, depth, width, train, ntk: reference, standard: error });
    }
  }
  return rows;
}

/** Figure 1, lower panel: layer widths 2^k, k a random whole number from 3 to 13 for every layer. */
export async function randomWidthErrors(
  engine: Engine,
  depth: number,
  data: StudyData,
  {
    trainSizes,
    diagReg,
    draws,
    seed,
    ...follow
  }: Omit<ErrorSizes, 'widths'> & Follow & { draws: number; seed: number },
): Promise<ErrorRow[]> {
  const net = (parametrization: 'ntk' | 'standard', width: number | readonly number[]): NetDocument =>
    studyNet('FC', { depth, width, parametrization, positions: 1 }, 1);
  const ntk = await ntkPairs(engine, 'FC', net('ntk', 1), data, follow);
  const rows: ErrorRow[] = [];
  for (let draw = 0; draw < draws; draw++) {
    follow.onPart?.((1 + draw) / (1 + draws));
    const key = foldIn(randomKey(seed), 'widths', depth, draw);
    const widths = Array.from({ length: depth }, (_, l) => 2 ** (3 + Math.floor(11 * uniformAt(key, l))));
    const standard = await ntkPairs(engine, 'FC', net('standard', widths), data, follow);
    for (const train of trainSizes)
      rows.push({
        architecture: 'FC',
        depth,
        width: null,
        widths,
        train,
        ntk: await kernelError(engine, ntk, data, train, { diagReg, signal: follow.signal }),
        standard: await kernelError(engine, standard, data, train, { diagReg, signal: follow.signal }),
      });
  }
  return rows;
}

/** Hidden widths that tuning may choose: from one unit to the widest nets of the paper. */
const WIDTHS = [1, 8192] as const;

/** One split of the data. */
export interface TunedWidths {
  /** Base widths after tuning, of hidden layers. */
  readonly widths: readonly number[];
  readonly start: number;
  /** Leave-one-out log predictive density per sample at the start and at the end, nats. */
  readonly density: readonly [start: number, end: number];
  /** Test errors by train size. */
  readonly rows: readonly {
    readonly train: number;
    readonly ntk: number;
    readonly constant: number;
    readonly tuned: number;
  }[];
}

/**
 * Figure 2: hidden base widths tuned on the first `tuneOn` train samples by the gradients of the leave-one-out log
 * predictive density of the NTK; the test set plays no part. Widths stay within those of layers that a net could have.
 */
export async function tunedWidths(
  engine: Engine,
  depth: number,
  data: StudyData,
  {
    trainSizes,
    diagReg,
    start,
    tuneOn,
    restarts,
    maxSteps,
    ...follow
  }: Omit<ErrorSizes, 'widths'> &
    Follow & { start: number; tuneOn: number; restarts: number; maxSteps: number },
): Promise<TunedWidths> {
  const net = (parametrization: 'ntk' | 'standard', width: number | readonly number[]): NetDocument =>
    studyNet('FC', { depth, width, parametrization, positions: 1 }, 1);
  const x = first(flat(data.xTrain), tuneOn);
  const y = centredOneHot(data.trainLabels.subarray(0, tuneOn), data.classes);
  const layers = Array.from({ length: depth + 1 }, (_, l) => `layers.${2 * l}`);
  const fixed = layers.flatMap((path) => [`${path}.wStd`, `${path}.bStd`]);
  const fit = {
    objective: 'leaveOneOut',
    method: 'ntk',
    scale: 'profiled',
    diagReg,
    freeze: [...fixed, 'layers.0.baseWidth', 'diagReg'],
    bounds: Object.fromEntries(layers.slice(1).map((path) => [`${path}.baseWidth`, WIDTHS])),
    signal: follow.signal,
  } as const;
  const begun = await fitHyperparameters(engine, net('standard', start), x, y, {
    ...fit,
    restarts: 0,
    maxSteps: 0,
  });
  const tuned = await fitHyperparameters(engine, net('standard', start), x, y, {
    ...fit,
    restarts,
    maxSteps,
  });
  const found = (tuned.net as unknown as { layers: { baseWidth?: number }[] }).layers;
  const widths = layers.slice(1).map((_, l) => found[2 * (l + 1)]!.baseWidth!);
  const pairs = async (document: NetDocument): Promise<KernelPairs> =>
    ntkPairs(engine, 'FC', document, data, follow);
  const [ntk, constant, best] = [
    await pairs(net('ntk', 1)),
    await pairs(net('standard', start)),
    await pairs(net('standard', widths)),
  ];
  const rows: TunedWidths['rows'][number][] = [];
  for (const train of trainSizes) {
    const error = (kernels: KernelPairs): Promise<number> =>
      kernelError(engine, kernels, data, train, { diagReg, signal: follow.signal });
    rows.push({ train, ntk: await error(ntk), constant: await error(constant), tuned: await error(best) });
  }
  return { widths, start, density: [begun.value / tuneOn, tuned.value / tuneOn], rows };
}
