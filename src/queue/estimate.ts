// What a kernel run will take on many workers, from a calibration of seconds: bytes, processor hours, and the time until the last
// tile is there, by playing the queue through with the measured times.
import { kernelTiles, planKernel, type KernelName } from '../kernel/index.js';
import type { NetDocument } from '../net/index.js';
import type { Engine } from '../wasm/engine.js';
import type { Key, Store } from '../store/store.js';

export interface EstimateOptions {
  readonly get: readonly KernelName[];
  readonly dtype: 'f32' | 'f64';
  readonly tile?: number;
  readonly diagonalSpatial?: boolean;
  /** Where the result will lie: its bandwidth and free space are measured. */
  readonly store?: Store;
  /** About how long one message keeps a worker busy. */
  readonly seconds?: number;
  readonly signal?: AbortSignal;
}

export interface Estimate {
  readonly entries: number;
  readonly tile: number;
  readonly tiles: number;
  /** Of the result in a store, both triangles. */
  readonly bytes: number;
  readonly free: number | null;
  readonly secondsPerTile: number;
  readonly microsecondsPerEntry: number;
  readonly cpuHours: number;
  /** Bytes a second, one process. */
  readonly storeWrite: number | null;
  readonly storeRead: number | null;
  readonly on: readonly {
    readonly workers: number;
    readonly seconds: number;
    /** What the store must take on average. */
    readonly bytesPerSecond: number;
    readonly messagesPerSecond: number;
    /** Entries cheaper than this (8 P / B) are computed anew in every iteration of a solve; dearer ones are stored. */
    readonly recomputeBelowMicroseconds: number | null;
  }[];
}

const COUNTS = [1, 10, 100, 1000];
/** Of the queue for each message. */
const MESSAGE_SECONDS = 0.0004;
const AHEAD = 4;

export async function estimateKernel(
  engine: Engine,
  net: NetDocument,
  shape: readonly number[],
  options: EstimateOptions,
): Promise<Estimate> {
  const { get, dtype, store, seconds = 30 } = options;
  const { tile: wish, diagonalSpatial = false, signal } = options;
  const plan = planKernel(engine, net, shape, null, {
    ...{ dtype, diagonalSpatial },
    ...(wish === undefined ? {} : { tile: wish }),
  });
  const n = shape[0]!;
  const { tile, tiles } = plan;
  const rows = Math.ceil(n / tile);
  const perPair = plan.resultBytes / (2 * n * n);
  const bytes = (rows * Math.min(tile, n)) ** 2 * perPair * get.length;
  const free = (await store?.room?.()) ?? null;
  const times = await tileTimes(engine, net, shape, Math.min(tile, n), options);
  const mean = times.reduce((sum, t) => sum + t, 0) / times.length;
  const speed = store ? await bandwidth(store) : null;
  // Tiles on the diagonal are half the work.
  const durations: number[] = [];
  for (let i = 0; i < rows; i++)
    for (let j = 0; j <= i; j++)
      durations.push(times[durations.length % times.length]! * (i === j ? 0.5 : 1));
  const writing = bytes / Math.max(1, tiles) / (speed?.write ?? Infinity);
  const on = COUNTS.map((workers) => {
    const share = Math.ceil(tiles / (AHEAD * workers));
    const size = Math.max(1, Math.min(Math.round(seconds / Math.max(mean, 1e-3)), share));
    const messages = Array.from({ length: Math.ceil(tiles / size) }, (_, g) =>
      durations.slice(g * size, (g + 1) * size).reduce((sum, t) => sum + t + writing, MESSAGE_SECONDS),
    );
    const took = playQueue(messages, workers);
    return {
      workers,
      seconds: took,
      bytesPerSecond: bytes / took,
      messagesPerSecond: messages.length / took,
      recomputeBelowMicroseconds: speed ? (1e6 * 8 * workers) / speed.read : null,
    };
  });
  signal?.throwIfAborted();
  const pairs = tile ** 2;
  return {
    ...{ entries: (n * (n + 1)) / 2, tile, tiles, bytes, free, on },
    secondsPerTile: mean,
    microsecondsPerEntry: (1e6 * mean) / pairs,
    cpuHours: durations.reduce((sum, t) => sum + t, 0) / 3600,
    storeWrite: speed?.write ?? null,
    storeRead: speed?.read ?? null,
  };
}

/** Seconds until the last message is done when workers take the next one whenever they are free. */
export function playQueue(messages: readonly number[], workers: number): number {
  // A heap of the times at which workers are free.
  const free = new Float64Array(Math.max(1, Math.min(workers, messages.length)));
  for (const seconds of messages) {
    let at = 0;
    const value = free[0]! + seconds;
    for (;;) {
      let least = 2 * at + 1;
      if (least >= free.length) break;
      if (least + 1 < free.length && free[least + 1]! < free[least]!) least++;
      if (free[least]! >= value) break;
      free[at] = free[least]!;
      at = least;
    }
    free[at] = value;
  }
  return free.reduce((most, t) => Math.max(most, t), 0);
}

/** Seconds of a few tiles of made-up samples on one thread; of smaller ones, scaled, where a whole one takes long. */
async function tileTimes(
  engine: Engine,
  net: NetDocument,
  shape: readonly number[],
  tile: number,
  { get, dtype, diagonalSpatial = false, signal }: EstimateOptions,
): Promise<number[]> {
  const size = shape.slice(1).reduce((all, m) => all * m, 1);
  const samples = (count: number, from: number) => {
    const data = new (dtype === 'f32' ? Float32Array : Float64Array)(count * size);
    // Numbers of no pattern, in [-1, 1).
    for (let i = 0; i < data.length; i++) data[i] = ((((i + from) * 40503) >>> 0) % 65536) / 32768 - 1;
    return { data, shape: [count, ...shape.slice(1)] } as {
      data: Float64Array<ArrayBuffer>;
      shape: number[];
    };
  };
  const one = async (side: number, turn: number): Promise<number> => {
    const start = performance.now();
    const call = kernelTiles(engine, net, samples(side, turn), samples(side, turn + 7), {
      ...{ get, dtype, diagonalSpatial, tile: side },
      ...(signal ? { signal } : {}),
    });
    for await (const _ of call);
    return (performance.now() - start) / 1000;
  };
  let side = Math.min(tile, 4);
  await one(side, 0); // what is made once for a net
  while (side < tile && (await one(side, 1)) * 4 < 1.5) side = Math.min(tile, 2 * side);
  const scale = (tile / side) ** 2;
  const times: number[] = [];
  for (let turn = 2; turn < 5; turn++) times.push(scale * (await one(side, turn)));
  return times;
}

/** Bytes a second that a store takes and gives, by one value of 8 MB. */
async function bandwidth(store: Store): Promise<{ write: number; read: number }> {
  const value = new Uint8Array(2 ** 23).map((_, i) => (i * 40503) >> 8);
  const key: Key = `/.calibration-${process.pid}-${Date.now()}`;
  const start = performance.now();
  try {
    await store.set(key, value);
    const written = performance.now();
    await store.get(key);
    const read = performance.now();
    return {
      write: (1000 * value.length) / (written - start),
      read: (1000 * value.length) / Math.max(0.1, read - written),
    };
  } finally {
    await store.delete(key);
  }
}
