// Dense nets without branches as a program for assembly/dual.ts: every row of K and T runs through all layers at once.
import { jointParameters, type ActivationNote } from '../../layers/activation/kernel.js';
import { denseAffine } from '../../layers/affine/kernel.js';
import { IDENTITY, parameterBlock, type Affine } from '../../layers/activation/dual/tables.js';
import type { Shaped } from '../../layers/shapes.js';
import { isSequence, leafOf } from '../../layers/registry.js';
import type { DenseLayer } from '../../layers/vocabulary.js';
import type { CompiledLayer } from './compiled-net.js';
import type { Notes } from './propagate.js';

/** An activation with the affine map after it, or (no tables) an affine map alone. */
export interface ChainLayer {
  readonly affine: Affine;
  readonly tables: readonly [ActivationNote, ActivationNote] | null;
}

/** The layers of a net in order; null where a layer does more than map entries one by one, or samples are masked. */
export function chainLayers(
  node: CompiledLayer,
  one: Notes,
  two: Notes,
  frozen: ReadonlySet<string>,
): ChainLayer[] | null {
  const { layer } = node.shaped;
  if (one.keep || two.keep) return null;
  if (isSequence(layer)) {
    const all: ChainLayer[] = [];
    for (const [i, child] of node.children.entries()) {
      const layers = chainLayers(child, one.children[i]!, two.children[i]!, frozen);
      if (!layers) return null;
      for (const next of layers) append(all, next);
    }
    return all;
  }
  switch (leafOf(layer)?.entries(layer)) {
    case 'dual':
      if ('fn' in one.note) return null; // a dual in code
      return [{ affine: IDENTITY, tables: [one.note as ActivationNote, two.note as ActivationNote] }];
    case 'affine':
      return [{ affine: denseAffine(node.shaped as Shaped<DenseLayer>, frozen), tables: null }];
    case 'same':
    case 'pool': // of a single position
      return [];
    default:
      return null;
  }
}

/** A dense layer right after an activation runs with it; see `parameterBlock` for alpha > 0. */
function append(all: ChainLayer[], next: ChainLayer): void {
  const last = all.at(-1);
  if (last?.tables && last.affine === IDENTITY && !next.tables && next.affine.alpha > 0) {
    all[all.length - 1] = { affine: next.affine, tables: last.tables };
  } else all.push(next);
}

const LAYER_WORDS = 12;

/** The program of `dualChain`; without `ntk` its tangents stay zero. */
export function chainProgram(layers: readonly ChainLayer[], ntk: boolean): Float64Array<ArrayBuffer> {
  const program = new Float64Array(layers.length * LAYER_WORDS);
  const words = new Int32Array(program.buffer);
  for (const [q, { affine, tables }] of layers.entries()) {
    const fused = ntk ? affine : { ...affine, gamma: 0, delta: 0 };
    const { alpha, beta, gamma, delta } = fused;
    if (!tables) {
      program.set([alpha, beta, gamma, delta], q * LAYER_WORDS);
      continue;
    }
    const [one, two] = tables;
    program.set(parameterBlock({ params: jointParameters(one, two) }, fused), q * LAYER_WORDS);
    const { kind, stride } = one;
    const count = Math.min(one.count, two.count);
    words.set([kind, count, one.tables.ptr, two.tables.ptr, stride, two.stride], 2 * (q * LAYER_WORDS + 8));
  }
  return program;
}

/** The most tables an activation has: `dualChain` needs 16 bytes for each. */
export function mostTables(layers: readonly ChainLayer[]): number {
  return Math.max(1, ...layers.map(({ tables }) => tables?.[0].count ?? 0));
}

/** K and T of samples with themselves, from their mean squares `k`: exact where the chain takes angles of almost 0. */
export function chainDiagonal(
  layers: readonly ChainLayer[],
  k: Float64Array,
): { k: Float64Array<ArrayBuffer>; t: Float64Array<ArrayBuffer> } {
  const values = Float64Array.from(k);
  const tangents = new Float64Array(k.length);
  for (const { affine, tables } of layers) {
    const { alpha, beta, gamma, delta } = affine;
    const note = tables?.[0];
    for (let i = 0; i < k.length; i++) {
      const kappa = note ? note.kappa[i]! : values[i]!;
      const tangent = note ? tangents[i]! * note.slope[i]! : tangents[i]!;
      tangents[i] = alpha * tangent + gamma * kappa + delta;
      values[i] = alpha * kappa + beta;
    }
  }
  return { k: values, t: tangents };
}
