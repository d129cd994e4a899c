// A kernel matrix as a run in a store: a document that says what is computed, the inputs, and one array per kernel with one
// chunk per tile. Whoever opens the run can compute any of its tiles; the chunk that exists is the commit.
import { prepare, withSphere, type KernelOptions } from '../kernel/kernel.js';
import type { KernelName } from '../kernel/index.js';
import { tileGrid, type TilePlace } from '../kernel/plan.js';
import { blameInput } from '../kernel/tiles/checks.js';
import { transposedSheets } from '../kernel/tiles/tile.js';
import type { TileParams } from '../kernel/tiles/tile-params.js';
import type { Tensor } from '../math/tensor.js';
import { toJson, parseNet, type NetDocument } from '../net/index.js';
import { version } from '../version.js';
import type { Engine, Variant } from '../wasm/engine.js';
import { digest, kernelsDigest } from './digest.js';
import { DamagedError, StoreError } from './errors.js';
import { acquire } from './lock.js';
import { decodeRecord, encodeRecord } from './record.js';
import { getJson, jsonBytes, type Store } from './store.js';
import { createArray, createGroup, openArray, places as grid, type StoredArray } from './zarr.js';

/** What is computed, and by what: a run goes on only where all of it agrees. */
export interface RunDocument {
  readonly kind: 'kernel';
  readonly net: unknown;
  readonly get: readonly KernelName[];
  readonly dtype: 'f32' | 'f64';
  readonly options: Readonly<Record<string, unknown>>;
  /** Samples per side of a tile. */
  readonly tile: number;
  readonly tiles: number;
  readonly shape: readonly number[];
  /** x2 is x1: tiles on and below the diagonal are computed, the others are their mirror images. */
  readonly symmetric: boolean;
  /** SHA-256 of the inputs, of functions given in code, of the parameters of tiles and of the kernels in WebAssembly. */
  readonly data: string;
  readonly functions: string;
  readonly params: string;
  readonly wasm: string;
  readonly variant: Variant;
  readonly version: string;
}

export interface KernelRun {
  readonly store: Store;
  readonly document: RunDocument;
  readonly places: readonly TilePlace[];
  readonly arrays: ReadonlyMap<KernelName, StoredArray>;
  /** Everything of a tile but its samples. */
  readonly params: Omit<TileParams, 'x1' | 'x2' | 'pattern1' | 'pattern2'>;
  readonly inputs: {
    readonly x1: StoredArray;
    readonly x2: StoredArray | null;
    readonly pattern1: StoredArray | null;
    readonly pattern2: StoredArray | null;
  };
  /** Numbers per pair of samples, and where each stands in the mirror image. */
  readonly entries: number;
  readonly swap: Int32Array | null;
}

export interface NewRun {
  readonly net: NetDocument;
  readonly x1: Tensor;
  readonly x2: Tensor | null;
  readonly get: readonly KernelName[];
  readonly options: KernelOptions;
  /** The source of activations given in code: tiles can then be computed by processes that have it only. */
  readonly functions?: string;
  /** Go on with a run that is there. */
  readonly resume: boolean;
}

const RUN = '/run.json';

/** What differs between runs is said in these words. */
const COMPARED: readonly (keyof RunDocument)[] = [
  ...(['net', 'get', 'dtype', 'options', 'data', 'functions', 'tile'] as const),
  ...(['params', 'wasm', 'variant', 'version'] as const),
];

/**
 * Makes a run, or opens the one that is there if it is the same one and `resume` allows it. StoreError where it is another one,
 * or where the store has no room for the result.
 */
export async function beginKernelRun(engine: Engine, store: Store, run: NewRun): Promise<KernelRun> {
  const { net, x1, x2, get, options, functions = '' } = run;
  const call = await withSphere(engine, prepare(engine, net, x1, x2, { ...options, get }));
  blameInput(call.x1, call.x2, call.params.maskConstant); // before anything is written, tiles far away see no whole input
  const params = await encodeRecord(call.params);
  const { maskConstant, diagonalSpatial = false, frozen = [], tolerance } = options;
  const [n1, n2] = [x1.shape[0]!, (x2 ?? x1).shape[0]!];
  const tile = Math.max(
    ...call.places.map(({ rows, columns }) => Math.max(rows[1] - rows[0], columns[1] - columns[0])),
  );
  const patterns = [call.pattern1, call.pattern2] as const;
  const document: RunDocument = {
    kind: 'kernel',
    net: toJson(parseNet(net)),
    get,
    dtype: call.params.dtype,
    options: { diagonalSpatial, frozen, maskConstant: String(maskConstant), tolerance: tolerance ?? null },
    tile,
    tiles: call.places.length,
    shape: [n1, n2, ...call.positions],
    symmetric: x2 === null,
    data: digest(x1, x2, ...patterns),
    functions: digest(functions),
    params: digest(params),
    wasm: await kernelsDigest(engine.variant),
    variant: engine.variant,
    version,
  };
  const lock = await acquire(store, 5); // another driver of the same run holds it while it writes the inputs
  try {
    await store.sweep?.();
    if ((await store.has(RUN)) && (await same(store, document, run.resume)))
      return await openKernelRun(store);
    await checkRoom(store, document);
    const put = async (name: string, tensor: { data: ArrayBufferView; shape: readonly number[] } | null) =>
      tensor && putInput(store, name, tensor as Tensor, tile);
    await createGroup(store, { 'infinite-width': version });
    await put('x1', x1);
    await put('x2', x2);
    await put('pattern1', call.pattern1);
    await put('pattern2', call.pattern2);
    await store.set('/params.record', params);
    for (const name of get)
      await createArray(store, name, {
        shape: document.shape,
        chunks: [Math.min(tile, n1), Math.min(tile, n2), ...call.positions],
        dtype: document.dtype === 'f32' ? 'float32' : 'float64',
        attributes: { kernel: name, variant: engine.variant, version },
      });
    await store.set(RUN, jsonBytes({ ...document, sha256: digest(JSON.stringify(document)) }));
  } finally {
    await lock.release();
  }
  return openKernelRun(store);
}

