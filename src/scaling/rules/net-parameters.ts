// The parameters of a net document as scaling rules see them: which sides grow, which tensors stand in residual blocks.
import { parseNet, toJson, type LayerDocument, type NetDocument } from '../../net/document.js';
import { compile } from '../../net/program.js';
import { widen } from '../../net/width.js';
import type { ParameterSpec } from '../../layers/finite.js';
import { knownFields } from '../../wasm/engine.js';
import type { TensorKind } from './layer-rules.js';
import type { RuleParameter } from './table.js';

/** Layers whose weights no rule here covers, and why. */
const UNCOVERED: { readonly [layer: string]: string } = {
  attention: 'its keys, values and heads do not grow with `widen`',
  rnn: 'its recurrent weights act once per time step',
};

export interface ScaledNetOptions {
  /** The base model. */
  readonly net: NetDocument;
  /** Shape of one sample: spatial axes, then channels. */
  readonly inputShape: readonly number[];
  readonly widthFactor?: number;
  /** Multiplies the `times` of repeated residual blocks. */
  readonly depthFactor?: number;
  /** On every residual branch; default 1. */
  readonly branchFactor?: number;
}

export interface ScaledNet {
  /** The target model. */
  readonly net: LayerDocument;
  /** Its parameters in document order: weights, then the bias where there is one, named `<path>.w` and `<path>.b`. */
  readonly parameters: readonly RuleParameter[];
}

const childrenOf = (layer: LayerDocument): [key: string, child: LayerDocument][] => [
  ...((layer['layers'] ?? []) as LayerDocument[]).map(
    (child, i) => [`layers.${i}`, child] as [string, LayerDocument],
  ),
  ...((layer['branches'] ?? []) as LayerDocument[]).map(
    (child, i) => [`branches.${i}`, child] as [string, LayerDocument],
  ),
  ...(layer['net'] ? [['net', layer['net']] as [string, LayerDocument]] : []),
];

const hasWeights = (layer: LayerDocument): boolean =>
  layer['units'] !== undefined ||
  layer['channels'] !== undefined ||
  childrenOf(layer).some(([, child]) => hasWeights(child));

/** A sum in which one branch has no weights and another has: a residual block. */
const isResidual = (layer: LayerDocument): boolean => {
  if (layer.layer !== 'sum') return false;
  const weighty = (layer['branches'] as LayerDocument[]).map(hasWeights);
  return weighty.includes(true) && weighty.includes(false);
};
const holdsResidual = (layer: LayerDocument): boolean =>
  isResidual(layer) || childrenOf(layer).some(([, child]) => holdsResidual(child));

/** A copy with `change` applied to every layer, inner ones first. */
function map(layer: LayerDocument, change: (layer: LayerDocument) => LayerDocument): LayerDocument {
  const copy: Record<string, unknown> = { ...layer };
  for (const key of ['layers', 'branches'] as const)
    if (copy[key]) copy[key] = (copy[key] as LayerDocument[]).map((child) => map(child, change));
  if (copy['net']) copy['net'] = map(copy['net'] as LayerDocument, change);
  return change(copy as LayerDocument);
}

/**
 * A base model at its target size, with its parameters as `scalingTable` takes them. RangeError names the layer that no
 * rule covers, and residual blocks that cannot be deepened.
 */
export function scaledNet(options: ScaledNetOptions): ScaledNet {
  knownFields<ScaledNetOptions>('scaledNet', options, {
    ...{ net: true, inputShape: true, widthFactor: true, depthFactor: true, branchFactor: true },
  });
  const { inputShape, widthFactor = 1, depthFactor = 1, branchFactor = 1 } = options;
  const base = toJson(parseNet(options.net));
  refuseUncovered(base, '');
  const deep = depthFactor === 1 ? base : deepen(base, depthFactor);
  const weighed =
    branchFactor === 1
      ? deep
      : map(deep, (layer) => (isResidual(layer) ? branched(layer, branchFactor) : layer));
  const net = widen(weighed, widthFactor, 1);
  // Which sides grow is seen on a net of twice the width.
  const specsOf = (document: NetDocument): readonly ParameterSpec[] =>
    compile(document, inputShape).parameters;
  const [small, double, target] = [specsOf(weighed), specsOf(widen(weighed, 2, 1)), specsOf(net)];
  const full = parseNet(net) as unknown as LayerDocument;
  const parameters = target.flatMap((spec, i) => {
    const { layer, inBlock } = placeOf(full, spec.path);
    return rowsOf(spec, { base: small[i]!, double: double[i]! }, layer, inBlock);
  });
  return { net, parameters };
}

