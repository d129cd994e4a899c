// The public entry: kernels of nets between data sets, by tiles.
import { allocate, type Tensor, type TensorLike } from '../math/tensor.js';
import type { Pattern } from '../layers/states/state.js';
import type { Layer } from '../layers/vocabulary.js';
import { parseNet, type NetDocument } from '../net/document.js';
import { knownFields, NumericalError, type Engine, type Fields } from '../wasm/engine.js';
import {
  blameInput,
  checkDtype,
  checkInputs,
  checkNames,
  checkPatterns,
  checkTolerance,
  type KernelName,
} from './tiles/checks.js';
import { compileNet } from './propagation/compiled-net.js';
import { frozenPaths } from './propagation/frozen.js';
import { usedConstant } from './propagation/input.js';
import { offsetCall } from './offsets/tile.js';
import { cutSamples, placeTile } from './tiles/pieces.js';
import { sphereFor } from './propagation/sphere.js';
import { callSide, tileGrid, type TilePlace } from './plan.js';
import { tileJob, transposedSheets, wantedOutput } from './tiles/tile.js';
import type { TileParams, TileResult } from './tiles/tile-params.js';

/** Progress of a long call. */
export interface KernelProgress {
  /** Kernel entries done and in total. */
  readonly done: number;
  readonly total: number;
  readonly entriesPerSecond: number;
  readonly secondsLeft: number;
}

/** What `get` may be: one kernel or a list of kernels. */
export type KernelGet = KernelName | readonly KernelName[];

export interface KernelOptions<G extends KernelGet = readonly ['nngp', 'ntk']> {
  /** Which kernels; default both. Without `ntk` the work is about half. */
  readonly get?: G;
  /** Default: `f32` for Float32Array inputs, else `f64`. */
  readonly dtype?: 'f32' | 'f64';
  /** Entries of the inputs equal to it are masked (variable-length inputs); may be NaN. */
  readonly maskConstant?: number;
  /** Patterns of `aggregate` layers, (n, V, V): entry [n, i, j] weighs the edge i to j. */
  readonly pattern1?: TensorLike | null;
  readonly pattern2?: TensorLike | null;
  /** Return same-position entries only, for nets that end with spatial axes. */
  readonly diagonalSpatial?: boolean;
  /**
   * Paths (`layers.0`) of layers with weights that are not trained, or of layers that hold them: their own NTK terms are
   * dropped. The copies of a repeat are `layers.1.net.0` and so on, or all of them `layers.1.net`.
   */
  readonly frozen?: readonly string[];
  /** Relative error asked of activations without a closed form; between 0 and 1; default 1e-13 (f64) or 1e-8 (f32). */
  readonly tolerance?: number;
  /** Samples per side of a tile; default from the engine's memory budget. Does not change results. */
  readonly tile?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: KernelProgress) => void;
}

export interface KernelTilesOptions<G extends KernelGet = readonly ['nngp', 'ntk']> extends KernelOptions<G> {
  /** Leaves out tiles that are there already, such as those an earlier run has written. */
  readonly skip?: (rows: TilePlace['rows'], columns: TilePlace['columns']) => boolean;
}

/** The names that a `get` asks for; a list not known when the program is compiled may hold either. */
type Asked<G extends KernelGet> = [G] extends [readonly (infer N extends KernelName)[]]
  ? number extends G['length']
    ? { readonly [K in N]?: Tensor }
    : { readonly [K in N]: Tensor }
  : { readonly [K in G & KernelName]: Tensor };

/**
 * Kernels of one output channel, (n1, n2) or, with spatial axes, (n1, n2, X, X', Y, Y'): those that were asked for,
 * `KernelResult<'ntk'>` has no `nngp`.
 */
export type KernelResult<G extends KernelGet = readonly ['nngp', 'ntk']> = Asked<G>;

/** A tile of a kernel matrix: rows and columns [start, end) of the whole. */
export type KernelTile<G extends KernelGet = readonly ['nngp', 'ntk']> = KernelResult<G> & {
  readonly rows: readonly [number, number];
  readonly columns: readonly [number, number];
};

interface Call {
  readonly net: Layer;
  readonly x1: Tensor;
  readonly x2: Tensor | null;
  readonly params: Omit<TileParams, 'x1' | 'x2' | 'pattern1' | 'pattern2'>;
  readonly pattern1: Pattern | null;
  readonly pattern2: Pattern | null;
  readonly places: readonly TilePlace[];
  /** Output positions, zipped; empty for a matrix. */
  readonly positions: readonly number[];
  readonly swap: Int32Array | null;
  readonly entries: number;
}

