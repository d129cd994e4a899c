// Hyperparameters by maximum evidence: every wStd, bStd and the noise by gradient, the net among several by comparison.
import { exp, log } from '../../math/elementary.js';
import { kernelParameters, withParameters } from '../../kernel/derivatives/directions.js';
import { foldIn, randomKey, uniformAt } from '../../math/random.js';
import type { TensorLike } from '../../math/tensor.js';
import type { NetDocument } from '../../net/document.js';
import { knownFields, NumericalError, type Engine, type Fields } from '../../wasm/engine.js';
import { evidence, inputs } from './evidence.js';
import { climb, type Point } from './lbfgs.js';

/** What is climbed, what stays, and for how long. */
export interface FitHyperparametersOptions {
  /** `marginal` (default): log marginal likelihood; `leaveOneOut`: leave-one-out log predictive density. */
  readonly objective?: 'marginal' | 'leaveOneOut';
  /** Default `nngp`. */
  readonly method?: 'nngp' | 'ntk';
  /** `profiled`: the scale of the kernel is the best one for the data at every point; default `fixed`. */
  readonly scale?: 'fixed' | 'profiled';
  /** Start of the noise over the mean diagonal; default 1e-2. */
  readonly diagReg?: number;
  /** Names that keep their value: `layers.0.bStd`, `layers.2.baseWidth`, `diagReg`. A bStd of 0 always does. */
  readonly freeze?: readonly string[];
  /** Where parameters stay, by name: `{ 'layers.2.baseWidth': [1, 8192] }`; else within e^-12 and e^12. */
  readonly bounds?: Readonly<Record<string, readonly [low: number, high: number]>>;
  /** Starts beside the given one, each parameter multiplied by e^u, u uniform in (-1, 1); default 2. */
  readonly restarts?: number;
  readonly seed?: number;
  /** Steps of L-BFGS per start; default 60. */
  readonly maxSteps?: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: { done: number; total: number }) => void) | undefined;
}

/** The best net and noise found. */
export interface FittedHyperparameters {
  readonly net: NetDocument;
  readonly diagReg: number;
  /** The objective there, nats. */
  readonly value: number;
  /** Value and index in `nets` of the best point of every start. */
  readonly starts: readonly { readonly net: number; readonly value: number; readonly evaluations: number }[];
}

const BOUND = 12; // of the logarithms of parameters

const FIT_OPTIONS: Fields<FitHyperparametersOptions> = {
  objective: true,
  method: true,
  scale: true,
  diagReg: true,
  freeze: true,
  bounds: true,
  restarts: true,
  seed: true,
  maxSteps: true,
  signal: true,
  onProgress: true,
};

/**
 * The best hyperparameters of `nets` (one net, or several of, say, different depths) for the data. RangeError for
 * shapes, sizes or options that do not fit; NumericalError where no net has a finite evidence.
 */
export async function fitHyperparameters(
  engine: Engine,
  nets: NetDocument | readonly NetDocument[],
  x: TensorLike,
  y: TensorLike,
  options: FitHyperparametersOptions = {},
): Promise<FittedHyperparameters> {
  knownFields('fitHyperparameters', options, FIT_OPTIONS);
  const { restarts = 2, seed = 0, onProgress } = options;
  if (!Number.isInteger(restarts) || restarts < 0)
    throw new RangeError(`fitHyperparameters: restarts must be a whole number >= 0, got ${restarts}`);
  const list =
    Array.isArray(nets) && nets.every(isWholeNet) ? (nets as readonly NetDocument[]) : [nets as NetDocument];
  const total = list.length * (restarts + 1);
  const starts: { net: number; value: number; evaluations: number }[] = [];
  let best: FittedHyperparameters | null = null;
  for (const [index, net] of list.entries()) {
    for (let start = 0; start <= restarts; start++) {
      const found = await fromStart(engine, net, x, y, {
        options,
        key: foldIn(randomKey(seed), index, start),
        moved: start > 0,
      });
      starts.push({ net: index, value: found.value, evaluations: found.evaluations });
      if (!best || found.value > best.value) best = { ...found, starts };
      onProgress?.({ done: starts.length, total });
    }
  }
  if (!best || !Number.isFinite(best.value))
    throw new NumericalError('fitHyperparameters: no start has a finite objective. Raise diagReg.');
  return { net: best.net, diagReg: best.diagReg, value: best.value, starts };
}

