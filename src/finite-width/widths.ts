// How wide is wide enough, and how depth over width makes the tangent kernel of a net random.
import { kernelsJob } from '../empirical/kernels-job.js';
import { exp } from '../math/elementary.js';
import { mean } from '../math/statistics.js';
import { asTensor, type TensorLike } from '../math/tensor.js';
import { parseNet, toJson, type NetDocument } from '../net/document.js';
import { knownFields, knownWord, type Engine } from '../wasm/engine.js';
import { finiteWidthCorrections, type FiniteWidthOptions } from './corrections.js';

type Shared = Pick<FiniteWidthOptions, 'signal' | 'onProgress'>;

export interface WidthOptions extends Shared {
  /** Root mean square over nets of |kernel - limit| / |limit| (Frobenius norms) that is small enough; > 0. */
  readonly tolerance: number;
  /** Which kernel; default `ntk`. */
  readonly kernel?: 'nngp' | 'ntk';
}

export interface SufficientWidth {
  /** Hidden widths that suffice: those of the net times `factor`, rounded up. */
  readonly widths: readonly number[];
  readonly factor: number;
  /** The deviation at the net's own widths, and its part that is the same for all nets. */
  readonly deviation: number;
  readonly shift: number;
}

/**
 * The smallest common multiple of a net's hidden widths at which its kernel on `x` is within a tolerance of the infinitely
 * wide one, to first order in 1/width: the variance falls as 1/factor, the square of the shift as 1/factor^2.
 *
 * @throws RangeError as `finiteWidthCorrections`; where the tolerance is so large that the answer lies outside the expansion.
 *
 * @example
 * const { widths } = await sufficientWidth(engine, net, x, { tolerance: 0.05 });
 */
export async function sufficientWidth(
  engine: Engine,
  net: NetDocument,
  x: TensorLike,
  options: WidthOptions,
): Promise<SufficientWidth> {
  knownFields('sufficientWidth', options, { tolerance: true, kernel: true, signal: true, onProgress: true });
  const { tolerance, kernel = 'ntk', ...follow } = options;
  knownWord('sufficientWidth', 'kernel', kernel, ['nngp', 'ntk']);
  if (!(tolerance > 0) || !Number.isFinite(tolerance))
    throw new RangeError(`sufficientWidth: tolerance must be a positive number, got ${tolerance}.`);
  const found = await finiteWidthCorrections(engine, net, x, { ...follow, mostExpansion: Infinity });
  const [limit, shifts, variances] =
    kernel === 'ntk'
      ? [found.ntk, found.ntkShift, found.ntkVariance]
      : [found.nngp, found.nngpShift, found.nngpVariance];
  const size = squares(limit.data);
  const variance = variances.data.reduce((sum, value) => sum + value, 0) / size;
  const shift = squares(shifts.data) / size;
  const wanted = tolerance * tolerance;
  const factor = (variance + Math.sqrt(variance * variance + 4 * shift * wanted)) / (2 * wanted);
  if (found.expansion / factor > 0.5)
    throw new RangeError(
      `sufficientWidth: at tolerance ${tolerance} the kernels' relative variance would be ${(found.expansion / factor).toPrecision(3)}, beyond the first order in 1/width. Ask for a smaller tolerance.`,
    );
  return {
    widths: found.widths.map((width) => Math.max(1, Math.ceil(width * factor))),
    factor,
    deviation: Math.sqrt(variance + shift),
    shift: Math.sqrt(shift),
  };
}

const squares = (data: ArrayLike<number>): number =>
  Array.from(data).reduce((sum, value) => sum + value * value, 0);

export interface MomentRatioOptions extends Shared {
  /** Also draw so many finite nets and measure; default 0: the theory alone. */
  readonly nets?: number;
  /** Of the first drawn net; default 0. */
  readonly seed?: number;
}

/** E[H^2]/E[H]^2 of the tangent kernel of one output at one sample. */
export interface MomentRatio {
  /** Sum of 1/width over the hidden layers: depth over width. */
  readonly depthOverWidth: number;
  /** 1 + Var(H)/E[H]^2 to first order in 1/width. */
  readonly firstOrder: number;
  /** exp(Var(H)/E[H]^2): how the ratio grows with depth over width where that is not small (Hanin & Nica). */
  readonly exponential: number;
  /** From `nets` finite nets. */
  readonly measured?: { readonly ratio: number; readonly standardError: number; readonly nets: number };
}

