// The same net trained in the space of its pre-activations: input weights move by combinations of the training inputs
// only, w = w(0) + X^T s, so z moves by G s with the Gram matrix G = X X^T of the training set, whatever the number of
// inputs. A step costs 2 rows batch flops per unit instead of 4 batch inputs; weights are formed only to be looked at.
import { gemm } from '../../math/matmul.js';
import { slice, type Allocator, type Core, type FloatType, type Ticket } from '../../wasm/engine.js';
import { HiddenNet, type Batch, type Block, type HiddenNetShape, type StepRule } from './hidden-net.js';

export class GramNet extends HiddenNet {
  readonly #x: Batch;
  readonly #gram: Ticket<FloatType>; // rows x rows
  readonly #s: readonly Ticket<FloatType>[]; // rows x units of each block
  readonly #delta: Ticket<FloatType>; // batch x units
  readonly #factor: Ticket<FloatType>; // units
  #z0: readonly Ticket<FloatType>[] | null = null; // rows x units of each block, for masked starts

  /** `train` is the whole training set; batches are runs of its rows. Leaky activations only. */
  constructor(core: Core, memory: Allocator, shape: HiddenNetShape, train: Batch, batchSize: number) {
    super(core, memory, { ...shape, rows: train.rows }, 2 ** 21); // less often the Gram matrix is packed
    const { dtype, inputs } = shape;
    const units = this.blocks[0]!.units;
    const { rows } = train;
    this.#x = train;
    this.#gram = memory.alloc(dtype, rows * rows);
    gemm(core, [train.x, train.x, this.#gram], [rows, rows, inputs], { transB: true });
    this.#s = this.blocks.map((block) => memory.zeros(dtype, rows * block.units));
    this.#delta = memory.alloc(dtype, Math.min(batchSize, rows) * units);
    this.#factor = memory.alloc(dtype, units);
  }

  /** Pre-activations of the initial weights; call it once they are in place. */
  begin(): void {
    const { rows, inputs, dtype } = this.shape;
    for (const { w, z, units } of this.blocks)
      gemm(this.core, [this.#x.x, w, z], [rows, units, inputs], { transB: true });
    if (!this.mode.maskedStart) return;
    this.#z0 = this.blocks.map(({ z, units }) => {
      const copy = this.memory.alloc(dtype, rows * units);
      this.core.heap.write(copy, this.core.heap.read(z));
      return copy;
    });
  }

  override inputWeights(block: Block, scope: Allocator): Ticket<FloatType> {
    const { rows, inputs } = this.shape;
    const now = scope.put(this.core.heap.read(block.w));
    const s = this.#s[this.blocks.indexOf(block)]!;
    gemm(this.core, [s, this.#x.x, now], [block.units, inputs, rows], { transA: true, beta: 1 });
    return now;
  }

  override changing(block: Block): Record<string, Ticket<FloatType>> {
    return { a: block.a, z: block.z, s: this.#s[this.blocks.indexOf(block)]! };
  }

  override forward(batch: Batch): Float64Array<ArrayBuffer> {
    const { f } = this.scratch;
    this.core.heap.fill(f, 0);
    this.blocks.forEach((_, k) => this.#output(k, batch));
    return this.core.heap.read(f, 0, batch.rows);
  }

  override step(
    batch: Batch,
    g: Float64Array,
    { input, output }: StepRule,
    next: Batch,
  ): Float64Array<ArrayBuffer> {
    const { heap } = this.core;
    heap.write(this.scratch.g, g);
    heap.fill(this.scratch.f, 0);
    this.blocks.forEach((_, k) => {
      this.#move(k, batch, input, output);
      this.#output(k, next);
    });
    return heap.read(this.scratch.f, 0, next.rows);
  }

  #output(k: number, { rows, first = 0 }: Batch): void {
    const { units, z, a, minusA0 } = this.blocks[k]!;
    const now = slice(z, first * units, rows * units).ptr;
    const { ptr: f } = this.scratch.f;
    const dot = this.kernel('hiddenDot');
    dot(rows, units, now, now, a.ptr, this.slope!, f);
    if (this.#z0)
      dot(
        rows,
        units,
        now,
        slice(this.#z0[k]!, first * units, rows * units).ptr,
        minusA0!.ptr,
        this.slope!,
        f,
      );
  }

  #move(k: number, { rows, first = 0 }: Batch, rateIn: number, rateOut: number): void {
    const block = this.blocks[k]!;
    const { units, z, a } = block;
    const { da, g } = this.scratch;
    const all = this.shape.rows;
    const combine = this.kernel('rowsCombine');
    const multiply = this.kernel('rowsMultiply');
    const [delta, factor] = [this.#delta.ptr, this.#factor.ptr];
    this.core.heap.fill(da, 0);
    const now = slice(z, first * units, rows * units).ptr;
    this.kernel('hiddenBack')(rows, units, now, 0, g.ptr, this.slope!, delta, da.ptr);
    combine(1, units, -rateIn, a.ptr, units, 0, factor, units);
    for (let i = 0; i < rows; i++) {
      const row = slice(this.#delta, i * units, units).ptr;
      multiply(units, row, factor, 0, row);
    }
    const s = slice(this.#s[k]!, first * units, rows * units).ptr;
    combine(1, rows * units, 1, delta, rows * units, 1, s, rows * units);
    // Columns of the batch in the symmetric Gram matrix are its rows, transposed.
    gemm(this.core, [slice(this.#gram, first * all, rows * all), this.#delta, z], [all, units, rows], {
      transA: true,
      beta: 1,
    });
    this.moveOutput(block, rateOut);
  }
}
