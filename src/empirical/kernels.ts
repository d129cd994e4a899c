// Empirical kernels of a finite net: NTK from factors of the Jacobian, NNGP from outputs, by tiles of samples.
import { sizeOfShape } from '../layers/finite.js';
import { asTensor, tensor, type Tensor, type TensorLike } from '../math/tensor.js';
import { foldIn, type RandomKey } from '../math/random.js';
import type { CallOptions } from '../net/machine.js';
import type { CallInputs, Model } from '../net/model.js';
import { bytesPerElement, drainNow, knownFields, wholeNumber, type Fields } from '../wasm/engine.js';
import { addLayer, outputPairs, type Outputs } from './contract.js';
import { Signals, signalBytes } from './signals.js';

export interface EmpiricalNtkOptions {
  /**
   * `trace` (default): the mean over outputs of the diagonal, (n1, n2); `diagonal`: (n1, n2, o); `full`: (n1, n2, o, o'),
   * output of x1 first.
   */
  readonly outputs?: Outputs;
  /** Paths of layers whose parameters do not count. */
  readonly frozen?: readonly string[];
  /** Samples per tile; default: what fits into the memory budget. */
  readonly tile?: number;
  /** Draws the masks of dropout layers, those of x1 and x2 apart; without it they are the identity. */
  readonly dropoutKey?: RandomKey;
  /** Edge weights (n, v, v) of aggregate layers for x1 and x2; default: the identity. */
  readonly pattern1?: TensorLike | null;
  readonly pattern2?: TensorLike | null;
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
}

export interface EmpiricalNtkPlan {
  readonly tile: number;
  /** Most bytes of wasm memory at once, without gemm's own 9 MB. */
  readonly bytes: number;
  /** Bytes of the result. */
  readonly resultBytes: number;
  /** Bytes explicit Jacobians of all samples would need. */
  readonly jacobianBytes: number;
}

const NTK_OPTIONS: Fields<EmpiricalNtkOptions> = {
  outputs: true,
  frozen: true,
  tile: true,
  dropoutKey: true,
  pattern1: true,
  pattern2: true,
  onProgress: true,
};

/** Memory of `empiricalNtk` before it runs. RangeError for `outputs` that do not exist. */
export function planEmpiricalNtk(
  model: Model,
  n1: number,
  n2: number,
  options: EmpiricalNtkOptions = {},
): EmpiricalNtkPlan {
  knownFields('planEmpiricalNtk', options, NTK_OPTIONS);
  for (const [name, n] of Object.entries({ n1, n2 })) wholeNumber('planEmpiricalNtk', name, n);
  if (options.tile !== undefined) wholeNumber('planEmpiricalNtk', 'tile', options.tile, 1);
  const o = model.outputSize;
  const planes = sheetCount(options.outputs ?? 'trace', o);
  const perSample = signalBytes(model);
  const element = bytesPerElement(model.dtype);
  let tile = options.tile ?? Math.max(n1, n2);
  const bytesAt = (t: number): number =>
    2 * Math.min(t, Math.max(n1, n2)) * perSample + (planes + 2) * t * t * element;
  while (options.tile === undefined && tile > 1 && bytesAt(tile) > model.core.memoryBytes / 2)
    tile = Math.ceil(tile / 2);
  return {
    tile,
    bytes: bytesAt(tile),
    resultBytes: n1 * n2 * planes * element,
    jacobianBytes: (n1 + n2) * o * model.parameterCount * element,
  };
}

/**
 * The tangent kernel J(x1) J(x2)^T at the model's parameters; `x2` null means x1. Layers of the factorised form are
 * summed without Jacobians: time (n1 + n2) o p + n1 n2 sum_l (fanIn + o^2 units) for dense layers (full outputs). (n1,
 * n2), (n1, n2, o) or (n1, n2, o, o) as `outputs` says. RangeError for inputs that do not fit the model, or results
 * beyond the memory.
 */
export function empiricalNtk(
  model: Model,
  x1: TensorLike,
  x2: TensorLike | null = null,
  options: EmpiricalNtkOptions = {},
): Tensor {
  knownFields('empiricalNtk', options, NTK_OPTIONS);
  return drainNow(ntkTiles(model, x1, x2, options));
}

