// Kernels of an activation whose dual is a function in code: entry by entry in TypeScript, for any layout.
import { atan2, cos, sin } from '../../math/elementary.js';
import { NumericalError, type Core } from '../../wasm/engine.js';
import type { Note } from '../states/rule.js';
import { positionPairs, type Block, type Joint, type Sheets, type Side } from '../states/state.js';
import type { DualFunction, DualValue } from './functions.js';
import type { Affine } from './dual/tables.js';

/** A dual function by name. */
export interface NamedDual {
  readonly name: string;
  readonly fn: DualFunction;
}
/** What the joint rows need of one side: the dual, variances (positions, ld), and exact values of equal variables. */
export interface FunctionNote extends Note, NamedDual {
  readonly k: Float64Array;
  readonly n: number;
  readonly ld: number;
  readonly kappa: Float64Array<ArrayBuffer>;
  readonly slope: Float64Array<ArrayBuffer>;
}
type Point = readonly [k11: number, k12: number, k22: number];

/** kappa and, where wanted, the slope at a point; |k12| is cut to sqrt(k11 k22). */
export function dualAt(dual: NamedDual, [k11, k12, k22]: Point, wantSlope: boolean): DualValue {
  const bound = Math.sqrt(Math.max(k11, 0)) * Math.sqrt(Math.max(k22, 0));
  const identical = k11 === k22 && k12 === k11; // rounding of the bound would make two variables of one
  const inside = identical ? k12 : Math.max(-bound, Math.min(bound, k12));
  const found = dual.fn(k11, inside, k22);
  if (typeof found !== 'number') return finite(dual, found, [k11, inside, k22]);
  const c12 = identical ? 1 : inside / bound;
  finite(dual, { kappa: found, slope: 0 }, [k11, inside, k22]);
  const slope = wantSlope && bound > 0 ? slopeAt(dual, [k11, c12, k22], bound) : 0;
  return finite(dual, { kappa: found, slope }, [k11, inside, k22]);
}

function finite({ name }: NamedDual, { kappa, slope }: DualValue, point: Point): DualValue {
  if (kappa - kappa === 0 && slope - slope === 0) return { kappa, slope };
  throw new NumericalError(
    `kernel: kernelFunction of '${name}' at (k11, k12, k22) = (${point.join(', ')}) gives kappa ${kappa}, slope ${slope}; both must be finite.`,
  );
}

// Chebyshev in y = 1 - 2 theta / pi, where k12 = sqrt(k11 k22) cos theta.
const NODES = 64;
const turns = Array.from({ length: NODES }, (_, i) => (Math.PI * (i + 0.5)) / NODES);
const angles = turns.map((turn) => (Math.PI / 2) * (1 - cos(turn)));
const table = turns.map((_, j) => turns.map((turn) => cos(j * turn)));

const coefficients = (values: readonly number[]): number[] =>
  table.map((row, j) => row.reduce((sum, c, i) => sum + c * values[i]!, 0) * ((j === 0 ? 1 : 2) / NODES));

/** A net slope this large at c = 1 or -1, relative to kappa, is no rounding. */
const ROUNDING = 1e-8;

/**
 * d kappa / d k12 where the function gives kappa alone. kappa is smooth in theta on [0, pi] even where it is not in k12 (relu
 * at c = 1), so its Chebyshev polynomial in theta is differentiated at the nodes, divided by -sqrt(k11 k22) sin theta and
 * interpolated: about 1e-10 of the largest slope. The derivative vanishes at both ends, what rounding left there goes first.
 */
