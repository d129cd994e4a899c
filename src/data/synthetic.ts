import { foldIn, normalAt, randomKey, uniformAt } from '../math/random.js';
import { tensor, type Tensor } from '../math/tensor.js';
import { knownFields, type Fields } from '../wasm/engine.js';

export interface XorOptions {
  readonly samples: number;
  /** Input dimensions; the first two carry the signal. Default 20. */
  readonly features?: number;
  /** Distance of the four centres from the axes; default 1.5. */
  readonly separation?: number;
  /** Standard deviation of the two signal coordinates around their centre; default 0.6. */
  readonly noise?: number;
  readonly seed?: number;
}

const XOR_OPTIONS: Fields<XorOptions> = {
  samples: true,
  features: true,
  separation: true,
  noise: true,
  seed: true,
};

/**
 * A mixture of four Gaussians at the corners of a square, labelled like XOR, among standard normal coordinates that
 * say nothing. A fixed kernel has to fit products of coordinates; a net that learns features finds the two that
 * matter: the problem separates mean-field from kernel limits. Equal bits everywhere.
 * @returns `x` of shape (samples, features), `y` of shape (samples, 1) in {-1, 1}
 */
export function xorMixture(options: XorOptions): { x: Tensor<Float64Array>; y: Tensor<Float64Array> } {
  knownFields('xorMixture', options, XOR_OPTIONS);
  const { samples, features = 20, separation = 1.5, noise = 0.6, seed = 0 } = options;
  if (!Number.isSafeInteger(samples) || samples < 1)
    throw new RangeError(`xorMixture: samples must be a whole number >= 1, got ${samples}.`);
  if (!Number.isSafeInteger(features) || features < 2) {
    throw new RangeError(`xorMixture: features must be a whole number >= 2, got ${features}.`);
  }
  if (samples * features > 2 ** 29) {
    throw new RangeError(
      `xorMixture: expected at most 2^29 numbers (4 GiB), got ${samples} x ${features}. Ask for fewer samples.`,
    );
  }
  if (!Number.isFinite(separation) || !(noise >= 0) || noise === Infinity) {
    throw new RangeError(`xorMixture: separation and noise must be finite, got ${separation} and ${noise}.`);
  }
  const key = foldIn(randomKey(seed), 'xorMixture');
  const normals = foldIn(key, 'normals');
  const signs = foldIn(key, 'signs');
  const x = new Float64Array(samples * features);
  const y = new Float64Array(samples);
  for (let i = 0; i < samples; i++) {
    y[i] = 1;
    for (let j = 0; j < features; j++) {
      const normal = normalAt(normals, i * features + j);
      if (j < 2) {
        const sign = uniformAt(signs, 2 * i + j) < 0.5 ? -1 : 1;
        x[i * features + j] = separation * sign + noise * normal;
        y[i]! *= sign;
      } else x[i * features + j] = normal;
    }
  }
  return { x: tensor(x, [samples, features]), y: tensor(y, [samples, 1]) };
}