/** A list of nets is told from a net written as a list of layers by its entries being whole nets. */
function isWholeNet(entry: unknown): boolean {
  return Array.isArray(entry) || (entry as { layer?: string }).layer === 'serial';
}

async function fromStart(
  engine: Engine,
  net: NetDocument,
  x: TensorLike,
  y: TensorLike,
  {
    options,
    key,
    moved,
  }: {
    readonly options: FitHyperparametersOptions;
    readonly key: ReturnType<typeof randomKey>;
    readonly moved: boolean;
  },
): Promise<{ net: NetDocument; diagReg: number; value: number; evaluations: number }> {
  const {
    objective = 'marginal',
    method = 'nngp',
    freeze = [],
    bounds = {},
    maxSteps = 60,
    signal,
  } = options;
  const given = inputs('fitHyperparameters', x, y);
  const all = kernelParameters(net, given.x.shape.slice(1));
  const known = [...all.map(({ name }) => name), 'diagReg'];
  for (const name of freeze)
    if (!known.includes(name))
      throw new RangeError(`fitHyperparameters: freeze knows ${known.join(', ')}, got '${name}'`);
  checkBounds(bounds, known);
  const noise = { name: 'diagReg', value: options.diagReg ?? 1e-2 };
  const free = [...all, noise].filter(({ name, value }) => value > 0 && !freeze.includes(name));
  const fixed = known.filter((name) => !free.some((one) => one.name === name));
  const at = (point: readonly number[]): Map<string, number> =>
    new Map(free.map(({ name }, i) => [name, exp(point[i]!)]));
  const apply = (point: readonly number[]): { net: NetDocument; diagReg: number } => {
    const values = at(point);
    const diagReg = values.get('diagReg') ?? noise.value;
    values.delete('diagReg');
    return { net: withParameters(net, values), diagReg };
  };
  const objectiveAt = async (point: readonly number[]): Promise<Point> => {
    signal?.throwIfAborted();
    const { net: candidate, diagReg } = apply(point);
    try {
      const { value, gradient } = await evidence(engine, candidate, [x, y], objective, {
        method,
        diagReg,
        gradient: true,
        freeze: fixed,
        ...(options.scale ? { scale: options.scale } : {}),
        signal,
      });
      return { value, gradient: free.map(({ name }, i) => gradient![name]! * exp(point[i]!)) };
    } catch (error) {
      if (error instanceof NumericalError) return { value: -Infinity, gradient: free.map(() => 0) };
      throw error;
    }
  };
  const start = free.map(({ value }, i) => log(value) + (moved ? 2 * uniformAt(key, i) - 1 : 0));
  const box = free.map(({ name }) => bounds[name]?.map((value) => log(value)) ?? [-BOUND, BOUND]) as [
    number,
    number,
  ][];
  const found = await climb(objectiveAt, start, { maxSteps, gain: 1e-7, box });
  return { ...apply(found.x), value: found.value, evaluations: found.evaluations };
}

function checkBounds(
  bounds: NonNullable<FitHyperparametersOptions['bounds']>,
  known: readonly string[],
): void {
  for (const [name, value] of Object.entries(bounds)) {
    if (!known.includes(name))
      throw new RangeError(`fitHyperparameters: bounds knows ${known.join(', ')}, got '${name}'`);
    const [low, high] = value;
    if (!(low > 0 && low < high && high < Infinity))
      throw new RangeError(
        `fitHyperparameters: bounds of '${name}' must be [low, high] with 0 < low < high, got [${value.join(', ')}]`,
      );
  }
}