function slopeAt(dual: NamedDual, [k11, c12, k22]: Point, bound: number): number {
  const kappas = angles.map((theta) => {
    const found = dual.fn(k11, bound * cos(theta), k22);
    return typeof found === 'number' ? found : found.kappa;
  });
  const scale = Math.max(...kappas.map(Math.abs));
  const c = coefficients(kappas);
  const tail = Math.max(...c.slice(-4).map(Math.abs));
  while (c.length > 1 && Math.abs(c.at(-1)!) <= 1e-15 * scale) c.pop(); // rounding, which derivatives would enlarge
  // d/dy sum c_j T_j = sum j c_j U_(j-1), U_(j-1)(cos t) = sin(j t) / sin t, U_(j-1)(+-1) = j (+-1)^(j-1); d theta = -(pi/2) dy.
  const [right, left] = [1, -1].map((sign) =>
    c.reduce((sum, cj, j) => sum + j * j * cj * sign ** (j + 1), 0),
  ) as [number, number];
  if (!(tail <= 1e-12 * scale && Math.abs(left) + Math.abs(right) <= ROUNDING * scale)) {
    throw new NumericalError(
      `kernel: kernelFunction of '${dual.name}' is not smooth enough in k12 at variances ${k11} and ${k22} to be differentiated. Let it return { kappa, slope }.`,
    );
  }
  const slopes = turns.map((turn, i) => {
    const y = cos(turn);
    const derivative = c.reduce((sum, cj, j) => sum + j * cj * sin(j * turn), 0) / sin(turn);
    return (derivative - (left * (1 - y) + right * (1 + y)) / 2) / ((Math.PI / 2) * bound * sin(angles[i]!));
  });
  return clenshaw(coefficients(slopes), 1 - (2 * angleOf(c12)) / Math.PI);
}

/** acos without loss at the ends. */
function angleOf(c: number): number {
  return 2 * atan2(Math.sqrt(Math.max(0, 1 - c)), Math.sqrt(Math.max(0, 1 + c)));
}

function clenshaw(c: readonly number[], y: number): number {
  let [one, two] = [0, 0];
  for (let j = c.length - 1; j > 0; j--) [one, two] = [2 * y * one - two + c[j]!, one];
  return y * one - two + c[0]!;
}

/** kappa and slope of every variable with itself; nothing beyond the samples. */
export function functionNote(
  dual: NamedDual,
  k: Float64Array,
  { n, ld }: Pick<Side, 'n' | 'ld'>,
): FunctionNote {
  const [kappa, slope] = [new Float64Array(k.length), new Float64Array(k.length)];
  for (let i = 0; i < k.length; i++) {
    if (i % ld < n) ({ kappa: kappa[i], slope: slope[i] } = dualAt(dual, [k[i]!, k[i]!, k[i]!], true));
  }
  return { ...dual, k, n, ld, kappa, slope };
}

/** Covariances within samples, all pairs of positions: kappa of every entry, in place. */
export function mapFunctionSide(
  core: Core,
  cov: Sheets<'f64'>,
  spatial: readonly number[],
  note: FunctionNote,
): void {
  const pairs = positionPairs({ spatial, full: true });
  const values = core.heap.read(cov.ticket);
  for (let sheet = 0; sheet < pairs.length / 2; sheet++) {
    const [p, q] = [pairs[2 * sheet]! * note.ld, pairs[2 * sheet + 1]! * note.ld];
    for (let i = 0; i < note.n; i++) {
      const at = sheet * note.ld + i;
      values[at] =
        p === q
          ? note.kappa[p + i]!
          : dualAt(note, [note.k[p + i]!, values[at]!, note.k[q + i]!], false).kappa;
    }
  }
  core.heap.write(cov.ticket, values);
}

/** K <- alpha kappa + beta, T <- alpha slope T + gamma kappa + delta, in place. */
export function mapFunctionJoint(
  core: Core,
  { layout, rows, ld, k, t }: Joint,
  [one, two]: readonly [FunctionNote, FunctionNote],
  { row, column, same }: Block,
  { alpha, beta, gamma, delta }: Affine,
): void {
  const pairs = positionPairs(layout);
  const columns = Math.min(ld, two.n - column);
  const [ks, ts] = [core.heap.read(k.ticket), t && core.heap.read(t.ticket)];
  for (let sheet = 0; sheet < pairs.length / 2; sheet++) {
    const [p, q] = [pairs[2 * sheet]! * one.ld + row, pairs[2 * sheet + 1]! * two.ld + column];
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        const at = (sheet * rows + i) * ld + j;
        const identical = same && p + i === q + j;
        const { kappa, slope } = identical
          ? { kappa: one.kappa[p + i]!, slope: one.slope[p + i]! }
          : dualAt(one, [one.k[p + i]!, ks[at]!, two.k[q + j]!], ts !== null);
        ks[at] = alpha * kappa + beta;
        if (ts) ts[at] = alpha * slope * ts[at]! + gamma * kappa + delta;
      }
    }
  }
  core.heap.write(k.ticket, ks);
  if (t && ts) core.heap.write(t.ticket, ts);
}
