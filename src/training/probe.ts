// Kernels of a net while it trains: how far they are from the first ones, and how well they fit the targets.
import { empiricalNngp, ntkTiles, planEmpiricalNtk } from '../empirical/kernels.js';
import type { Outputs } from '../empirical/index.js';
import { asTensor, type Tensor, type TensorLike } from '../math/tensor.js';
import { prepareTargets, type LossName } from '../net/losses.js';
import type { Model } from '../net/model.js';

/** What is asked of the kernels of a net in training. */
export interface Probe {
  /** (n, ...inputShape): the samples between which kernels are taken. */
  readonly x: TensorLike;
  /** Targets on them, as of the training set; without them there is no alignment with targets. */
  readonly y?: TensorLike;
  /** Default: the NTK alone. */
  readonly kernels?: readonly KernelTraceName[];
  /** As in `empiricalNtk`; default `trace`, the mean over outputs. */
  readonly outputs?: Outputs;
  /** Of the recorded steps those at which kernels are taken; default all. */
  readonly at?: readonly number[];
  /** `false` gives the numbers alone; default `true`. */
  readonly keep?: boolean;
}
export type KernelTraceName = 'ntk' | 'nngp';

/** One kernel K_t at one step; norms and products are those of Frobenius, over all its entries. */
export interface KernelTrace {
  /** Shapes as in `empiricalNtk`; null unless kept. */
  readonly kernel: Tensor | null;
  /** |K_t - K_0| / |K_0|, K_0 at the parameters before any step. */
  readonly change: number;
  /** <K_t, K_0> / (|K_t| |K_0|): 1 while the kernel keeps its shape. */
  readonly alignmentWithStart: number;
  /**
   * <K_t, y y^T> / (|K_t| |y y^T|) (Cristianini et al. 2001), and between both centred over the samples (Cortes, Mohri &
   * Rostamizadeh 2012). Null without targets; 0 for a kernel or targets that vanish.
   */
  readonly targetAlignment: number | null;
  readonly centredTargetAlignment: number | null;
}

const NAMES: readonly KernelTraceName[] = ['ntk', 'nngp'];

export class KernelProbe {
  readonly #model: Model;
  readonly #x: Tensor;
  readonly #y: Float64Array | null;
  readonly #kernels: readonly KernelTraceName[];
  readonly #outputs: Outputs;
  readonly #at: ReadonlySet<number> | null;
  readonly #keep: boolean;
  readonly #first = new Map<KernelTraceName, Tensor>();

  constructor(model: Model, loss: LossName, probe: Probe) {
    const { x, y, kernels = ['ntk'], outputs = 'trace', at, keep = true } = probe;
    const unknown = kernels.find((name) => !NAMES.includes(name));
    if (unknown !== undefined || kernels.length === 0)
      throw new RangeError(
        `train: probe.kernels must name kernels out of ${NAMES.join(', ')}, got [${kernels.join(', ')}].`,
      );
    const { n } = model.input('train: probe', x);
    this.#model = model;
    this.#x = asTensor(x);
    this.#y =
      y === undefined
        ? null
        : prepareTargets('train: probe', loss, asTensor(y, 'train: probe: y'), n, model.outputSize);
    this.#kernels = [...new Set(kernels)];
    this.#outputs = outputs;
    this.#at = at ? new Set(at) : null;
    this.#keep = keep;
    const bytes = this.bytes;
    if (bytes > model.core.memoryBytes)
      throw new RangeError(
        `train: probe: kernels of ${n} samples need ${bytes} bytes, the limit is ${model.core.memoryBytes}. Use fewer samples, or outputs 'trace'.`,
      );
  }

