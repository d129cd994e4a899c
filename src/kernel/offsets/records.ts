// What the executor keeps of one image: its pixels, its masks, and the tables that every activation and norm needs of it.
import type { Node } from '../../layers/lowering/nodes.js';

/** Indices of the parts of a record, in values of the dtype. Pixels come first, as [channel][position]. */
export class Records {
  readonly #nodes: readonly Node[];
  readonly #masks: ReadonlySet<number>;
  readonly #at = new Map<string, number>();
  #length: number;
  /** Masks and counts: filled in before the self pass, like the pixels. */
  readonly given: { readonly node: number; readonly at: number; readonly kind: 'mask' | 'count' }[] = [];

  /** `masks`: nodes whose positions may be masked. */
  constructor(nodes: readonly Node[], masks: ReadonlySet<number>) {
    this.#nodes = nodes;
    this.#masks = masks;
    const { op, H, W, C } = nodes[0]!;
    this.#length = op === 'input' ? H * W * C : 0;
  }

  get length(): number {
    return this.#length;
  }

  /** `width` values per position: the tables of an activation. */
  table(node: number, width: number): number {
    return this.#take(`t${node}`, node, width);
  }

  /** One factor per position of a norm. */
  gains(node: number): number {
    return this.#take(`g${node}`, node, 1);
  }

  /** One or zero per position; -1 where nothing is masked. */
  mask(node: number): number {
    if (!this.#masks.has(node)) return -1;
    return this.#given(node, 'mask', 1);
  }

  /** The factor of a mean over unmasked positions; -1 where nothing is masked. */
  counts(node: number): number {
    if (!this.#masks.has(this.#nodes[node]!.inputs[0]!)) return -1;
    return this.#given(node, 'count', 1);
  }

  #given(node: number, kind: 'mask' | 'count', width: number): number {
    const known = this.#at.get(`${kind}${node}`);
    if (known !== undefined) return known;
    const at = this.#take(`${kind}${node}`, node, width);
    this.given.push({ node, at, kind });
    return at;
  }

  #take(key: string, node: number, width: number): number {
    const known = this.#at.get(key);
    if (known !== undefined) return known;
    const { H, W } = this.#nodes[node]!;
    const at = this.#length;
    this.#length += H * W * width;
    this.#at.set(key, at);
    return at;
  }
}
