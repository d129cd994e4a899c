// What a plan costs and where its results go.
import type { Node } from '../../layers/lowering/nodes.js';
import type { Segment, Split } from './segments.js';
import { planeSize } from './schedule.js';

/** What a plan costs, before anything runs. */
export interface OffsetReport {
  readonly segments: readonly {
    readonly end: string;
    readonly planes: number;
    readonly modular: boolean;
    /** Elements of all planes of all nodes, per pair of images. */
    readonly elements: number;
  }[];
  /** Position pairs of convolutions and dense maps: steps of K and Theta together, per pair of images. */
  readonly affineSteps: number;
  /** Estimated floating point operations per pair of images. */
  readonly flops: number;
  readonly ring: boolean;
  readonly bytes: { readonly planes: number; readonly perImage: number; readonly plan: number };
}

/** Results are zipped: (X, X', Y, Y'), or (X, Y) with same-position entries only. */
export function placesOf(
  end: Node,
  final: Pick<Segment, 'offsets' | 'modular'>,
  diagonal: boolean,
): { elements: number; place: Int32Array; mirror: Int32Array } {
  const place: number[] = [];
  const mirror: number[] = [];
  const { H, W } = end;
  for (const [dh, dw] of final.offsets) {
    const [n, m] = final.modular ? [H, W] : [H - Math.abs(dh), W - Math.abs(dw)];
    const [h0, w0] = final.modular ? [0, 0] : [Math.max(0, -dh), Math.max(0, -dw)];
    for (let h = h0; h < h0 + n; h++) {
      for (let w = w0; w < w0 + m; w++) {
        const [h2, w2] = [(h + dh + H) % H, (w + dw + W) % W];
        place.push(diagonal ? h * W + w : ((h * H + h2) * W + w) * W + w2);
        mirror.push(diagonal ? h * W + w : ((h2 * H + h) * W + w2) * W + w);
      }
    }
  }
  return { elements: place.length, place: Int32Array.from(place), mirror: Int32Array.from(mirror) };
}

/** Work of all segments, per pair of images. */
export function reportOf(
  { nodes, segments }: Split,
  ring: boolean,
  bytes: OffsetReport['bytes'],
): OffsetReport {
  let affineSteps = 0;
  let flops = 0;
  const list = segments.map((p) => {
    let elements = 0;
    for (const { node, fh, fw } of p.steps) {
      const at = nodes[node]!;
      const pairs = p.offsets.reduce((sum, [h, w]) => sum + planeSize([h * fh, w * fw], at, p.modular), 0);
      elements += pairs;
      if (at.op === 'affine' && at.axes.length > 0) affineSteps += pairs;
      flops +=
        pairs *
        (at.op === 'affine' ? 4 + 2 * (at.filter.kh + at.filter.kw - 2) : at.op === 'activation' ? 22 : 4);
    }
    return { end: nodes[p.end]!.path || 'input', planes: p.offsets.length, modular: p.modular, elements };
  });
  return { segments: list, affineSteps, flops, ring, bytes };
}
