// What a layer family provides for kernels.
import type { Core } from '../../wasm/engine.js';
import { layerLabel } from '../fields.js';
import type { Shaped } from '../shapes.js';
import type { Block, Demand, Facts, Joint, Pattern, Side } from './state.js';
import type { Layer } from '../vocabulary.js';

/** What `side` leaves for `joint`; `release` frees what it holds in wasm memory. */
export interface Note {
  release?(): void;
}

/**
 * The infinite-width rule of a layer without children. `side` and `joint` own the state they are given and return one
 * the caller owns. Masked positions are zeroed by the caller.
 */
export interface Rule<L extends Layer, N extends Note = Note> {
  /** Facts after the layer; throws where the limit is undefined. */
  facts(node: Shaped<L>, input: Facts): Facts;
  /** What it needs of its input so that its output meets `wanted`. */
  demand(node: Shaped<L>, wanted: Demand, input: Facts): Demand;
  side(core: Core, node: Shaped<L>, side: Side, context: SideContext): { side: Side; note: N };
  joint(
    core: Core,
    node: Shaped<L>,
    joint: Joint,
    call: { readonly one: N; readonly two: N; readonly block: Block; readonly wanted: Demand },
  ): Joint;
}

export interface SideContext {
  /** What is wanted of the covariances after the layer. */
  readonly wanted: Demand;
  readonly pattern: Pattern | null;
  /** dtype of the joint kernels: tables are made in it. */
  readonly dtype: 'f32' | 'f64';
  /** Relative error asked of series. */
  readonly tolerance: number;
}

/** RangeError about a layer in its place. */
export function layerError(node: Shaped, message: string): RangeError {
  return new RangeError(`kernel: ${layerLabel(node.path, node.layer.layer)} ${message}`);
}

export const NO_NOTE: Note = {};
