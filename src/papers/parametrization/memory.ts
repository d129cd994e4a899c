// What a study keeps while it runs.
import type { NetDocument } from '../../net/index.js';
import type { Tensor } from '../../math/tensor.js';
import type { Engine } from '../../wasm/engine.js';

/** Finished units and checkpoints by name. Values are plain data with typed arrays. */
export interface StudyMemory {
  /** How often training is to be kept; > 0. */
  readonly checkpointSeconds: number;
  /** null where there is none. */
  load(name: string): Promise<unknown>;
  keep(name: string, value: unknown): Promise<void>;
  drop(name: string): Promise<void>;
  /** The NTK, remembered while it is computed; without it a stopped kernel starts again. */
  readonly ntk?: (
    engine: Engine,
    net: NetDocument,
    x1: Tensor,
    x2: Tensor | null,
    signal: AbortSignal | undefined,
  ) => Promise<Float64Array>;
}

export interface Follow {
  readonly signal?: AbortSignal | undefined;
  readonly memory?: StudyMemory | undefined;
  /** Of the unit, for its checkpoints. */
  readonly name?: string;
  /** The share of the unit that is done. */
  readonly onPart?: (share: number) => void;
}
