// Facts about every node that decide how its planes are stored and which rows can be fused.
import type { ActivationNode, AffineNode, Node, NormNode } from '../../layers/lowering/nodes.js';
import type { Split } from './segments.js';

/** A stored plane holds K and M = T + gamma K: then an affine map costs nothing beyond its box filter. */
export interface States {
  readonly gamma: readonly number[];
  /** K >= 0 everywhere: the angle is at most pi/2 and its sign need not be looked at. */
  readonly nonNegative: readonly boolean[];
  /** Affine nodes that are computed row by row inside their only consumer. */
  readonly deferred: ReadonlySet<number>;
}

export function statesOf({ nodes, users, segments, last }: Split, masked: boolean): States {
  const deferred = new Set<number>();
  const ends = new Set(segments.map((p) => p.end));
  for (const [i, node] of nodes.entries()) {
    if (node.op !== 'affine' || node.w === 0 || ends.has(i) || users[i]!.length !== 1) continue;
    const user = nodes[users[i]![0]!]!;
    // Masks of the terms of a sum may differ: every term then is masked before it is added.
    if (user.op === 'activation' || (user.op === 'sum' && !masked)) deferred.add(i);
    // A norm over channels alone is a factor of the row, if an activation takes it up.
    if (
      user.op === 'norm' &&
      !masked &&
      isRowNorm(user) &&
      feedsActivation(nodes, users, ends, users[i]![0]!)
    )
      deferred.add(i);
  }
  return {
    gamma: gammas(nodes, users, deferred, last),
    nonNegative: signs(nodes),
    deferred,
  };
}

/** Normalises every position by itself. */
export function isRowNorm(node: NormNode): boolean {
  return !node.rows && !node.cols;
}

/** A norm that is taken up by the activation behind it. */
export function feedsActivation(
  nodes: readonly Node[],
  users: readonly (readonly number[])[],
  ends: ReadonlySet<number>,
  norm: number,
): boolean {
  return !ends.has(norm) && users[norm]!.length === 1 && nodes[users[norm]![0]!]!.op === 'activation';
}

/** The gamma that all consumers want, or 0: then every consumer adds what it misses. */
function gammas(
  nodes: readonly Node[],
  users: readonly (readonly number[])[],
  deferred: ReadonlySet<number>,
  last: number,
): number[] {
  const gamma: number[] = nodes.map(() => 0);
  for (let i = last; i >= 0; i--) {
    const wanted = new Set(users[i]!.map((u) => wants(nodes[u] as Node, gamma[u]!)));
    const ended = i === last ? endWants(nodes[i]!) : null;
    if (ended !== null) wanted.add(ended);
    // Sheets are given as K and T.
    const free = !deferred.has(i) && nodes[i]!.op !== 'state';
    gamma[i] = wanted.size === 1 && free ? [...wanted][0]! : 0;
  }
  return gamma;
}

function wants(user: Node, own: number): number {
  if (user.op === 'affine') return user.gamma;
  if (user.op === 'activation' || user.op === 'product') return 0;
  return own;
}

function endWants(node: Node): number {
  return node.op === 'affine' || node.op === 'product' ? 0 : 1;
}

function signs(nodes: readonly Node[]): boolean[] {
  const sign: boolean[] = [];
  for (const node of nodes)
    sign.push(
      signOf(
        node,
        node.inputs.map((i) => sign[i]!),
      ),
    );
  return sign;
}

function signOf(node: Node, inputs: boolean[]): boolean {
  if (node.op === 'input' || node.op === 'state') return false;
  if (node.op === 'activation') return nonNegativeActivation(node);
  return inputs.every(Boolean);
}

function nonNegativeActivation({ activation }: ActivationNode): boolean {
  return activation.kind === 'relu' && activation.a * activation.b <= 0;
}

export type { AffineNode };
