// The train-train system M = K + rho I of a net, known by its tiles: never stored by this file. Scaled by a power of two.
import { kernelTiles, type KernelName } from '../../kernel/index.js';
import { kernelProduct } from '../../kernel/tiles/multiply.js';
import type { TiledMatrix } from '../../math/tiled.js';
import type { NetDocument } from '../../net/document.js';
import type { Engine, RunOptions } from '../../wasm/engine.js';
import {
  kernelDiagonal,
  kernelPair,
  pickSamples,
  sideOptions,
  type KernelPair,
  type Samples,
} from '../kernels.js';
import { divided } from '../linear.js';
import { regularise, type Diagnostics, type Regularisation } from '../system.js';
import { powerOfTwo } from '../../math/power-of-two.js';
import { placeBlock } from './tiled.js';

export class NetSystem {
  readonly size: number;
  readonly engine: Engine;
  readonly net: NetDocument;
  readonly train: Samples;
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
    train: Samples,
    [name, found]: readonly [kernel: KernelName, diagonal: Float64Array],
    options: Regularisation,
  ) {
    this.engine = engine;
    this.net = net;
    this.train = train;
    this.name = name;
    this.size = train.x.shape[0]!;
    const top = found.reduce((most, value) => Math.max(most, value), 0);
    this.scale = top > 0 ? powerOfTwo(top) : 1;
    this.diagonal = divided(found, this.scale);
    const mean = this.diagonal.reduce((sum, value) => sum + value / this.size, 0);
    this.base = regularise('predict', options, mean * this.scale);
  }

  static async of(
    engine: Engine,
    net: NetDocument,
    train: Samples,
    name: KernelName,
    options: Regularisation & RunOptions,
  ): Promise<NetSystem> {
    const { [name]: diagonal } = await kernelDiagonal(engine, net, train, { signal: options.signal });
    return new NetSystem(engine, net, train, [name, diagonal], options);
  }

  /** rho, in the units of the methods. */
  get added(): number {
    return this.base.added / this.scale;
  }

  /** Writes M into zeroed tiles of the lower triangle. */
  async fill(tiles: TiledMatrix, { signal }: RunOptions = {}): Promise<void> {
    const side = sideOptions(this.train, null);
    const options = {
      dtype: 'f64' as const,
      get: [this.name] as readonly KernelName[],
      ...side,
      ...(signal ? { signal } : {}),
    };
    for await (const tile of kernelTiles(this.engine, this.net, this.train.x, null, options)) {
      const values = divided(tile[this.name]!.data as Float64Array, this.scale);
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
    const options = { get: name, dtype, ...sideOptions(this.train, null), ...(signal ? { signal } : {}) };
    const out = await kernelProduct(this.engine, this.net, this.train.x, null, { b, r, ...options });
    return divided(out, this.scale);
  }

  /** Both kernels between points and the train set, (points, n). */
  cross(points: Samples, run: RunOptions): Promise<KernelPair> {
    return this.crossWith(points, this.train, run);
  }

  async crossWith(points: Samples, others: Samples, { signal }: RunOptions): Promise<KernelPair> {
    const pair = await kernelPair(this.engine, this.net, points, others, { signal });
    return { nngp: divided(pair.nngp, this.scale), ntk: divided(pair.ntk, this.scale) };
  }

  /** Rows of the system's kernel, (samples, n). */
  async columns(samples: readonly number[], run: RunOptions): Promise<Float64Array> {
    return (await this.cross(this.samples(samples), run))[this.name];
  }

  /** The train samples in this order. */
  samples(indices: readonly number[]): Samples {
    return pickSamples(this.train, indices);
  }
}
