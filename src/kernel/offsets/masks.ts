// Which positions of an image are masked at every node, and what the executor needs of it.
import type { Filter, Node } from '../../layers/lowering/nodes.js';

/** One byte per position of every node; 1: masked. `given`: the masks of the input. */
export function masksOf(nodes: readonly Node[], input: Uint8Array): Uint8Array[] {
  const masks: Uint8Array[] = [];
  for (const node of nodes)
    masks.push(node.op === 'input' || node.op === 'state' ? input : maskOf(node, nodes, masks));
  return masks;
}

function maskOf(node: Node, nodes: readonly Node[], masks: readonly Uint8Array[]): Uint8Array {
  const from = node.inputs.map((i) => masks[i]!);
  const first = nodes[node.inputs[0]!]!;
  switch (node.op) {
    case 'affine':
      return centres(node.filter, node.circular, node, first, from[0]!);
    case 'sum':
    case 'product':
      return from[0]!.map((_, p) => +from.every((mask) => mask[p] === 1));
    case 'collapse':
      return Uint8Array.of(+from[0]!.every((m) => m === 1));
    case 'mix':
      return mixed(node, nodes, from);
    default:
      return from[0]!;
  }
}

/** A convolution is masked where the centre of its window is; outside the image nothing is masked. */
function centres(f: Filter, circular: boolean, to: Node, from: Node, mask: Uint8Array): Uint8Array {
  const out = new Uint8Array(to.H * to.W);
  const at = (p: number, t: number, lo: number, k: number, n: number): number => {
    const raw = p * t - lo + Math.floor((k - 1) / 2);
    return circular ? (raw + n) % n : raw;
  };
  for (let h = 0; h < to.H; h++) {
    for (let w = 0; w < to.W; w++) {
      const [a, b] = [at(h, f.th, f.lh, f.kh, from.H), at(w, f.tw, f.lw, f.kw, from.W)];
      out[h * to.W + w] = a >= 0 && a < from.H && b >= 0 && b < from.W ? mask[a * from.W + b]! : 0;
    }
  }
  return out;
}

function mixed(
  node: Extract<Node, { op: 'mix' }>,
  nodes: readonly Node[],
  from: readonly Uint8Array[],
): Uint8Array {
  const out = new Uint8Array(node.H * node.W);
  for (let h = 0; h < node.H; h++) {
    for (let w = 0; w < node.W; w++) {
      let seen = 0;
      let masked = 0;
      for (const [branch, [rows, cols]] of node.maps.entries()) {
        const source = nodes[node.inputs[branch]!]!;
        const pick = (list: readonly { readonly input: number; readonly id: number }[], n: number) =>
          node.centre ? list.filter((tap) => tap.id === n) : list;
        for (const a of pick(rows.taps[h]!, node.centre?.[0] ?? 0)) {
          for (const b of pick(cols.taps[w]!, node.centre?.[1] ?? 0)) {
            seen++;
            masked += from[branch]![a.input * source.W + b.input]!;
          }
        }
      }
      // Pools: the centre of the window. Transposed convolutions: any source. Resizes, slices: all sources.
      out[h * node.W + w] = +(node.any ? masked > 0 : seen > 0 && masked === seen);
    }
  }
  return out;
}
