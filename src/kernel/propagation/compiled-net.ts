// A net, checked for its infinite-width limit, with what every edge must carry: facts forward, demands backward.
import { mergeFacts, type Merging } from '../../layers/merge/kernel.js';
import { hasWeights, inside, isSequence, leafOf, shapeLayer } from '../../layers/registry.js';
import type { Shape, Shaped } from '../../layers/shapes.js';
import type { Rule } from '../../layers/states/rule.js';
import { larger, sheetCount, type Demand, type Facts } from '../../layers/states/state.js';
import type { Layer } from '../../layers/vocabulary.js';
import { parseNet, type NetDocument } from '../../net/document.js';
import type { OffsetPlan } from '../offsets/plan-types.js';

/** A layer in its place with all that propagation needs to know. */
export interface CompiledLayer {
  readonly shaped: Shaped;
  readonly facts: Facts;
  /** What is wanted of its input, and of its output. */
  readonly input: Demand;
  readonly output: Demand;
  /** null: a container. */
  readonly rule: Rule<Layer> | null;
  readonly children: readonly CompiledLayer[];
  /** Layers that go by offsets as one. */
  readonly stretch?: Stretch;
}

/** Consecutive layers that go by planes of constant offset. */
export interface Stretch {
  readonly layers: readonly CompiledLayer[];
  /** Of the joint kernels, and in f64 of the covariances within samples (null: nothing after needs them). */
  readonly plan: OffsetPlan;
  readonly within: OffsetPlan | null;
  readonly output: CompiledLayer['output'];
  readonly spatial: readonly number[];
}

/** The rule of a layer; null for containers. */
const ruleOf = (layer: Layer): Rule<Layer> | null => leafOf(layer)?.kernel ?? null;

/** Compiles a net for samples of `inputShape` (spatial axes, channels). Throws where no limit exists, naming the layer. */
export function compileNet(net: NetDocument, inputShape: Shape, wanted: Demand): CompiledLayer {
  return compileLayer(parseNet(net), inputFacts(inputShape), wanted);
}

/** Facts of the inputs of a net. */
export const inputFacts = (shape: Shape): Facts => ({ shape, gaussian: false, offDiagonalZero: false });

/** The same for a parsed layer, after others that leave `input`. */
export function compileLayer(layer: Layer, input: Facts, wanted: Demand): CompiledLayer {
  const shaped = shapeLayer(layer, input.shape);
  const facts = new Map<Shaped, { input: Facts; output: Facts }>();
  forward(shaped, input, facts);
  return backward(shaped, wanted, facts);
}

type AllFacts = Map<Shaped, { input: Facts; output: Facts }>;

function forward(node: Shaped, input: Facts, all: AllFacts): Facts {
  const rule = ruleOf(node.layer);
  let output = input;
  if (rule) output = rule.facts(node, input);
  else if (isSequence(node.layer)) for (const child of node.children) output = forward(child, output, all);
  else
    output = mergeFacts(
      node as Merging,
      node.children.map((child) => forward(child, input, all)),
      inside(node.layer).filter((branch) => !hasWeights(branch)).length,
    );
  all.set(node, { input, output });
  return output;
}

function backward(node: Shaped, wanted: Demand, all: AllFacts): CompiledLayer {
  const rule = ruleOf(node.layer);
  const { input: inputFacts, output: facts } = all.get(node)!;
  const base = { shaped: node, facts, output: wanted, rule };
  if (rule) return { ...base, input: rule.demand(node, wanted, inputFacts), children: [] };
  if (isSequence(node.layer)) {
    const children: CompiledLayer[] = [];
    let demand = wanted;
    for (const child of [...node.children].reverse()) {
      const compiled = backward(child, demand, all);
      children.unshift(compiled);
      demand = compiled.input;
    }
    return { ...base, input: demand, children };
  }
  const children = node.children.map((child) => backward(child, wanted, all));
  const input = children
    .map((child) => child.input)
    .reduce((a, b) => ({ cov: larger(a.cov, b.cov), joint: larger(a.joint, b.joint) }));
  return { ...base, input, children };
}

/** The most sheets any state of a net has. */
export function mostSheets(node: CompiledLayer): number {
  const input = sheetCount({ spatial: node.shaped.input.slice(0, -1), full: node.input.joint === 'full' });
  const output = sheetCount({ spatial: node.shaped.output.slice(0, -1), full: node.output.joint === 'full' });
  return Math.max(input, output, ...node.children.map(mostSheets));
}