/** The same, layer by layer: the parts sum to the whole. Errors as there. */
export function empiricalNtkPerLayer(
  model: Model,
  x1: TensorLike,
  x2: TensorLike | null = null,
  options: EmpiricalNtkOptions = {},
): { readonly path: string; readonly ntk: Tensor }[] {
  knownFields('empiricalNtkPerLayer', options, NTK_OPTIONS);
  return drainNow(ntkOf(model, x1, x2, options, true));
}

/** @internal empiricalNtk as a generator that pauses within tiles */
export function* ntkTiles(
  model: Model,
  x1: TensorLike,
  x2: TensorLike | null = null,
  options: EmpiricalNtkOptions = {},
): Generator<void, Tensor> {
  return (yield* ntkOf(model, x1, x2, options, false))[0]!.ntk;
}

/** f(x1) f(x2)^T, with outputs as in empiricalNtk (trace: the mean over outputs). Shapes and errors as there. */
export function empiricalNngp(
  model: Model,
  x1: TensorLike,
  x2: TensorLike | null = null,
  options: Pick<EmpiricalNtkOptions, 'outputs' | 'dropoutKey' | 'pattern1' | 'pattern2'> = {},
): Tensor {
  knownFields('empiricalNngp', options, { outputs: true, dropoutKey: true, pattern1: true, pattern2: true });
  const { outputs = 'trace' } = options;
  const f1 = model.forward(x1, callOf(options, 1));
  const f2 = x2 === null ? f1 : model.forward(x2, callOf(options, 2));
  const o = model.outputSize;
  const [n1, n2] = [f1.shape[0]!, f2.shape[0]!];
  const planes = sheetCount(outputs, o);
  const result = model.array(n1 * n2 * planes);
  const pairs = outputPairs(outputs, o);
  for (let s = 0; s < n1; s++) {
    for (let t = 0; t < n2; t++) {
      const at = (s * n2 + t) * planes;
      for (const { i, j, plane, factor } of pairs)
        result[at + plane]! += factor * f1.data[s * o + i]! * f2.data[t * o + j]!;
    }
  }
  return tensor(result, shapeOf(outputs, n1, n2, o));
}

function* ntkOf(
  model: Model,
  x1: TensorLike,
  x2: TensorLike | null,
  options: EmpiricalNtkOptions,
  perLayer: boolean,
): Generator<void, { path: string; ntk: Tensor }[]> {
  const { outputs = 'trace' } = options;
  if (!['trace', 'full', 'diagonal'].includes(outputs)) {
    throw new RangeError(
      `empiricalNtk: outputs must be 'trace', 'full' or 'diagonal', got '${String(outputs)}'.`,
    );
  }
  const a = model.input('empiricalNtk', asTensor(x1));
  const b = x2 === null ? a : model.input('empiricalNtk', asTensor(x2));
  const [ofA, ofB] = [blockCalls(options, 1, a.n), blockCalls(options, x2 === null ? 1 : 2, b.n)];
  const wanted = wantedLayers(model, options.frozen ?? []);
  const paths = model.program.parameters.filter((_, i) => wanted.has(i)).map(({ path }) => path);
  const o = model.outputSize;
  const planes = sheetCount(outputs, o);
  const parts = perLayer ? paths.length : 1;
  const results = Array.from({ length: parts }, () => model.array(a.n * b.n * planes));
  const { tile } = planEmpiricalNtk(model, a.n, b.n, options);
  const width = sizeOfShape(model.inputShape);
  const total = Math.ceil(a.n / tile) * Math.ceil(b.n / tile);
  let done = 0;
  for (let s = 0; s < a.n; s += tile) {
    const n1 = Math.min(tile, a.n - s);
    const left = new Signals(model, a.data.subarray(s * width, (s + n1) * width), n1, wanted, ofA(s, n1));
    try {
      yield* left.backward();
      for (let t = 0; t < b.n; t += tile) {
        done++;
        if (x2 === null && t < s) continue; // the mirror image fills it
        const n2 = Math.min(tile, b.n - t);
        const same = x2 === null && t === s;
        const right = same
          ? left
          : new Signals(model, b.data.subarray(t * width, (t + n2) * width), n2, wanted, ofB(t, n2));
        try {
          if (!same) yield* right.backward();
          const place = { s, t, n1, n2, columns: b.n, planes, mirror: x2 === null && t > s, o, outputs };
          yield* tileOf(left, right, outputs, { results, perLayer, place });
        } finally {
          if (!same) right.dispose();
        }
        options.onProgress?.({ done, total });
      }
    } finally {
      left.dispose();
    }
  }
  const shape = shapeOf(outputs, a.n, b.n, o);
  return results.map((data, i) => ({ path: perLayer ? paths[i]! : '', ntk: tensor(data, shape) }));
}

