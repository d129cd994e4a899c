// Names of the reference runs in test/reference/golikov as scalings.
import { golikov2020, scaling, type Scaling } from 'infinite-width';

export type Mode =
  | string
  | readonly [number, number]
  | {
      readonly q_sigma: number;
      readonly tilde_q_a: number;
      readonly tilde_q_v: number;
      readonly tilde_q_w: number;
    };

export function scalingOfMode(mode: Mode): Scaling {
  if (Array.isArray(mode)) return scaling({ qSigma: mode[0], qTilde: mode[1] });
  if (typeof mode === 'object') {
    const { q_sigma, tilde_q_a, tilde_q_v, tilde_q_w } = mode as Exclude<
      Mode,
      string | readonly [number, number]
    >;
    return scaling({ qSigma: q_sigma, qTildeA: tilde_q_a, qTildeV: tilde_q_v, qTildeW: tilde_q_w });
  }
  const name = mode as string;
  if (name.startsWith('intermediate_q='))
    return golikov2020.intermediate(name.slice('intermediate_q='.length));
  const named: Record<string, Scaling> = {
    default: golikov2020.default,
    default_sym: golikov2020.symDefault,
    ntk: golikov2020.ntk,
    linearized: golikov2020.ntk,
    mean_field: golikov2020.meanField,
    mean_field_simple_init_corrected: golikov2020.icMeanField,
    mean_field_init_corrected: golikov2020.icMeanFieldMask,
  };
  if (!named[name]) throw new Error(`unknown mode ${name}`);
  return named[name];
}