/** @internal */
export const KERNEL_OPTIONS: Fields<KernelOptions> = {
  get: true,
  dtype: true,
  maskConstant: true,
  pattern1: true,
  pattern2: true,
  diagonalSpatial: true,
  frozen: true,
  tolerance: true,
  tile: true,
  signal: true,
  onProgress: true,
};

/**
 * NNGP and NTK of `net` (builder result or plain JSON) between all samples of x1 and x2; `x2 = null` means x1 **as the same
 * samples** (identical variables are treated as such). Inputs are (n, ...spatial, channels).
 * Throws RangeError where a layer has no infinite limit (named by its path), NumericalError on overflow.
 */
export async function kernel<const G extends KernelGet = readonly ['nngp', 'ntk']>(
  engine: Engine,
  net: NetDocument,
  x1: TensorLike,
  x2: TensorLike | null = null,
  options: KernelOptions<G> = {},
): Promise<KernelResult<G>> {
  knownFields('kernel', options, KERNEL_OPTIONS);
  const call = prepare(engine, net, x1, x2, options);
  const shape = outputShape(call, call.x1.shape[0]!, (call.x2 ?? call.x1).shape[0]!);
  const result = new Map<KernelName, Tensor>();
  const onTile = (place: TilePlace, tile: TileResult): void => {
    for (const name of ['nngp', 'ntk'] as const) {
      const values = tile[name];
      if (!values || call.params[name] === false) continue;
      if (call.places.length === 1) result.set(name, { data: values, shape });
      else {
        let whole = result.get(name);
        if (!whole) {
          const size = shape.reduce((product, n) => product * n, 1);
          const data = allocate(
            values instanceof Float32Array ? 'f32' : 'f64',
            size,
            'kernel: the result',
            'Use fewer samples or f32, or kernelTiles.',
          );
          result.set(name, (whole = { data, shape }));
        }
        placeTile(whole, place, values, call);
      }
    }
  };
  await runTiles(engine, call, options, onTile);
  return pick<G>(result, options, shape, call);
}

/**
 * The tiles of a kernel matrix as they are done; with x2 = null only those on and below the diagonal. Errors as of
 * `kernel`.
 */
export async function* kernelTiles<const G extends KernelGet = readonly ['nngp', 'ntk']>(
  engine: Engine,
  net: NetDocument,
  x1: TensorLike,
  x2: TensorLike | null = null,
  options: KernelTilesOptions<G> = {},
): AsyncGenerator<KernelTile<G>> {
  knownFields('kernelTiles', options, { ...KERNEL_OPTIONS, skip: true });
  const all = await withSphere(engine, prepare(engine, net, x1, x2, options));
  const { skip } = options;
  const call = skip
    ? { ...all, places: all.places.filter(({ rows, columns }) => !skip(rows, columns)) }
    : all;
  const report = reporter(call, options);
  const batch = Math.max(1, engine.workers);
  for (let i = 0; i < call.places.length; i += batch) {
    const places = call.places.slice(i, i + batch);
    const tiles = await mapTiles(engine, call, places, options);
    for (const [j, tile] of tiles.entries()) {
      const place = places[j]!;
      report(place);
      const shape = outputShape(call, place.rows[1] - place.rows[0], place.columns[1] - place.columns[0]);
      const map = new Map<KernelName, Tensor>([['nngp', { data: tile.nngp, shape }]]);
      if (tile.ntk) map.set('ntk', { data: tile.ntk, shape });
      yield { rows: place.rows, columns: place.columns, ...pick<G>(map, options, shape, call) };
    }
  }
}

function pick<G extends KernelGet>(
  found: ReadonlyMap<KernelName, Tensor>,
  { get = ['nngp', 'ntk'] }: KernelOptions<KernelGet>,
  shape: readonly number[],
  { params }: Call,
): KernelResult<G> {
  const names = typeof get === 'string' ? [get] : get;
  const none = (): Tensor => ({
    data: params.dtype === 'f32' ? new Float32Array(0) : new Float64Array(0),
    shape,
  });
  return Object.fromEntries(
    names.map((name) => [name, found.get(name) ?? none()]),
  ) as unknown as KernelResult<G>;
}

/** @internal the call with a table of the net where all inputs have one norm and it pays. */
export async function withSphere(engine: Engine, call: Call): Promise<Call> {
  const { params, x1, x2 } = call;
  return { ...call, params: { ...params, sphere: await sphereFor(engine, params, x1, x2) } };
}