/** Whether the run that is there may go on as `document`; StoreError where it may not. */
async function same(store: Store, document: RunDocument, resume: boolean): Promise<boolean> {
  if (!resume)
    throw new StoreError(
      `--out: ${store.name} holds an unfinished run or a result. Continue it with --resume, or delete the folder.`,
    );
  const before = await readDocument(store);
  const changed = COMPARED.filter((name) => JSON.stringify(before[name]) !== JSON.stringify(document[name]));
  if (changed.length === 0) return true;
  throw new StoreError(
    `--resume: the unfinished run in ${store.name} differs in ${changed.join(', ')}. Give the same options and files, or delete the folder.`,
  );
}

async function readDocument(store: Store): Promise<RunDocument> {
  const found = (await getJson(store, RUN)) as (RunDocument & { sha256?: string }) | undefined;
  if (!found)
    throw new StoreError(
      `store: ${store.name} holds no run (no run.json). Is the path right? 'kernel --out' makes one.`,
    );
  const { sha256, ...document } = found;
  if (document.kind !== 'kernel' || sha256 !== digest(JSON.stringify(document)))
    throw new DamagedError(store.name, RUN, 'its content is not what was written');
  return document;
}

async function checkRoom(store: Store, document: RunDocument): Promise<void> {
  const bytes = resultBytes(document);
  const free = (await store.room?.()) ?? Infinity;
  if (bytes > free)
    throw new StoreError(
      `--out: needs ${bytes} bytes on disk, the limit is ${free} (free). Use fewer samples, f32 or one kernel.`,
    );
}

/** Bytes of all chunks when the run is done, the padding at the edges included. */
export function resultBytes({ shape, tile, dtype, get }: RunDocument): number {
  const [n1, n2, ...positions] = shape as [number, number, ...number[]];
  const side = (n: number): number => Math.ceil(n / tile) * Math.min(tile, n);
  const size = positions.reduce((all, n) => all * n, side(n1) * side(n2));
  return size * (dtype === 'f32' ? 4 : 8) * get.length;
}

async function putInput(store: Store, name: string, { data, shape }: Tensor, tile: number): Promise<void> {
  const [n, ...sample] = shape as [number, ...number[]];
  const chunks = [Math.min(n, tile), ...sample];
  const dtype = data instanceof Float32Array ? 'float32' : 'float64';
  const array = await createArray(store, name, { shape, chunks, dtype });
  const size = sample.reduce((all, m) => all * m, 1);
  for (const at of grid(shape, chunks)) {
    const from = at[0]! * chunks[0]!;
    await array.write(at, data.slice(from * size, Math.min(n, from + chunks[0]!) * size));
  }
}

/** Opens a run; StoreError where there is none, DamagedError where its document or parameters are not what was written. */
export async function openKernelRun(store: Store): Promise<KernelRun> {
  const document = await readDocument(store);
  const bytes = await store.get('/params.record');
  if (!bytes || digest(bytes) !== document.params)
    throw new DamagedError(store.name, '/params.record', 'its content is not what was written');
  const params = (await decodeRecord(bytes)) as KernelRun['params'];
  const [n1, n2, ...positions] = document.shape as [number, number, ...number[]];
  const chunks = [Math.min(document.tile, n1), Math.min(document.tile, n2), ...positions];
  const arrays = new Map<KernelName, StoredArray>();
  for (const name of document.get) {
    const array = await openArray(store, name);
    if (`${array.shape}` !== `${document.shape}` || `${array.chunks}` !== `${chunks}`)
      throw new DamagedError(store.name, `/${name}/zarr.json`, 'it has another shape than the run');
    arrays.set(name, array);
  }
  const optional = async (name: string): Promise<StoredArray | null> =>
    (await store.has(`/${name}/zarr.json`)) ? openArray(store, name) : null;
  const spatial = params.diagonalSpatial ? positions : positions.filter((_, axis) => axis % 2 === 0);
  return {
    ...{ store, document, arrays, params },
    places: tileGrid(n1, n2, document.tile, document.symmetric),
    inputs: {
      x1: await openArray(store, 'x1'),
      x2: document.symmetric ? null : await openArray(store, 'x2'),
      pattern1: await optional('pattern1'),
      pattern2: await optional('pattern2'),
    },
    entries: positions.reduce((all, n) => all * n, 1),
    swap: transposedSheets(spatial, !params.diagonalSpatial),
  };
}

/** StoreError unless this process computes the bits that the run is made of. */
export async function checkMaker({ document, store }: KernelRun, engine: Engine): Promise<void> {
  const mine = { version, variant: engine.variant, wasm: await kernelsDigest(engine.variant) };
  for (const name of ['version', 'variant', 'wasm'] as const) {
    if (mine[name] === document[name]) continue;
    throw new StoreError(
      `store: the run in ${store.name} was begun with ${name} ${document[name].slice(0, 16)}, this process has ${mine[name].slice(0, 16)}. Use the same package${name === 'variant' ? ` and --variant ${document.variant}` : ''}.`,
    );
  }
  if (document.functions !== digest(''))
    throw new StoreError(
      `store: the run in ${store.name} uses activations given in code (--functions), which other processes do not have. Run it in one process.`,
    );
}
