// Order and chaos at infinite depth (Poole et al. 2016; Schoenholz et al. 2017): fixed points of the variance and
// correlation maps of a wide random net, read off the library's own kernels, so every activation of the format works.
import { kernel } from '../kernel/index.js';
import { log } from '../math/elementary.js';
import { tensor } from '../math/tensor.js';
import { isActivation } from '../layers/registry.js';
import { parseLayer, type LayerDocument, type NetDocument } from '../net/document.js';
import { knownFields, NumericalError, type Engine, type Fields } from '../wasm/engine.js';

export interface OrderChaosOptions {
  /** An activation of the format, e.g. { layer: 'tanh' }. */
  readonly activation: LayerDocument;
  readonly wStd: number;
  /** Default 0. */
  readonly bStd?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface OrderChaos {
  /** Fixed point of the variance from q = 1: 0 or Infinity when it vanishes or explodes. */
  readonly qStar: number;
  /** Stable fixed point of the correlation of two inputs. */
  readonly cStar: number;
  /** Slope of the correlation map at c = 1: below 1 ordered, above 1 chaotic, 1 critical. */
  readonly chi1: number;
  /** Layers over which correlations approach cStar, -1/log(slope at cStar); Infinity at criticality. */
  readonly depthScale: number;
  readonly phase: 'ordered' | 'critical' | 'chaotic';
}

const CRITICAL = 1e-8;

const CHAOS_OPTIONS: Fields<OrderChaosOptions> = { activation: true, wStd: true, bStd: true, signal: true };

/**
 * Phase of wide nets with these layers. RangeError for layers that are no activation and standard deviations that are not
 * finite or negative; NumericalError where the variance alternates for ever and has no limit.
 */
export async function orderChaos(engine: Engine, options: OrderChaosOptions): Promise<OrderChaos> {
  knownFields('orderChaos', options, CHAOS_OPTIONS);
  const { wStd, bStd = 0, signal } = options;
  const activation = activationOf(options.activation);
  for (const [name, value] of Object.entries({ wStd, bStd })) {
    if (!(value >= 0) || !Number.isFinite(value)) {
      throw new RangeError(`orderChaos: ${name} must be a finite number >= 0, got ${value}.`);
    }
  }
  const qStar = await variance(engine, { activation, wStd, bStd, signal });
  // At vanishing or exploding variance the correlation map is that of very small or large inputs.
  const q = Math.min(HUGE, Math.max(TINY, qStar));
  const step: NetDocument = [
    { layer: 'dense', units: 1 },
    activation,
    { layer: 'dense', units: 1, wStd, bStd },
  ];
  const map = (cs: readonly number[]): Promise<Point[]> => correlationMap(engine, step, q, cs, signal);
  const [one] = await map([1]);
  const chi1 = one!.slope * one!.gain;
  const phase = Math.abs(chi1 - 1) < CRITICAL ? 'critical' : chi1 < 1 ? 'ordered' : 'chaotic';
  const cStar = phase === 'chaotic' ? await correlation(map) : 1;
  const slope = phase === 'chaotic' ? await slopeAt(map, cStar) : chi1;
  const depthScale = phase === 'critical' ? Infinity : slope > 0 ? -1 / log(slope) : 0;
  return { qStar, cStar, chi1, depthScale, phase };
}

/** orderChaos on a grid: rows wStd, columns bStd. Errors as there. */
export async function phaseDiagram(
  engine: Engine,
  activation: LayerDocument,
  wStds: readonly number[],
  bStds: readonly number[],
): Promise<OrderChaos[][]> {
  const rows: OrderChaos[][] = [];
  for (const wStd of wStds) {
    const row: OrderChaos[] = [];
    for (const bStd of bStds) row.push(await orderChaos(engine, { activation, wStd, bStd }));
    rows.push(row);
  }
  return rows;
}

interface Point {
  /** The correlation one layer on, and the derivative. */
  readonly c: number;
  readonly slope: number;
  /** Variance out over variance in; 1 at the fixed point. */
  readonly gain: number;
}

const LAYERS = 50;
const ROUNDS = 4;
const GRID = 32; // variances at a time
/** Relative error of V(q) / q, and what counts as vanished and exploded. */
const NOISE = 1e-12;
const TINY = 1e-30;
const HUGE = 1e100;

/** The activation as parsed, so that errors name it and not its place in the nets below. */
function activationOf(document: LayerDocument): LayerDocument {
  const layer = parseLayer(document, 'activation');
  if (isActivation(layer)) return layer as unknown as LayerDocument;
  throw new RangeError(
    `orderChaos: activation must be an activation such as { layer: 'tanh' }, got '${layer.layer}'.`,
  );
}

/** The variance one layer on, V(q), for several variances. */
type VarianceMap = (qs: readonly number[]) => Promise<number[]>;

/**
 * The fixed point of V that is reached from q = 1. Depth alone reaches it quickly away from criticality. Near it the
 * steps shrink with the distance, so the rest of the way is a search for where V(q) / q passes 1.
 */
async function variance(
  engine: Engine,
  { activation, wStd, bStd, signal }: OrderChaosOptions,
): Promise<number> {
  const layer: NetDocument = [activation, { layer: 'dense', units: 1, wStd, bStd }];
  const options = { get: ['nngp'] as const, ...(signal ? { signal } : {}) };
  const through = async (qs: readonly number[], times: number): Promise<number[]> => {
    const net: NetDocument = [
      { layer: 'dense', units: 1 },
      { layer: 'repeat', times, net: layer },
    ];
    const x = tensor(Float64Array.from(qs, Math.sqrt), [qs.length, 1]);
    const { data } = (await kernel(engine, net, x, null, options)).nngp;
    return qs.map((_, i) => data[i * (qs.length + 1)]!);
  };
  const map: VarianceMap = (qs) => through(qs, 1);
  let q = 1;
  for (let round = 0; round < ROUNDS; round++) {
    const next = await through([q], LAYERS).then(
      ([value]) => value!,
      (error: unknown) => {
        if (error instanceof NumericalError) return Infinity;
        throw error;
      },
    );
    if (!(next < HUGE)) break;
    if (Math.abs(next - q) <= 1e-13 * q && Math.abs((await map([q]))[0]! - q) <= 1e-12 * q)
      return next === 0 ? 0 : stable(map, next);
    if (next < TINY) break;
    q = next;
  }
  return search(map, q);
}

/** Where V(q) / q passes 1 from q on, towards the side to which the variance moves; 0 or Infinity when it does not. */
async function search(map: VarianceMap, from: number): Promise<number> {
  const growth = async (qs: readonly number[]): Promise<number[]> =>
    (await map(qs)).map((value, i) => value / qs[i]! - 1);
  const first = (await growth([from]))[0]!;
  if (Math.abs(first) <= NOISE) return stable(map, from);
  const up = first > 0;
  let before = from;
  for (;;) {
    const last = before;
    const grid = Array.from({ length: GRID }, (_, i) => last * 2 ** (up ? i + 1 : -i - 1));
    const found = await growth(grid);
    const at = found.findIndex((value) => (up ? value < -NOISE : value > NOISE));
    if (at >= 0) {
      const other = at > 0 ? grid[at - 1]! : last;
      return stable(map, await narrow(growth, up ? [other, grid[at]!] : [grid[at]!, other]));
    }
    before = grid.at(-1)!;
    if (before > HUGE) return Infinity;
    if (before < TINY) return 0;
  }
}

/** The root between two variances of which the first grows and the second shrinks, to the last digits. */
async function narrow(growth: VarianceMap, [low, high]: readonly [number, number]): Promise<number> {
  while (high - low > 1e-15 * high) {
    const [from, width] = [low, (high - low) / GRID];
    const grid = Array.from({ length: GRID - 1 }, (_, i) => from + width * (i + 1));
    const found = await growth(grid);
    const at = found.findIndex((value) => value <= 0);
    const next = [at > 0 ? grid[at - 1]! : at === 0 ? low : grid.at(-1)!, at < 0 ? high : grid[at]!] as const;
    if (next[0] === low && next[1] === high) break;
    [low, high] = next;
  }
  return (low + high) / 2;
}

/** q, unless the variance jumps over it from layer to layer and ever further. */
async function stable(map: VarianceMap, q: number): Promise<number> {
  const h = 1e-4;
  const [above, below] = await map([q * (1 + h), q * (1 - h)]);
  if ((above! - below!) / (2 * h * q) >= -1 - 1e-6) return q;
  throw new NumericalError(
    `orderChaos: the variance has no limit with depth: it alternates around its fixed point ${q.toPrecision(6)}. Use a smaller wStd.`,
  );
}

/** Two inputs of variance q and correlation c in, the correlation and its slope out; pairs (0, i). */
async function correlationMap(
  engine: Engine,
  net: NetDocument,
  q: number,
  cs: readonly number[],
  signal: AbortSignal | undefined,
): Promise<Point[]> {
  const s = Math.sqrt(2 * q);
  const x1 = tensor(Float64Array.of(s, 0), [1, 2]);
  const points: Point[] = [];
  const x2 = tensor(Float64Array.from(cs.flatMap((c) => [s * c, s * Math.sqrt(Math.max(0, 1 - c * c))])), [
    cs.length,
    2,
  ]);
  const options = { get: ['nngp', 'ntk'] as const, ...(signal ? { signal } : {}) };
  const cross = await kernel(engine, net, x1, x2, options);
  const self = await kernel(engine, net, x1, null, options);
  const [k, t] = [self.nngp!.data[0]!, self.ntk!.data[0]!];
  cs.forEach((c, i) => {
    // The first layer's tangent kernel is its covariance c q, so ntk = nngp + (wStd^2 phi' dual) c q.
    const [k12, t12] = c === 1 ? [k, t] : [cross.nngp!.data[i]!, cross.ntk!.data[i]!];
    points.push({ c: k12 / k, slope: (t12 - k12) / (c * k), gain: k / q });
  });
  return points;
}

/** The stable fixed point below 1 of a chaotic map, by repeated bracketing. */
async function correlation(map: (cs: readonly number[]) => Promise<Point[]>): Promise<number> {
  let [low, high] = [0, 1 - 1e-9];
  for (let level = 0; level < 8; level++) {
    const grid = Array.from({ length: 33 }, (_, i) => low + ((high - low) * i) / 32);
    const points = await map(grid);
    const at = points.findIndex(({ c }, i) => c <= grid[i]!);
    if (at < 0) return 1;
    if (at === 0) return grid[0]!; // on or below the diagonal from the start: decorrelated
    [low, high] = [grid[at - 1]!, grid[at]!];
  }
  if (low === 0 && (await map([0]))[0]!.c <= 1e-14) return 0; // an odd activation without bias
  return (low + high) / 2;
}

async function slopeAt(map: (cs: readonly number[]) => Promise<Point[]>, c: number): Promise<number> {
  if (c > 0.01) return (await map([c]))[0]!.slope;
  const h = 1e-4;
  const [up, down] = await map([c + h, c - h]);
  return (up!.c - down!.c) / (2 * h);
}