async function runTiles(
  engine: Engine,
  prepared: Call,
  options: KernelOptions<KernelGet>,
  onTile: (place: TilePlace, tile: TileResult) => void,
): Promise<void> {
  const call = await withSphere(engine, prepared);
  const report = reporter(call, options);
  // A window of tiles at a time: results are placed as they come and inputs are cut only when needed.
  const window = Math.max(1, engine.workers) * 4;
  for (let i = 0; i < call.places.length; i += window) {
    const places = call.places.slice(i, i + window);
    const tiles = await mapTiles(engine, call, places, options);
    for (const [j, tile] of tiles.entries()) {
      onTile(places[j]!, tile);
      report(places[j]!);
    }
  }
}

/** @internal */
export function reporter(call: Call, { onProgress }: KernelOptions<KernelGet>): (place: TilePlace) => void {
  if (!onProgress) return () => {};
  const start = performance.now();
  const area = ({ rows, columns }: TilePlace): number =>
    (rows[1] - rows[0]) * (columns[1] - columns[0]) * (!call.x2 && rows[0] === columns[0] ? 0.5 : 1);
  const total = call.places.reduce((sum, place) => sum + area(place), 0);
  let done = 0;
  return (place) => {
    done += area(place);
    const entriesPerSecond = done / Math.max(1e-3, (performance.now() - start) / 1000);
    onProgress({ done, total, entriesPerSecond, secondsLeft: (total - done) / entriesPerSecond });
  };
}

function outputShape({ positions }: Call, n1: number, n2: number): number[] {
  return [n1, n2, ...positions];
}

/** @internal */
export function tileParams(call: Call, { rows, columns }: TilePlace, send: boolean): TileParams {
  const same = !call.x2 && rows[0] === columns[0];
  const slice = (pattern: Pattern | null, range: readonly [number, number]): Pattern | null =>
    pattern && (cutSamples(pattern, range, send) as Pattern);
  return {
    ...call.params,
    x1: cutSamples(call.x1, rows, send),
    x2: same ? null : cutSamples(call.x2 ?? call.x1, columns, send),
    pattern1: slice(call.pattern1, rows),
    pattern2: same ? null : slice(call.x2 ? call.pattern2 : call.pattern1, columns),
  };
}

/** @internal */
export function prepare(
  engine: Engine,
  document: NetDocument,
  first: TensorLike,
  second: TensorLike | null,
  options: KernelOptions<KernelGet>,
): Call {
  const net = parseNet(document);
  const [x1, x2] = checkInputs(first, second);
  const maskConstant = usedConstant(options.maskConstant ?? null, [x1, x2]);
  const names = checkNames(options.get);
  const dtype = checkDtype(options.dtype, x1);
  const diagonalSpatial = options.diagonalSpatial ?? false;
  const compiled = compileNet(net, x1.shape.slice(1), wantedOutput(diagonalSpatial));
  const spatial = compiled.facts.shape.slice(0, -1);
  const positions = diagonalSpatial ? spatial : spatial.flatMap((n) => [n, n]);
  const [n1, n2] = [x1.shape[0]!, (x2 ?? x1).shape[0]!];
  const [pattern1, pattern2] = checkPatterns(net, options, n1, x2 && n2);
  const params = {
    net,
    ntk: names.includes('ntk'),
    nngp: names.includes('nngp') ? undefined : (false as const),
    dtype,
    diagonalSpatial,
    maskConstant,
    frozen: frozenPaths(compiled.shaped, options.frozen),
    tolerance: checkTolerance(options.tolerance, dtype),
  };
  const limits = { dtype, memoryBytes: engine.memoryBytes, wish: options.tile ?? null };
  const side = callSide(compiled, [n1, n2], offsetCall(params, x1.shape.slice(1)), limits);
  return {
    net,
    x1,
    x2,
    params,
    pattern1,
    pattern2,
    places: tileGrid(n1, n2, side, x2 === null),
    positions,
    swap: transposedSheets(spatial, !diagonalSpatial),
    entries: positions.reduce((product, n) => product * n, 1),
  };
}

/** Runs tiles; where a result is not finite because an input is not, the error says so. */
async function mapTiles(
  engine: Engine,
  call: Call,
  places: readonly TilePlace[],
  options: KernelOptions<KernelGet>,
): Promise<TileResult[]> {
  try {
    const list = places.map((place) => tileParams(call, place, engine.workers > 0));
    return await engine.map(tileJob, list, { signal: options.signal });
  } catch (error) {
    if (error instanceof NumericalError) blameInput(call.x1, call.x2, call.params.maskConstant);
    throw error;
  }
}

/** @internal a checked call as one tile. */
export function prepareTile(
  engine: Engine,
  net: NetDocument,
  x1: TensorLike,
  x2: TensorLike | null,
  options: KernelOptions<KernelGet>,
): TileParams {
  const call = prepare(engine, net, x1, x2, options);
  const { pattern1, pattern2, params } = call;
  return { ...params, x1: call.x1, x2: call.x2, pattern1, pattern2 };
}
