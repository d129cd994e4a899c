// What a long experiment remembers outside of this process: finished runs, and where running ones stand.
import { threefry, foldIn, randomKey, type RandomKey } from '../../math/random.js';
import { version } from '../../version.js';
import type { DeepTrace } from '../experiments/deep-net.js';
import type { BinaryData, RunCheckpoint, RunTrace } from './run.js';

/** A place that outlives the process, such as a folder. Keys are short and fit for file names. */
export interface RunJournal {
  /** Seconds between two checkpoints of a run. */
  readonly everySeconds: number;
  /** What was kept for a run by an earlier call; null: nothing. */
  load(key: string): Promise<KeptRun | RunCheckpoint | null>;
  /** Keeps a finished run, or the state of a running one in place of what was kept for it before. */
  keep(key: string, what: KeptRun | RunCheckpoint): Promise<void>;
}

/** A finished run. */
export type KeptRun = RunTrace | DeepTrace;

export const isCheckpoint = (what: KeptRun | RunCheckpoint): what is RunCheckpoint => 'state' in what;

const digests = new WeakMap<BinaryData, RandomKey>();

/** A digest of the data of a problem. */
function digestOf(data: BinaryData): RandomKey {
  let key = digests.get(data);
  if (!key) {
    key = randomKey(data.inputs);
    for (const values of [data.xTrain, data.yTrain, data.xTest, data.yTest]) {
      const words = new Uint32Array(values.buffer, values.byteOffset, 2 * values.length);
      for (let i = 0; i < words.length; i += 2) key = threefry(key, words[i]!, words[i + 1]!);
      key = threefry(key, values.length, 0);
    }
    digests.set(data, key);
  }
  return key;
}

/**
 * The name a run is kept under: readable, and another one whenever anything that changes its result differs, this package's
 * version among it: no run is continued by other code than began it.
 */
export function runKey(
  params: {
    readonly data: BinaryData;
    readonly scaling: { readonly name: string };
    readonly width: number;
    readonly seed: number;
  },
  more: unknown = null,
): string {
  const { data, ...rest } = params;
  const text = JSON.stringify([version, rest, more], (_, value: unknown) =>
    ArrayBuffer.isView(value) ? Array.from(value as Float64Array) : value,
  );
  const [high, low] = foldIn(digestOf(data), text);
  const name = params.scaling.name.replace(/[^A-Za-z0-9.]+/g, '-').replace(/^-|-$/g, '');
  const hash = [high, low].map((word) => word.toString(16).padStart(8, '0')).join('');
  return `${name}-${params.width}-${params.seed}-${hash}`;
}