  /** Of the first kernels and the running one. */
  get bytes(): number {
    const n = this.#x.shape[0]!;
    const { resultBytes } = planEmpiricalNtk(this.#model, n, n, { outputs: this.#outputs });
    return (this.#kernels.length + 1) * resultBytes;
  }

  /** What one record keeps. */
  get keptBytes(): number {
    return this.#keep ? this.bytes - this.bytes / (this.#kernels.length + 1) : 0;
  }

  /** Takes the kernels that later ones are compared with, at the model's parameters. */
  *begin(): Generator<void, void> {
    for (const name of this.#kernels) this.#first.set(name, yield* this.#kernel(name));
  }

  /** The kernels after `step` steps, or null when they are not wanted there. */
  *take(step: number): Generator<void, Readonly<Partial<Record<KernelTraceName, KernelTrace>>> | null> {
    if (this.#at && !this.#at.has(step)) return null;
    const traces: Partial<Record<KernelTraceName, KernelTrace>> = {};
    for (const name of this.#kernels) traces[name] = this.#compare(name, yield* this.#kernel(name));
    return traces;
  }

  *#kernel(name: KernelTraceName): Generator<void, Tensor> {
    const outputs = this.#outputs;
    if (name === 'nngp') return empiricalNngp(this.#model, this.#x, null, { outputs });
    return yield* ntkTiles(this.#model, this.#x, null, { outputs });
  }

  #compare(name: KernelTraceName, kernel: Tensor): KernelTrace {
    const first = this.#first.get(name)!.data;
    const { data } = kernel;
    let [moved, with0, size, size0] = [0, 0, 0, 0];
    for (let i = 0; i < data.length; i++) {
      moved += (data[i]! - first[i]!) ** 2;
      with0 += data[i]! * first[i]!;
      size += data[i]! ** 2;
      size0 += first[i]! ** 2;
    }
    const aligned = (centred: boolean): number | null =>
      this.#y && targetAlignment(kernel, this.#y, this.#model.outputSize, centred);
    return {
      kernel: this.#keep ? kernel : null,
      change: Math.sqrt(moved / size0),
      alignmentWithStart: with0 / Math.sqrt(size * size0),
      targetAlignment: aligned(false),
      centredTargetAlignment: aligned(true),
    };
  }
}

/**
 * The alignment of a kernel (n, n), (n, n, o) or (n, n, o, o) with y y^T of targets (n, o), both taken entrywise: their
 * mean over outputs, their diagonal, or all pairs of outputs.
 */
function targetAlignment(kernel: Tensor, y: Float64Array, o: number, centred: boolean): number {
  const n = kernel.shape[0]!;
  const planes = kernel.data.length / (n * n);
  const pairs = pairsOf(kernel.shape.length, o);
  const plane = new Float64Array(n * n);
  const target = new Float64Array(n * n);
  let [product, size, targets] = [0, 0, 0];
  for (let p = 0; p < planes; p++) {
    for (let i = 0; i < n * n; i++) plane[i] = kernel.data[i * planes + p]!;
    target.fill(0);
    for (const [i, j] of pairs[p]!)
      for (let s = 0; s < n; s++)
        for (let t = 0; t < n; t++) target[s * n + t]! += y[s * o + i]! * y[t * o + j]!;
    if (centred) for (const matrix of [plane, target]) centre(matrix, n);
    for (let i = 0; i < n * n; i++) {
      product += plane[i]! * target[i]!;
      size += plane[i]! ** 2;
      targets += target[i]! ** 2;
    }
  }
  return size > 0 && targets > 0 ? product / Math.sqrt(size * targets) : 0;
}

/** The pairs of outputs behind every plane of a kernel of `rank` axes. */
function pairsOf(rank: number, o: number): [number, number][][] {
  const diagonal = Array.from({ length: o }, (_, i): [number, number] => [i, i]);
  if (rank === 2) return [diagonal];
  if (rank === 3) return diagonal.map((pair) => [pair]);
  return diagonal.flatMap(([i]) => diagonal.map(([j]): [number, number][] => [[i, j]]));
}

/** Takes off the means of rows and columns: M becomes H M H, H = I - 1 1^T / n. */
function centre(matrix: Float64Array, n: number): void {
  const rows = new Float64Array(n);
  const columns = new Float64Array(n);
  let all = 0;
  for (let s = 0; s < n; s++) {
    for (let t = 0; t < n; t++) {
      const value = matrix[s * n + t]! / n;
      rows[s]! += value;
      columns[t]! += value;
      all += value / n;
    }
  }
  for (let s = 0; s < n; s++) for (let t = 0; t < n; t++) matrix[s * n + t]! += all - rows[s]! - columns[t]!;
}
