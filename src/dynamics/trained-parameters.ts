// Where gradient flow on the squared loss takes the parameters of a linearised net, in closed form (Lee et al. 2019, eq. 8):
// theta(t) - theta(0) = -J^T Theta^-1 (1 - e^{-Theta t}) (f_0 - y), with Theta over the entries for a mean loss.
import { empiricalNtk } from '../empirical/kernels.js';
import { eighInPlace } from '../math/eigh.js';
import { expm1 } from '../math/elementary.js';
import { tensor, type Tensor } from '../math/tensor.js';
import type { LayerParameters, Model, Reduction } from '../net/index.js';
import { knownFields } from '../wasm/engine.js';
import { checkedData, type DynamicsData } from './data.js';

export interface TrainedParametersOptions extends DynamicsData {
  /** Steps times learning rate; Infinity for the end of training, >= 0. */
  readonly time: number;
  /** `mean` (default): half the mean of the squares over all entries, as the loss `mse`; `sum`: half their sum. */
  readonly reduction?: Reduction;
}

/** Eigenvalues below this share of the largest are zero: their directions never move. */
const NOTHING = 1e-13;

/**
 * The parameters of `model` after gradient flow for `time` of the net linearised at its present parameters; the model is not
 * changed. Wide nets themselves end there, up to terms of order 1/width.
 *
 * @returns one entry per layer with weights, as `model.parameters`.
 * @throws RangeError for data that do not fit or a time below 0.
 *
 * @example
 * model.setParameters(trainedParameters(model, { x, y, time: Infinity }));
 */
export function trainedParameters(model: Model, options: TrainedParametersOptions): LayerParameters[] {
  const where = 'trainedParameters';
  knownFields(where, options, { x: true, y: true, time: true, reduction: true });
  const { time, reduction = 'mean' } = options;
  if (!(time >= 0)) throw new RangeError(`${where}: time must be a number >= 0, got ${time}.`);
  const { x, y } = checkedData(where, model, options);
  const { core } = model;
  const f = model.forward(x);
  const size = f.data.length;
  const blocks = empiricalNtk(model, x, null, { outputs: 'full' }).data; // (n, n, o, o)
  const [n, o] = [x.shape[0]!, model.outputSize];
  const theta = new Float64Array(size * size);
  for (let i = 0; i < theta.length; i++) {
    const [p, q] = [Math.floor(i / size), i % size];
    theta[i] = blocks[((Math.floor(p / o) * n + Math.floor(q / o)) * o + (p % o)) * o + (q % o)]!;
  }
  const scale = reduction === 'mean' ? 1 / size : 1;
  const cotangent = core.heap.scope((scope) => {
    const [w, v] = [scope.alloc('f64', size), scope.alloc('f64', size * size)];
    eighInPlace(core, scope.put(theta), w, v, { n: size });
    const [values, vectors] = [core.heap.read(w), core.heap.read(v)];
    const floor = NOTHING * values[size - 1]!;
    const out = new Float64Array(size);
    for (let j = 0; j < size; j++) {
      if (values[j]! <= floor) continue;
      let along = 0;
      for (let i = 0; i < size; i++) along += vectors[j * size + i]! * (f.data[i]! - y.data[i]!);
      const share = time === Infinity ? 1 : -expm1(-values[j]! * scale * time);
      for (let i = 0; i < size; i++) out[i]! += ((along * share) / values[j]!) * vectors[j * size + i]!;
    }
    return out;
  });
  const moved = model.vectorJacobian(x, tensor(cotangent, f.shape));
  const less = (from: Tensor, by: Tensor): Tensor =>
    tensor(
      Float64Array.from(from.data, (value, i) => value - by.data[i]!),
      from.shape,
    );
  return model.parameters.map(({ path, w, b }, l) => ({
    ...{ path, w: less(w, moved[l]!.w) },
    ...(b ? { b: less(b, moved[l]!.b!) } : {}),
  }));
}
