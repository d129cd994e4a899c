// The train-train system M = K + rho I of a net, known by its tiles: never stored by this file. Scaled by a power of two.
import { kernelTiles, type KernelName } from '../../kernel/index.js';
import { kernelProduct } from '../../kernel/tiles/multiply.js';
import type { Tensor } from '../../math/tensor.js';
import type { TiledMatrix } from '../../math/tiled.js';
import type { NetDocument } from '../../net/document.js';
import type { Engine, RunOptions } from '../../wasm/engine.js';
import { kernelDiagonal, kernelPair, rowsOf, type KernelPair } from '../kernels.js';
import { divided } from '../linear.js';
import { powerOfTwo, regularise, type Diagnostics, type Regularisation } from '../system.js';
import { placeBlock } from './tiled.js';

export class NetSystem {
  readonly size: number;
  readonly engine: Engine;
  readonly net: NetDocument;
  readonly x: Tensor;
  /** Which kernel is the system's. */
  readonly name: KernelName;
  /** True kernels = scale * what the methods give. */
  readonly scale: number;
  /** K_ii. */
  readonly diagonal: Float64Array;
  readonly base: Diagnostics;

  private constructor(
    engine: Engine,
    net: NetDocument,
    x: Tensor,
    name: KernelName,
    found: Float64Array,
    options: Regularisation,
  ) {
    this.engine = engine;
    this.net = net;
    this.x = x;
    this.name = name;
    this.size = x.shape[0]!;
    const top = found.reduce((most, value) => Math.max(most, value), 0);
    this.scale = top > 0 ? powerOfTwo(top) : 1;
    this.diagonal = divided(found, this.scale);
    const mean = this.diagonal.reduce((sum, value) => sum + value / this.size, 0);
    this.base = regularise('predict', options, mean * this.scale);
  }

  static async of(
    engine: Engine,
    net: NetDocument,
    x: Tensor,
    name: KernelName,
    options: Regularisation & RunOptions,
  ): Promise<NetSystem> {
    const { [name]: diagonal } = await kernelDiagonal(engine, net, x, { signal: options.signal });
    return new NetSystem(engine, net, x, name, diagonal, options);
  }

  /** rho, in the units of the methods. */
  get added(): number {
    return this.base.added / this.scale;
  }

  /** Writes M into zeroed tiles of the lower triangle. */
  async fill(tiles: TiledMatrix, { signal }: RunOptions = {}): Promise<void> {
    const options = { dtype: 'f64' as const, get: this.name, ...(signal ? { signal } : {}) };
    for await (const tile of kernelTiles(this.engine, this.net, this.x, null, options)) {
      const values = divided(tile[this.name].data as Float64Array, this.scale);
      const width = tile.columns[1] - tile.columns[0];
      if (tile.rows[0] === tile.columns[0])
        for (let i = 0; i < width; i++) values[i * (width + 1)]! += this.added;
      placeBlock(tiles, values, [tile.rows[0], tile.columns[0]], width);
    }
  }

  /** K B of the system's kernel, or of the NNGP; `f32`: with entries of seven digits. */
  async multiply(
    b: Float64Array,
    r: number,
    { signal }: RunOptions,
    name: KernelName = this.name,
    dtype: 'f32' | 'f64' = 'f64',
  ): Promise<Float64Array> {
    const options = { get: name, dtype, ...(signal ? { signal } : {}) };
    const out = await kernelProduct(this.engine, this.net, this.x, null, b, r, options);
    return divided(out, this.scale);
  }

  /** Both kernels between points and the train set, (points, n). */
  cross(points: Tensor, run: RunOptions): Promise<KernelPair> {
    return this.crossWith(points, this.x, run);
  }

  async crossWith(points: Tensor, others: Tensor, { signal }: RunOptions): Promise<KernelPair> {
    const pair = await kernelPair(this.engine, this.net, points, others, { signal });
    return { nngp: divided(pair.nngp, this.scale), ntk: divided(pair.ntk, this.scale) };
  }

  /** The train samples in this order. */
  samples(indices: readonly number[]): Tensor {
    const size = this.x.data.length / this.size;
    const data = new Float64Array(indices.length * size);
    indices.forEach((index, i) => data.set(rowsOf(this.x, index, 1).data, i * size));
    return { data, shape: [indices.length, ...this.x.shape.slice(1)] };
  }
}
