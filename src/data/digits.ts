// The digits shipped with this package: Optical Recognition of Handwritten Digits, test part, 1797 images of 8 x 8.
// E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, 1998, doi:10.24432/C50P49, licence CC BY 4.0.
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

/** The embedded handwritten digits, in the order of the repository. Unpacked anew at each call. */
export async function loadDigits(): Promise<Digits> {
  const { default: base64 } = await import('./digits.binary.js');
  const packed = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'));
  const rows = (await new Response(stream).text()).trim().split('\n');
  const x = new Float64Array(rows.length * PIXELS);
  const labels = new Float64Array(rows.length);
  for (const [i, row] of rows.entries()) {
    const fields = row.split(',');
    for (let p = 0; p < PIXELS; p++) x[i * PIXELS + p] = Number(fields[p]);
    labels[i] = Number(fields[PIXELS]);
  }
  return {
    x: tensor(x, [rows.length, PIXELS]),
    labels: tensor(labels, [rows.length]),
    attribution: digitsAttribution,
  };
}
