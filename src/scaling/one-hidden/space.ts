// Where a run is trained, and the memory that takes.
import { slopeOf } from './activation.js';
import type { RunParams } from './run.js';

/** Whether to train in the space of pre-activations: asked for, or possible and cheaper by count of operations. */
export function inGramSpace(p: RunParams): boolean {
  const possible = p.optimizer === 'sgd' && p.mode === 'full' && !p.shuffle && slopeOf(p.activation) !== null;
  if (p.space !== 'auto') {
    if (p.space === 'gram' && !possible)
      throw new RangeError(
        "train: space 'gram' needs SGD, a leaky activation, mode 'full' and the stored order (no shuffle). Use 'auto'.",
      );
    return p.space === 'gram';
  }
  const rows = p.data.yTrain.length;
  const steps = p.epochs * Math.ceil(rows / p.batchSize);
  const { inputs } = p.data;
  // Per unit: two products with the inputs, or one with the Gram matrix, and weights formed at each evaluation.
  const weights = 4 * steps * p.batchSize * inputs;
  const gram = 2 * steps * p.batchSize * rows + 2 * (p.evaluateAt.length + 1) * rows * inputs;
  return possible && gram < 0.9 * weights;
}

/** Bytes of wasm memory a run takes beside its data. */
export function bytesOfRun(p: RunParams): number {
  const { inputs, yTrain } = p.data;
  const rows = yTrain.length;
  const masked = p.scaling.initCorrection === 'mask';
  const { decomposition, increments, coordinates } = p.keep;
  const start = masked || p.mode !== 'full' || decomposition || increments || coordinates ? inputs + 2 : 0;
  const moments = p.optimizer === 'sgd' ? 0 : 2 * (inputs + 1);
  const activations = slopeOf(p.activation) === null ? 2 : 1;
  const perUnit = inGramSpace(p)
    ? inputs + 1 + start + rows * (masked ? 3 : 2)
    : inputs + 1 + start + moments + p.batchSize * activations;
  return (p.dtype === 'f32' ? 4 : 8) * (perUnit * p.width + (inGramSpace(p) ? rows * rows : 0));
}
