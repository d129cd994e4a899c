// What is measured on a one-hidden-layer net in wasm memory, without changing it.
import { gemm } from '../../math/matmul.js';
import { slice, type FloatType, type Ticket } from '../../wasm/engine.js';
import { activateInto } from './activation.js';
import type { Batch, HiddenNet } from './hidden-net.js';
import type { Coordinates, Increments, Terms } from './run.js';

/** Outputs on a batch, with the diagonal kernels (without rates and |x|^2) of the first rows. */
export function evaluate(
  net: HiddenNet,
  { x, rows }: Batch,
  kernelRows = 0,
): { f: Float64Array; ka: Float64Array; kw: Float64Array } {
  const { heap } = net.core;
  const { inputs, dtype } = net.shape;
  return heap.scope((scope) => {
    const chunk = Math.min(rows, 1024);
    const size = chunk * net.blocks[0]!.units;
    const z = scope.alloc(dtype, size);
    const d = net.slope === null ? scope.alloc(dtype, size) : null;
    const [f, ka, kw] = [rows, kernelRows, kernelRows].map((n) => scope.zeros('f64', n)) as [
      Ticket<'f64'>,
      Ticket<'f64'>,
      Ticket<'f64'>,
    ];
    for (const block of net.blocks) {
      heap.scope((inner) => {
        const w = net.inputWeights(block, inner);
        for (let first = 0; first < rows; first += chunk) {
          const count = Math.min(chunk, rows - first);
          const part = { x: slice(x, first * inputs, count * inputs), rows: count };
          net.addOutputs(block, w, { batch: part, z, d, f: slice(f, first, count) });
          const diagonal = Math.min(count, kernelRows - first);
          if (diagonal <= 0) continue;
          const [ka0, kw0] = [slice(ka, first, diagonal).ptr, slice(kw, first, diagonal).ptr];
          const slope = net.slope ?? 0;
          net.kernel('hiddenKernels')(
            diagonal,
            block.units,
            z.ptr,
            d?.ptr ?? 0,
            block.a.ptr,
            slope,
            ka0,
            kw0,
          );
        }
      });
    }
    return { f: heap.read(f), ka: heap.read(ka), kw: heap.read(kw) };
  });
}

/** Sums over units of phi phi' and a^2 phi' phi' between a few inputs: `(rows, rows)` each. */
export function grams(net: HiddenNet, { x, rows }: Batch): { ka: Float64Array; kw: Float64Array } {
  const { heap } = net.core;
  const { inputs, dtype, activation } = net.shape;
  return heap.scope((scope) => {
    const size = rows * net.blocks[0]!.units;
    const [z, d] = [scope.alloc(dtype, size), scope.alloc(dtype, size)];
    const [ka, kw] = [scope.zeros(dtype, rows * rows), scope.zeros(dtype, rows * rows)];
    for (const block of net.blocks) {
      const { a, units } = block;
      // Units as rows, so that a_r multiplies rows.
      heap.scope((inner) =>
        gemm(net.core, [net.inputWeights(block, inner), x, z], [units, rows, inputs], { transB: true }),
      );
      activateInto(net.core, activation, z, d, rows * units);
      net.kernel('hiddenUpdate')(units, rows, 0, d.ptr, 1, a.ptr, d.ptr);
      gemm(net.core, [z, z, ka], [rows, rows, units], { transA: true, beta: 1 });
      gemm(net.core, [d, d, kw], [rows, rows, units], { transA: true, beta: 1 });
    }
    return { ka: Float64Array.from(heap.read(ka)), kw: Float64Array.from(heap.read(kw)) };
  });
}

/** How far the weights have moved. */
export function increments(net: HiddenNet): Increments {
  const { heap } = net.core;
  const { inputs, width } = net.shape;
  let [input, output] = [0, 0];
  for (const block of net.blocks) {
    const { w0, a, a0, units } = block;
    const now = heap.scope((scope) => heap.read(net.inputWeights(block, scope)));
    const [start, aNow, aStart] = [heap.read(w0!), heap.read(a), heap.read(a0!)];
    for (let r = 0; r < units; r++) {
      let square = 0;
      for (let k = r * inputs; k < (r + 1) * inputs; k++)
        square += (now[k]! - start[k]!) * (now[k]! - start[k]!);
      input += Math.sqrt(square) / width;
      output += Math.abs(aNow[r]! - aStart[r]!) / width;
    }
  }
  return { input, output };
}

/** Mean absolute pre-activation over units and inputs, and of its change since the start. */
export function coordinates(net: HiddenNet, { x, rows }: Batch): Coordinates {
  const { heap } = net.core;
  const { inputs, width, dtype } = net.shape;
  let [hidden, change] = [0, 0];
  for (const block of net.blocks) {
    const { units, w0 } = block;
    heap.scope((scope) => {
      const z = scope.alloc(dtype, rows * units);
      const product = (weights: Ticket<FloatType>): ArrayLike<number> => {
        gemm(net.core, [x, weights, z], [rows, units, inputs], { transB: true });
        return heap.read(z);
      };
      const [now, start] = [product(net.inputWeights(block, scope)), product(w0!)];
      for (let i = 0; i < now.length; i++) {
        hidden += Math.abs(now[i]!) / (rows * width);
        change += Math.abs(now[i]! - start[i]!) / (rows * width);
      }
    });
  }
  return { hidden, change };
}

/** Terms of the output: a and w each at their start or as increments, through the present on/off pattern. */
export function decompose(net: HiddenNet, { x, rows }: Batch): Terms {
  const { heap } = net.core;
  const { inputs, dtype } = net.shape;
  if (net.slope === null) throw new RangeError('decompose: the terms exist for leaky activations only');
  return heap.scope((scope) => {
    const names = ['f0', 'fa', 'fw', 'faw'] as const;
    const terms = names.map(() => scope.zeros('f64', rows));
    const size = rows * net.blocks[0]!.units;
    const [z, z0, dz] = [scope.alloc(dtype, size), scope.alloc(dtype, size), scope.alloc(dtype, size)];
    for (const block of net.blocks) {
      const { units, w0, a, a0 } = block;
      if (!w0 || !a0) throw new Error('decompose: the start was not kept');
      heap.scope((inner) => {
        const minus = (left: Ticket<FloatType>, right: Ticket<FloatType>): Ticket<FloatType> => {
          const values = heap.read(left);
          const start = heap.read(right);
          for (let i = 0; i < values.length; i++) values[i] = values[i]! - start[i]!;
          return inner.put(values);
        };
        const w = net.inputWeights(block, inner);
        const da = minus(a, a0);
        const sizes = [rows, units, inputs] as const;
        gemm(net.core, [x, w, z], sizes, { transB: true });
        gemm(net.core, [x, w0, z0], sizes, { transB: true });
        gemm(net.core, [x, minus(w, w0), dz], sizes, { transB: true });
        const dot = net.kernel('hiddenDot');
        const parts = [
          [z0, a0],
          [z0, da],
          [dz, a0],
          [dz, da],
        ] as const;
        parts.forEach(([y, output], k) =>
          dot(rows, units, z.ptr, y.ptr, output.ptr, net.slope!, terms[k]!.ptr),
        );
      });
    }
    return Object.fromEntries(names.map((name, k) => [name, heap.read(terms[k]!)])) as unknown as Terms;
  });
}
