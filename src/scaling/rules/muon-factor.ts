// The factors that implementations of Muon put on U V^T, by the sides of the matrix.
import { knownWord } from '../../wasm/engine.js';

/**
 * `original`: sqrt(max(1, out/in)), K. Jordan. `match_rms_adamw`: 0.2 sqrt(max(out, in)), Moonlight (arXiv:2502.16982).
 * `spectral_unclamped`: sqrt(out/in), the spectral condition. `none`: 1. The first three are `adjust_lr_fn` of torch.
 */
export type MuonFactor = 'none' | 'original' | 'match_rms_adamw' | 'spectral_unclamped';
export const MUON_FACTORS: readonly MuonFactor[] = [
  'none',
  'original',
  'match_rms_adamw',
  'spectral_unclamped',
];

/** The factor for a matrix with `out` outputs and `inputs` inputs. */
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
