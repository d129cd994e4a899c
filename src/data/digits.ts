// The digits shipped with this package: Optical Recognition of Handwritten Digits, test part, 1797 images of 8 x 8.
// E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, 1998, doi:10.24432/C50P49, licence CC BY 4.0.
import { unpackInlined } from '../platform/inlined.js';
import { tensor, type Tensor } from '../math/tensor.js';

export const digitsAttribution =
  'Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak, UCI Machine Learning Repository (1998), doi:10.24432/C50P49, CC BY 4.0';

export interface Digits {
  /** `(1797, 64)`, ink counts 0..16, image rows one after another. */
  readonly x: Tensor<Float64Array>;
  /** `(1797)`, the digit 0..9. */
  readonly labels: Tensor<Float64Array>;
  readonly attribution: string;
}

const PIXELS = 64;
const ROW = PIXELS + 1; // and the label

/** The embedded handwritten digits, in the order of the repository. Unpacked anew at each call. */
export async function loadDigits(): Promise<Digits> {
  const { default: base64 } = await import('./digits.binary.js');
  const bytes = await unpackInlined(base64);
  const n = bytes.length / ROW;
  const x = new Float64Array(n * PIXELS);
  const labels = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < PIXELS; j++) x[i * PIXELS + j] = bytes[j * n + i]!; // column after column
    labels[i] = bytes[PIXELS * n + i]!;
  }
  return {
    x: tensor(x, [n, PIXELS]),
    labels: tensor(labels, [n]),
    attribution: digitsAttribution,
  };
}
