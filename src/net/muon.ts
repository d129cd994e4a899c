// U V^T of a matrix by Newton-Schulz steps, and the factors that implementations of Muon put on it.
import { gemm } from '../math/matmul.js';
import { kernelOf } from '../layers/rows.js';
import { knownWord, type Core, type FloatType, type Ticket } from '../wasm/engine.js';

/**
 * `original`: sqrt(max(1, out/in)), K. Jordan. `match_rms_adamw`: 0.2 sqrt(max(out, in)), Moonlight (arXiv:2502.16982).
 * `spectral_unclamped`: sqrt(out/in), the spectral condition (arXiv:2310.17813). `none`: 1. The first three are
 * `adjust_lr_fn` of torch.optim.Muon.
 */
export type MuonFactor = 'none' | 'original' | 'match_rms_adamw' | 'spectral_unclamped';
export const MUON_FACTORS: readonly MuonFactor[] = [
  'none',
  'original',
  'match_rms_adamw',
  'spectral_unclamped',
];

/** The factor on U V^T for a matrix with `out` outputs and `inputs` inputs. */
export function muonFactor(name: MuonFactor, out: number, inputs: number): number {
  switch (knownWord('muon', 'factor', name, MUON_FACTORS)) {
    case 'original':
      return Math.sqrt(Math.max(1, out / inputs));
    case 'match_rms_adamw':
      return 0.2 * Math.sqrt(Math.max(out, inputs));
    case 'spectral_unclamped':
      return Math.sqrt(out / inputs);
    case 'none':
      return 1;
  }
}

/** Coefficients of the quintic X <- a X + (b A + c A^2) X, A = X X^T, chosen by K. Jordan for a steep slope at 0. */
const [A, B, C] = [3.4445, -4.775, 2.0315];

/**
 * Replaces `x` (rows x columns) by an approximation of U V^T: `iterations` quintic steps from x over its Frobenius norm
 * (at least `eps`) bring all singular values near 1 (to 0.7 to 1.2). A matrix of zeros stays one.
 */
export function newtonSchulz<D extends FloatType>(
  core: Core,
  x: Ticket<D>,
  [rows, columns]: readonly [number, number],
  { iterations, eps }: { readonly iterations: number; readonly eps: number },
): void {
  const { dtype } = x;
  const combine = kernelOf(core, 'rowsCombine', dtype);
  const norm = Math.sqrt(kernelOf(core, 'rowsDot', dtype)(x.length, x.ptr, x.ptr));
  combine(1, x.length, 1 / Math.max(norm, eps), x.ptr, 0, 0, x.ptr, 0);
  const isWide = rows <= columns;
  const small = isWide ? rows : columns;
  core.heap.scope((scope) => {
    const gram = scope.alloc(dtype, small * small);
    const bent = scope.alloc(dtype, small * small);
    const next = scope.alloc(dtype, x.length);
    for (let i = 0; i < iterations; i++) {
      // The Gram matrix of the shorter side: X X^T, or X^T X on the right.
      const sizes = [small, small, isWide ? columns : rows] as const;
      gemm(core, [x, x, gram], sizes, isWide ? { transB: true } : { transA: true });
      gemm(core, [gram, gram, bent], [small, small, small], { alpha: C });
      combine(1, gram.length, B, gram.ptr, 0, 1, bent.ptr, 0);
      if (isWide) gemm(core, [bent, x, next], [rows, columns, rows]);
      else gemm(core, [x, bent, next], [rows, columns, columns]);
      combine(1, x.length, 1, next.ptr, 0, A, x.ptr, 0);
    }
  });
}
