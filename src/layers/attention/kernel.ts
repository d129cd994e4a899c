// Self-attention in the limit of infinitely many channels and heads (Hron et al. 2020, arXiv:2006.10540).
// linearScaling: the attention weights are deterministic, G = mechanism(queryStd keyStd R), R the token covariance, and
//   K' = o^2 G1 K G2^T + b^2,  T' = o^2 G1 (T + 2 K) G2^T + b^2,  o = outStd valueStd.
// Otherwise (identity mechanism only), with sums over all pairs of tokens <A, B>, s = queryStd keyStd o:
//   K' = s^2 <Kq, Kv> Kq + b^2,  T' = s^2 [(<Kq, Tv> + <Kv, Tq>) Kq + <Kq, Kv> (Tq + 4 Kq)] + b^2.
// Positional embeddings mix the identity into keys and queries (and values where asked): Kq = wK K + wR I.
import type { Core, Ptr } from '../../wasm/engine.js';
import { affineJoint, affineSide } from '../states/affine-map.js';
import { exp } from '../../math/elementary.js';
import { layerError, type Note, type Rule } from '../states/rule.js';
import type { Shaped } from '../shapes.js';
import { Sheets, positionPairs, type Joint, type Side } from '../states/state.js';
import { mixJoint, mixSide, tokenCovariance, type TokenMatrices } from '../states/tokens.js';
import type { AttentionLayer } from '../vocabulary.js';

interface AttentionNote extends Note {
  readonly matrices: TokenMatrices | null;
}

interface Constants {
  readonly out: number;
  readonly bias: number;
  readonly keep: number;
  readonly embed: number;
  readonly scale: number;
}

function constants({ layer, input }: Shaped<AttentionLayer>): Constants {
  const channels = input.at(-1)!;
  const extra = layer.positionalChannels ?? channels;
  const total = channels + extra;
  const w = layer.positionalStd ** 2;
  const { positional } = layer;
  const [keep, embed] =
    positional === 'concat' ? [channels / total, (w * extra) / total] : [1, positional === 'sum' ? w : 0];
  return {
    out: (layer.outStd * layer.valueStd) ** 2,
    bias: layer.bStd === null ? 0 : layer.bStd ** 2,
    keep,
    embed,
    scale: layer.queryStd * layer.keyStd,
  };
}

/** Attention weights of every sample from its token covariances; masked tokens get none. */
function weights(node: Shaped<AttentionLayer>, cov: Float64Array<ArrayBuffer>, side: Side): TokenMatrices {
  const { keep, embed, scale } = constants(node);
  const { ld } = side;
  const tokens = Math.round(Math.sqrt(cov.length / ld));
  const { mechanism } = node.layer;
  const row = new Float64Array(tokens);
  for (let p = 0; p < tokens; p++) {
    for (let i = 0; i < ld; i++) {
      let most = -Infinity;
      for (let q = 0; q < tokens; q++) {
        const visible = !side.keep || side.keep[q * ld + i] === 1;
        const logit = scale * (keep * cov[(p * tokens + q) * ld + i]! + (p === q ? embed : 0));
        row[q] = visible ? logit : mechanism === 'softmax' ? -Infinity : 0;
        most = Math.max(most, row[q]!);
      }
      if (mechanism === 'softmax') softmax(row, most);
      else if (mechanism === 'abs') row.forEach((value, q) => (row[q] = Math.abs(value)));
      else if (mechanism === 'relu') row.forEach((value, q) => (row[q] = Math.max(0, value)));
      for (let q = 0; q < tokens; q++) cov[(p * tokens + q) * ld + i] = row[q]!;
    }
  }
  return { g: cov, tokens, ld, samples: side.n };
}

function softmax(row: Float64Array, most: number): void {
  let sum = 0;
  for (let q = 0; q < row.length; q++) sum += row[q] = most === -Infinity ? 1 : exp(row[q]! - most);
  for (let q = 0; q < row.length; q++) row[q] = row[q]! / sum;
}

/** wK x + wR I on sheets of pairs of positions, each `inner` entries. */
function embedded<D extends 'f32' | 'f64'>(
  core: Core,
  x: Sheets<D>,
  spatial: readonly number[],
  inner: number,
  { keep, embed }: Constants,
): Sheets<D> {
  const sheets = x.own(core);
  const { dtype } = sheets.ticket;
  const pairs = positionPairs({ spatial, full: true });
  const run = core.kernels[
    dtype === 'f32' ? 'sheetsAffine_f32' : 'sheetsAffine_f64'
  ] as typeof core.kernels.sheetsAffine_f64;
  for (let sheet = 0; sheet < pairs.length / 2; sheet++) {
    const at = (sheets.ptr + sheet * inner * (dtype === 'f32' ? 4 : 8)) as Ptr<'f64'>;
    const identity = pairs[2 * sheet] === pairs[2 * sheet + 1] ? embed : 0;
    run(inner, at, 0 as Ptr<'f64'>, keep, identity, 1, 0, 0);
  }
  return sheets;
}