function refuseUncovered(layer: LayerDocument, path: string): void {
  const reason = UNCOVERED[layer.layer];
  if (reason !== undefined) {
    throw new RangeError(
      `scaledNet: ${path || 'the net'} (${layer.layer}) has no rule here: ${reason}. Give its parameters to scalingTable as a list of shapes and kinds.`,
    );
  }
  for (const [key, child] of childrenOf(layer)) refuseUncovered(child, path ? `${path}.${key}` : key);
}

function deepen(net: LayerDocument, factor: number): LayerDocument {
  let found = 0;
  const deep = map(net, (layer) => {
    if (layer.layer !== 'repeat' || !holdsResidual(layer)) return layer;
    found++;
    const times = (layer['times'] as number) * factor;
    if (!Number.isSafeInteger(times) || times < 1)
      throw new RangeError(
        `scaledNet: ${String(layer['times'])} repeated blocks times depthFactor ${factor} is no whole number of blocks.`,
      );
    return { ...layer, times };
  });
  if (found === 0)
    throw new RangeError(
      'scaledNet: depthFactor needs residual blocks in a repeat layer: { "layer": "repeat", "times": 4, "net": { "layer": "sum", ... } }.',
    );
  return deep;
}

/** A residual block with its branches multiplied: their last layer with weights gives that much more. */
function branched(block: LayerDocument, factor: number): LayerDocument {
  const scaleLast = (layer: LayerDocument): LayerDocument => {
    if (layer.layer === 'serial') {
      const layers = [...(layer['layers'] as LayerDocument[])];
      const last = layers.findLastIndex(hasWeights);
      if (layers.slice(last + 1).some(({ layer: name }) => name !== 'dropout' && name !== 'identity'))
        throw new RangeError(
          'scaledNet: a residual branch must end with its last layer with weights, so that the branch factor can stand there.',
        );
      layers[last] = scaleLast(layers[last]!);
      return { ...layer, layers };
    }
    const full = parseNet(layer) as unknown as {
      parametrization?: string;
      wStd: number;
      bStd: number | null;
    };
    if (full.parametrization !== 'ntk')
      throw new RangeError(
        `scaledNet: the last layer of a residual branch (${layer.layer}) must have parametrization 'ntk', whose wStd multiplies what it gives.`,
      );
    return {
      ...layer,
      wStd: full.wStd * factor,
      ...(full.bStd === null ? {} : { bStd: full.bStd * factor }),
    };
  };
  const branches = (block['branches'] as LayerDocument[]).map((branch) =>
    hasWeights(branch) ? scaleLast(branch) : branch,
  );
  return { ...block, branches };
}

/** The layer at a path of the compiled net, in which copies of a repeat are numbered, and whether it stands in a block. */
function placeOf(net: LayerDocument, path: string): { layer: LayerDocument; inBlock: boolean } {
  let [layer, inBlock] = [net, false];
  const parts = path === '' ? [] : path.split('.');
  for (let i = 0; i < parts.length; i++) {
    inBlock ||= isResidual(layer);
    const part = parts[i]!;
    const next = layer[part];
    if (Array.isArray(next)) layer = next[Number(parts[++i])] as LayerDocument;
    else if (part === 'net' && next) {
      const isRepeat = layer.layer === 'repeat';
      layer = next as LayerDocument;
      if (isRepeat) i++; // the copy's number
    } else break; // a part of the layer itself
  }
  return { layer, inBlock };
}

function rowsOf(
  spec: ParameterSpec,
  { base, double }: { readonly base: ParameterSpec; readonly double: ParameterSpec },
  layer: LayerDocument,
  inBlock: boolean,
): RuleParameter[] {
  const sides = ({ w, fanIn }: ParameterSpec): [outputs: number, inputs: number] => [w.at(-1)!, fanIn];
  const growsOut = double.w.at(-1)! !== base.w.at(-1)!;
  const growsIn = double.fanIn !== base.fanIn;
  const kind: TensorKind = growsIn ? (growsOut ? 'hidden' : 'readout') : 'input';
  const isShifted = layer['parametrization'] === 'ntk' || (layer['baseWidth'] ?? null) !== null;
  const own = { inBlock, ...(isShifted ? { parametrization: 'ntk' as const } : {}) };
  const isVector = spec.w.length === 1;
  const weights: RuleParameter = isVector
    ? {
        name: `${spec.path}.w`,
        kind: growsOut ? 'gain' : 'readoutBias',
        shape: spec.w,
        baseShape: base.w,
        inBlock,
      }
    : { name: `${spec.path}.w`, kind, shape: sides(spec), baseShape: sides(base), ...own };
  if (!spec.b) return [weights];
  const bias: RuleParameter = {
    ...{ name: `${spec.path}.b`, kind: growsOut ? 'bias' : 'readoutBias', inBlock },
    ...{ shape: [spec.b.at(-1)!], baseShape: [base.b!.at(-1)!] },
    ...{ fanIn: spec.fanIn, baseFanIn: base.fanIn },
  };
  return [weights, bias];
}
