// All that the library knows of a layer, in one typed value: registry.ts holds one for every layer of the vocabulary, and the
// compiler rejects a layer that lacks one. Whoever needs to know something of a layer asks here and not by its name.
import type { OwnDirections } from './affine/derivative.js';
import type { Fields } from './fields.js';
import type { Builder, ValueRef } from './finite.js';
import type { Lowering } from './lowering/lowering.js';
import type { Shape, Shaped } from './shapes.js';
import type { DerivativeRule } from './states/derivatives.js';
import type { Rule } from './states/rule.js';
import type { Layer } from './vocabulary.js';

interface Common {
  /** Fields of the document, with their rules and defaults. */
  readonly fields: Fields;
}

/** A layer whose children run one after the other. */
export interface SequenceDescriptor<L extends Layer> extends Common {
  readonly kind: 'sequence';
  /** The layers of the document inside. */
  inside(layer: L): readonly Layer[];
  /** What runs, in order, with its path below the layer: a repeat runs its only layer several times. */
  steps(layer: L): readonly (readonly [part: string, layer: Layer])[];
}

/** A layer whose children see the same input, and which merges their results (merge/). */
export interface BranchesDescriptor<L extends Layer> extends Common {
  readonly kind: 'branches';
  inside(layer: L): readonly Layer[];
  /** As for layers without children. */
  readonly featureSafe: boolean;
  /** Throws a RangeError where the branches do not fit; `label` names the layer. */
  shape(layer: L, branches: readonly Shape[], label: string): Shape;
  finite(node: Shaped<L>, builder: Builder, branches: readonly ValueRef[]): ValueRef;
  /** The node of the merged branches; throws NotByOffsets where planes cannot merge them. */
  offsets(lowering: Lowering, node: Shaped<L>, branches: readonly number[]): number;
}

/** What infinite-width kernels do with an entry of a state: nothing, an affine map, or a dual; pool: take a mean over positions. */
export type EntryMap = 'same' | 'affine' | 'dual' | 'pool';

/** What can be said of a layer in a word. */
export interface Flags<L extends Layer> {
  /** How a layer that maps entries one by one does so; null: it does more than that. */
  entries(layer: L): EntryMap | null;
  /** Weights of its own: `scaled` have the width multipliers `s`, `unit` need 1. */
  readonly weights: 'scaled' | 'unit' | null;
  /** Mixes all pairs of positions with matrices of the samples, two products a pair. */
  readonly mixesPositions: boolean;
  /** Whether its statistics are those of all samples, so that kernels have one tile. */
  couplesSamples(node: Shaped<L>): boolean;
  /** Reads the pattern that is an argument of the call. */
  readonly usesPattern: boolean;
  /** Has a function of this program, which workers do not have. */
  readonly inCode: boolean;
  /** Its kernel is the limit of its finite form when all widths are equal, as random features need. */
  readonly featureSafe: boolean;
  /** What planes of constant offset gain on it (a convolution counts 2): see kernel/offsets/stretches.ts. */
  readonly gain: number;
}

/** A layer without children. */
export interface LeafDescriptor<L extends Layer> extends Common, Flags<L> {
  readonly kind: 'leaf';
  /** The shape after it; throws a RangeError that says what does not fit, without naming the layer. */
  shape(layer: L, input: Shape): Shape;
  /** Adds its operations to a finite net. */
  finite(node: Shaped<L>, builder: Builder, input: ValueRef): ValueRef;
  /** Its infinite-width kernels: NNGP and NTK. */
  readonly kernel: Rule<L>;
  /** Derivatives of those, given the kernel rule and the directions that are numbers of the layer itself. */
  derivative(rule: Rule<L>, own: OwnDirections): DerivativeRule<L>;
  /** Its node on planes of constant offset, or why it has none. */
  readonly offsets:
    ((lowering: Lowering, node: Shaped<L>, x: number) => number) | { readonly reason: string };
}

export type Descriptor<L extends Layer> = SequenceDescriptor<L> | BranchesDescriptor<L> | LeafDescriptor<L>;

/** The flags of most layers: it does more than map entries, has no weights and no peculiarities. */
export const USUAL: Flags<Layer> = {
  entries: () => null,
  weights: null,
  mixesPositions: false,
  couplesSamples: () => false,
  usesPattern: false,
  inCode: false,
  featureSafe: true,
  gain: 0,
};

/** Why layers that need all pairs of positions at once have no node on planes. */
export const ALL_PAIRS = { reason: 'needs all pairs of positions at once' } as const;
