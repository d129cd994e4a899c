// Subsampling moves up: behind a 1x1 convolution of stride t only every t-th position of the layers in front is wanted. Layers that
// map positions one by one then have those alone, down to a convolution with a window, whose stride grows by t.
import type { Node } from '../../layers/lowering/nodes.js';

type Steps = [number, number];

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
const both = (a: Steps, b: Steps): Steps => [gcd(a[0], b[0]), gcd(a[1], b[1])];

/** The net with every node on the positions that are read from it; same nodes, same order. */
export function subsample(nodes: readonly Node[]): Node[] {
  const steps = stepsOf(nodes);
  return nodes.map((node, i) => {
    const [h, w] = steps[i]!;
    const small = { H: Math.ceil(node.H / h), W: Math.ceil(node.W / w) };
    if (node.op !== 'affine') return { ...node, ...small };
    const { filter: f } = node;
    const [h0, w0] = steps[node.inputs[0]!]!;
    // A window keeps its place: the input of it has all positions (its step is 1).
    return { ...node, ...small, filter: { ...f, th: (f.th * h) / h0, tw: (f.tw * w) / w0 } };
  });
}

/** The steps between the positions wanted of each node. */
function stepsOf(nodes: readonly Node[]): Steps[] {
  // What a node may leave out at most; 0: anything.
  const most = nodes.map((node): Steps => (mayLeaveOut(node) ? [0, 0] : [1, 1]));
  for (;;) {
    const steps = wanted(nodes, most);
    let settled = true;
    for (const [i, node] of nodes.entries()) {
      if (node.op === 'affine') continue;
      for (const input of mayLeaveOut(node) ? node.inputs : []) {
        const [own, from] = [steps[i]!, steps[input]!];
        if (own[0] === from[0] && own[1] === from[1]) continue;
        // Another reader of the input wants more of it, and only a convolution can skip what it reads.
        most[i] = both(own, from);
        settled = false;
      }
    }
    if (settled) return steps;
  }
}

function wanted(nodes: readonly Node[], most: readonly Steps[]): Steps[] {
  const wants = nodes.map((): Steps => [0, 0]);
  for (let i = nodes.length - 1; i >= 0; i--) {
    const own = both(wants[i]!, most[i]!);
    wants[i] = [own[0] || 1, own[1] || 1];
    const node = nodes[i]!;
    for (const input of node.inputs) wants[input] = both(wants[input]!, readBy(node, wants[i]!));
  }
  return wants;
}

/** The step at which a node on steps [h, w] reads its input. */
function readBy(node: Node, [h, w]: Steps): Steps {
  if (node.op !== 'affine') return mayLeaveOut(node) ? [h, w] : [1, 1];
  const { kh, kw, th, tw } = node.filter;
  return [kh === 1 ? th * h : 1, kw === 1 ? tw * w : 1];
}

function mayLeaveOut(node: Node): boolean {
  switch (node.op) {
    case 'affine':
      return !node.circular;
    case 'norm':
      return !node.rows && !node.cols;
    case 'activation':
    case 'sum':
    case 'product':
    case 'dropout':
      return true;
    default:
      return false;
  }
}
