// The nets of Sohl-Dickstein et al. 2020 (arXiv:2001.07301): ReLU, wStd^2 = 2, biases that start at zero.
import {
  conv,
  dense,
  flatten,
  globalAvgPool,
  identity,
  layerNorm,
  relu,
  serial,
  sum,
  type NetDocument,
} from '../../net/index.js';

export type Architecture = 'FC' | 'Conv-Vec' | 'Conv-GAP' | 'WRN-LN';
export const ARCHITECTURES: readonly Architecture[] = ['FC', 'Conv-Vec', 'Conv-GAP', 'WRN-LN'];

export interface NetOptions {
  /** Hidden layers; WRN-LN has four residual blocks always. */
  readonly depth: number;
  /** Layer width; of WRN-LN the widening factor k. Base widths may be any positive number. */
  readonly width: number | readonly number[];
  readonly parametrization: 'ntk' | 'standard';
  /** True units or channels over base widths, for finite nets; default 1, rounded up. */
  readonly scale?: number;
  /** Positions of an image. */
  readonly positions: number;
}

/**
 * A net of one output per class. In `standard` parametrisation every layer but the first names the base width N of its
 * inputs; the first layer's is the number of input channels.
 */
export function studyNet(kind: Architecture, options: NetOptions, outputs: number): NetDocument {
  const { depth, width, positions } = options;
  const widths = typeof width === 'number' ? Array.from({ length: depth }, () => width) : width;
  const units = (n: number): number => Math.max(1, Math.ceil(n * (options.scale ?? 1) - 1e-9));
  const fields = (base: number | null): Record<string, unknown> => ({
    wStd: Math.SQRT2,
    bStd: 0,
    parametrization: options.parametrization,
    ...(options.parametrization === 'standard' && base !== null ? { baseWidth: base } : {}),
  });
  const image = (n: number, base: number | null, strides = [1, 1], filter = [3, 3]): NetDocument =>
    conv(units(n), filter, { strides, padding: 'SAME', ...fields(base) });
  if (kind === 'WRN-LN') return wideResidual(widths[0]!, image, (base) => dense(outputs, fields(base)));
  const hidden = widths.flatMap((n, l) => {
    const base = l === 0 ? null : widths[l - 1]!;
    return [kind === 'FC' ? dense(units(n), fields(base)) : image(n, base), relu()];
  });
  const last = widths.at(-1)!;
  const [collapse, base] =
    kind === 'FC'
      ? [[], last]
      : kind === 'Conv-Vec'
        ? [[flatten()], last * positions]
        : [[globalAvgPool()], last];
  return serial(...hidden, ...collapse, dense(outputs, fields(base)));
}

/** Four blocks of 16k, 16k, 32k and 64k channels, the last two with stride 2; layer normalisation before each ReLU. */
function wideResidual(
  k: number,
  image: (n: number, base: number | null, strides?: number[], filter?: number[]) => NetDocument,
  readout: (base: number) => NetDocument,
): NetDocument {
  let before = 16 * k;
  const blocks = [16 * k, 16 * k, 32 * k, 64 * k].map((n, b) => {
    const strides = b < 2 ? [1, 1] : [2, 2];
    const shortcut = b < 2 ? identity() : image(n, before, strides, [1, 1]);
    const main = serial(layerNorm(), relu(), image(n, before, strides), layerNorm(), relu(), image(n, n));
    before = n;
    return sum(shortcut, main);
  });
  return serial(image(16 * k, null), ...blocks, layerNorm(), relu(), globalAvgPool(), readout(before));
}
