// One number per row to explain: the predicted number, or the probability of one class.
import type { TablePrediction } from '../model.js';

/** RangeError for a class that the model does not know. */
export function answersOf(
  { mean, classes, probabilities, rows }: TablePrediction,
  label: string | undefined,
  call: string,
): Float64Array {
  if (mean) {
    if (label === undefined) return mean;
    throw new RangeError(`${call}: 'class' is for classes; this model predicts a number. Leave it out.`);
  }
  const k = label === undefined ? classes!.length - 1 : classes!.indexOf(label);
  if (k < 0)
    throw new RangeError(
      `${call}: there is no class '${label}'. Classes: ${classes!.slice(0, 40).join(', ')}`,
    );
  return Float64Array.from({ length: rows }, (_, i) => probabilities![i * classes!.length + k]!);
}