/**
 * How random the tangent kernel of a net is: E[H(x, x)^2]/E[H(x, x)]^2 over nets, for every sample of `x`. It depends on depth
 * over width (Hanin & Nica, arXiv:1909.05989): where that is not small there is no infinite-width limit to speak of.
 *
 * @throws RangeError as `finiteWidthCorrections`.
 *
 * @example
 * const [{ firstOrder, measured }] = await ntkMomentRatio(engine, net, [[1, 0, 0]], { nets: 1000 });
 */
export async function ntkMomentRatio(
  engine: Engine,
  net: NetDocument,
  x: TensorLike,
  options: MomentRatioOptions = {},
): Promise<MomentRatio[]> {
  const where = 'ntkMomentRatio';
  knownFields(where, options, { nets: true, seed: true, signal: true, onProgress: true });
  const { nets = 0, seed = 0, ...follow } = options;
  for (const [name, value] of Object.entries({ nets, seed }))
    if (!Number.isSafeInteger(value) || value < 0)
      throw new RangeError(`${where}: ${name} must be a whole number >= 0, got ${value}.`);
  const samples = asTensor(x, `${where}: x`);
  const n = samples.shape[0] ?? 0;
  const measured =
    nets > 0 ? measuredRatios(await drawn(engine, net, { x: samples, nets, seed, ...follow }), n) : null;
  const ratios: MomentRatio[] = [];
  for (let i = 0; i < n; i++) {
    const size = samples.data.length / n;
    const one = { data: samples.data.slice(i * size, (i + 1) * size), shape: [1, ...samples.shape.slice(1)] };
    const { ntk, ntkVariance, widths } = await finiteWidthCorrections(engine, net, one, {
      ...follow,
      mostExpansion: Infinity,
    });
    const relative = ntkVariance.data[0]! / (ntk.data[0]! * ntk.data[0]!);
    ratios.push({
      depthOverWidth: widths.reduce((sum, width) => sum + 1 / width, 0),
      firstOrder: 1 + relative,
      exponential: exp(relative),
      ...(measured ? { measured: measured[i]! } : {}),
    });
  }
  return ratios;
}

/** The diagonals of the tangent kernels of random nets with one output. */
async function drawn(
  engine: Engine,
  net: NetDocument,
  {
    x,
    nets,
    seed,
    signal,
  }: Shared & { readonly x: ReturnType<typeof asTensor>; readonly nets: number; readonly seed: number },
): Promise<Float64Array[]> {
  const document = oneOutput(net);
  const jobs = Array.from({ length: nets }, (_, i) => ({
    net: document,
    model: { inputShape: x.shape.slice(1), seed: seed + i },
    ...{ x, x2: null, outputs: 'trace' as const },
  }));
  const n = x.shape[0]!;
  const kernels = await engine.map(kernelsJob, jobs, { signal });
  return kernels.map(({ ntk }) => Float64Array.from({ length: n }, (_, i) => ntk.data[i * (n + 1)]!));
}

/** The net with a single output: the tangent kernels of several would be averaged. */
function oneOutput(net: NetDocument): NetDocument {
  const cut = (layer: Record<string, unknown>): Record<string, unknown> => {
    if (layer['layer'] !== 'serial') return layer['layer'] === 'dense' ? { ...layer, units: 1 } : layer;
    const layers = layer['layers'] as Record<string, unknown>[];
    return { ...layer, layers: [...layers.slice(0, -1), cut(layers.at(-1)!)] };
  };
  return cut(toJson(parseNet(net))) as NetDocument;
}

/** Ratio of moments with its standard error, by the linear response of m2 / m1^2 to each net. */
function measuredRatios(
  diagonals: readonly Float64Array[],
  n: number,
): NonNullable<MomentRatio['measured']>[] {
  return Array.from({ length: n }, (_, i) => {
    const h = diagonals.map((diagonal) => diagonal[i]!);
    const [m1, m2] = [mean(h), mean(h.map((value) => value * value))];
    const ratio = m2 / (m1 * m1);
    const moved = h.map((value) => (value * value) / (m1 * m1) - (2 * ratio * value) / m1 + ratio);
    return { ratio, standardError: Math.sqrt(squares(moved)) / h.length, nets: h.length };
  });
}