export const attentionRule: Rule<AttentionLayer, AttentionNote> = {
  facts(node, input) {
    const { layer } = node;
    if (!layer.linearScaling && layer.mechanism !== 'identity') {
      throw layerError(
        node,
        `has no infinite limit for mechanism "${layer.mechanism}" without linearScaling; use "identity"`,
      );
    }
    if (node.input.length < 2) throw layerError(node, 'needs spatial axes: its tokens are the positions');
    if (layer.positional === 'sum' && ![null, node.input.at(-1)].includes(layer.positionalChannels)) {
      throw layerError(node, `with positional "sum" needs positionalChannels = ${node.input.at(-1)} or null`);
    }
    return { ...input, shape: node.output, gaussian: true, offDiagonalZero: false };
  },
  demand: () => ({ cov: 'full', joint: 'full' }),

  side(core, node, side, { wanted }) {
    const { out, bias } = constants(node);
    const matrices = node.layer.linearScaling ? weights(node, tokenCovariance(core, side), side) : null;
    let data = side.cov!.data;
    if (wanted.cov === 'none') {
      data.release();
      return { side: { ...side, cov: null }, note: { matrices } };
    }
    const positioned = (x: Sheets<'f64'>): Sheets<'f64'> =>
      embedded(core, x, side.spatial, side.ld, constants(node));
    if (matrices) {
      data = mixSide(core, side, node.layer.valuePositional ? positioned(data) : data, matrices);
      return {
        side: affineSide(core, { ...side, cov: { full: true, data } }, out, bias),
        note: { matrices },
      };
    }
    const values = node.layer.valuePositional ? null : core.heap.read(data.ticket);
    data = positioned(data).own(core);
    const keys = core.heap.read(data.ticket);
    const factor = sheetDot(keys, values ?? keys, side.ld);
    timesSheet(keys, factor, side.ld);
    core.heap.write(data.ticket, keys);
    const { scale } = constants(node);
    return {
      side: affineSide(core, { ...side, cov: { full: true, data } }, out * scale * scale, bias),
      note: { matrices },
    };
  },

  joint(core, node, joint, { one, two, block }) {
    const c = constants(node);
    const { spatial } = joint.layout;
    const inner = joint.rows * joint.ld;
    const own = block.frozen.has(node.path) ? 0 : 1;
    // `trained`: embeddings are weights of the layer too.
    const positioned = (x: Sheets, trained: number): Sheets =>
      embedded(core, x, spatial, inner, { ...c, embed: trained * c.embed });
    if (!one.matrices || !two.matrices) return identityScaled(core, node, joint, positioned, own);
    const [first, second] = [one.matrices, two.matrices];
    const value = (x: Sheets, trained: number): Sheets =>
      mixJoint(core, node.layer.valuePositional ? positioned(x, trained) : x, joint, {
        one: first,
        two: second,
        block,
      });
    const mixed = { ...joint, k: value(joint.k, 1), t: joint.t && value(joint.t, own) };
    return affineJoint(core, mixed, {
      alpha: c.out,
      beta: c.bias,
      gamma: own * 2 * c.out,
      delta: own * c.bias,
    });
  },
};

/** out[e] = sum over sheets of a b. */
function sheetDot(a: Float64Array, b: Float64Array, inner: number): Float64Array {
  const sum = new Float64Array(inner);
  for (let i = 0; i < a.length; i++) sum[i % inner] = sum[i % inner]! + a[i]! * b[i]!;
  return sum;
}
function timesSheet(x: Float64Array, factor: Float64Array, inner: number): void {
  for (let i = 0; i < x.length; i++) x[i] = x[i]! * factor[i % inner]!;
}

/** Attention with identity weights and 1/sqrt scaling; sums over all pairs of tokens, in plain loops. */
function identityScaled(
  core: Core,
  node: Shaped<AttentionLayer>,
  joint: Joint,
  positioned: (x: Sheets, trained: number) => Sheets,
  own: number,
): Joint {
  const { out, bias, scale } = constants(node);
  const inner = joint.rows * joint.ld;
  const read = (x: Sheets): Float64Array => Float64Array.from(core.heap.read(x.ticket));
  const withValues = node.layer.valuePositional;
  const kv = read(joint.k);
  const tv = joint.t && read(joint.t);
  const k = positioned(joint.k, 1);
  const t = joint.t && positioned(joint.t, own);
  const kq = read(k);
  const d = sheetDot(kq, withValues ? kq : kv, inner);
  const s2 = out * scale * scale;
  if (t && tv) {
    const tq = read(t);
    const cross = sheetDot(kq, withValues ? tq : tv, inner);
    const other = sheetDot(withValues ? kq : kv, tq, inner);
    const result = tq.map(
      (value, i) =>
        s2 * ((cross[i % inner]! + other[i % inner]!) * kq[i]! + d[i % inner]! * (value + own * 4 * kq[i]!)) +
        own * bias,
    );
    core.heap.write(t.ticket, result);
  }
  core.heap.write(
    k.ticket,
    kq.map((value, i) => s2 * d[i % inner]! * value + bias),
  );
  return { ...joint, k, t };
}