type Calls = Pick<EmpiricalNtkOptions, 'dropoutKey' | 'pattern1' | 'pattern2'>;

/** What a call for the samples of x1 or x2 brings. */
function callOf({ dropoutKey, pattern1, pattern2 }: Calls, side: 1 | 2): CallInputs {
  const pattern = side === 1 ? pattern1 : pattern2;
  return {
    ...(dropoutKey ? { dropoutKey: foldIn(dropoutKey, side) } : {}),
    ...(pattern ? { pattern } : {}),
  };
}

/** The same for a block of them. */
function blockCalls(
  options: Calls,
  side: 1 | 2,
  samples: number,
): (first: number, count: number) => CallOptions {
  const { dropoutKey = null, pattern } = callOf(options, side);
  const edges = pattern ? asTensor(pattern, `empiricalNtk: pattern${side}`).data : null;
  if (edges && edges.length % samples !== 0)
    throw new RangeError(
      `empiricalNtk: pattern${side} must have shape (${samples}, v, v), got ${edges.length} numbers.`,
    );
  const size = edges ? edges.length / samples : 0;
  return (first, count) => ({
    ...{ first, dropoutKey },
    pattern: edges && Float64Array.from(edges.subarray(first * size, (first + count) * size)),
  });
}

interface Place {
  readonly s: number;
  readonly t: number;
  readonly n1: number;
  readonly n2: number;
  readonly columns: number;
  readonly planes: number;
  readonly mirror: boolean;
  readonly o: number;
  readonly outputs: Outputs;
}

function* tileOf(
  left: Signals,
  right: Signals,
  outputs: Outputs,
  {
    results,
    perLayer,
    place,
  }: {
    readonly results: readonly (Float64Array | Float32Array)[];
    readonly perLayer: boolean;
    readonly place: Place;
  },
): Generator<void, void> {
  const { machine } = left;
  const pairs = outputPairs(outputs, place.o);
  const length = place.planes * place.n1 * place.n2;
  const data = machine.scratch('planes', length);
  machine.core.heap.fill(data, 0);
  for (const layer of left.layers.keys()) {
    addLayer(left, right, layer, pairs, { outputs, count: place.planes, data });
    yield;
    if (!perLayer) continue;
    store(machine.core.heap.read(data, 0, length), results[layer]!, place);
    machine.core.heap.fill(data, 0);
  }
  if (!perLayer) store(machine.core.heap.read(data, 0, length), results[0]!, place);
}

/** Sheets (n1, n2) of a tile into the result (rows, columns, planes), and its mirror image (outputs swapped). */
function store(tile: ArrayLike<number>, result: Float64Array | Float32Array, place: Place): void {
  const { s, t, n1, n2, columns, planes, mirror, o, outputs } = place;
  for (let plane = 0; plane < planes; plane++) {
    const swapped = outputs === 'full' ? (plane % o) * o + Math.floor(plane / o) : plane;
    for (let r = 0; r < n1; r++) {
      for (let c = 0; c < n2; c++) {
        const value = tile[(plane * n1 + r) * n2 + c]!;
        result[((s + r) * columns + t + c) * planes + plane] = value;
        if (mirror) result[((t + c) * columns + s + r) * planes + swapped] = value;
      }
    }
  }
}

function sheetCount(outputs: Outputs, o: number): number {
  return outputs === 'trace' ? 1 : outputs === 'diagonal' ? o : o * o;
}

function shapeOf(outputs: Outputs, n1: number, n2: number, o: number): number[] {
  return outputs === 'trace' ? [n1, n2] : outputs === 'diagonal' ? [n1, n2, o] : [n1, n2, o, o];
}

function wantedLayers(model: Model, frozen: readonly string[]): Set<number> {
  const paths = model.slots.map(({ spec }) => spec.path);
  for (const path of frozen) {
    if (!paths.includes(path)) {
      throw new RangeError(
        `empiricalNtk: frozen: there is no layer with weights at '${path}'. Layers: ${paths.join(', ')}.`,
      );
    }
  }
  return new Set(paths.flatMap((path, i) => (frozen.includes(path) ? [] : [i])));
}
