// The constants of a row finisher; the order is that of assembly/offsets-rows.ts.
import type { Activation } from '../../layers/lowering/nodes.js';

// acos(c) = u P(v), u = sqrt(1-c), v = sqrt(1+c), 0 <= c <= 1. Minimax: degree 4 absolute 5.7e-8, degree 5 relative 2.6e-9
// (asin of small arguments needs the relative error), degree 10 relative 1.9e-16.
const P4 = [
  2.2032341132456597, -0.9107672670414393, 0.3666602413119045, -0.10157476114104075, 0.013243943384732197,
];
const R5 = [
  2.2133192407697497, -0.953842747123497, 0.4400080932953713, -0.16381291234587933, 0.039560902651703006,
  -0.004436254521449179,
];
const R10 = [
  2.221315381628138, -0.9987500953317526, 0.5496351500678471, -0.3172207256071032, 0.17694904482708637,
  -0.08841021561401255, 0.03676525351015133, -0.01183984465034926, 0.002717209337712355,
  -0.0003912280922095196, 0.00002639671938810399,
];

/** What an affine map in front of a finisher, or a finisher by itself, is made of. */
export interface RowScales {
  readonly w: number;
  readonly b2: number;
  readonly bT: number;
  /** gamma of the result. */
  readonly gamma: number;
  /** gamma that the affine map wants and its input lacks. */
  readonly delta: number;
  readonly eps: number;
}
export const UNIT: RowScales = { w: 1, b2: 0, bT: 0, gamma: 0, delta: 0, eps: 0 };

/** Of a row that is only scaled and shifted. */
export function affineConstants(s: RowScales): number[] {
  return [1, 0, 0, 0, -0, s.b2, s.bT, s.gamma, s.delta, s.w, s.eps];
}

/** Of an activation (those of dual.ts take K itself); else w is folded into the tables and polynomials, so b^2 and bT are divided by it. */
export function activationConstants(s: RowScales, activation: Activation, dtype: 'f32' | 'f64'): number[] {
  if (activation.kind === 'dual') return affineConstants(s);
  const { w } = s;
  const common = (A: number, H: number): number[] => [
    1,
    w * A,
    w * A - H,
    H,
    -0,
    s.b2 / w,
    s.bT / w,
    s.gamma,
    s.delta,
    w,
    s.eps,
  ];
  if (activation.kind === 'relu') {
    const { a, b } = activation;
    const A = (a * a + b * b) / 2;
    const B = (a - b) ** 2 / (2 * Math.PI);
    const polynomial = (dtype === 'f32' ? P4 : R10).map((c) => c * w * B);
    return [
      ...common(A, (w * B * Math.PI) / 2),
      a * a,
      Math.sqrt(B),
      Math.sqrt(w),
      A,
      (w * a * (a + b)) / 2,
      ...polynomial,
    ];
  }
  const { a, b, c } = activation;
  const scale = (2 * a * a) / Math.PI;
  const polynomial = (dtype === 'f32' ? R5 : R10).map((x) => x * scale);
  return [...common(0, 0), scale, c * c, Math.sqrt(2 * w) * b, 2 * b * b, 0, ...polynomial];
}
