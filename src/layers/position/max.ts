// Max pooling of finite nets: y = max over a window, channel by channel; padding is outside the maximum. Of equal entries the
// first counts. Piecewise linear, so every order follows the entry that won.
import type { Builder, Pass, ValueRef } from '../finite.js';
import { poolAxes, windowTaps } from '../geometry.js';
import type { Shaped } from '../shapes.js';
import type { SumPoolLayer } from '../vocabulary.js';
import { separable } from './finite.js';

export function compileMaxPool(
  { layer, path, output }: Shaped<SumPoolLayer>,
  builder: Builder,
  { id: x, shape }: ValueRef,
): ValueRef {
  const value = builder.value(output);
  const y = value.id;
  const spatial = shape.slice(0, -1);
  const channels = shape.at(-1)!;
  const taps = poolAxes(layer, spatial).map((axis) =>
    windowTaps(axis).map((row) => row.map(({ input }) => ({ input, weight: 1 }))),
  );
  const { starts, columns, in: positions, out } = separable(taps, spatial);
  const [sizeIn, sizeOut] = [positions * channels, out * channels];
  if (starts.some((start, p) => p > 0 && start === starts[p - 1]))
    throw new RangeError(`net: ${path} (maxPool): a window lies outside the input.`);

  /** Calls `visit` with every output entry and the input entry that wins it. */
  const winners = (pass: Pass, visit: (to: number, from: number) => void): void => {
    const values = pass.core.heap.read(pass.value(x, 0), 0, pass.n * sizeIn);
    for (let i = 0; i < pass.n * sizeOut; i++) {
      const [sample, c] = [Math.floor(i / sizeOut), i % channels];
      const p = Math.floor((i % sizeOut) / channels);
      let best = -1;
      for (let e = starts[p]!; e < starts[p + 1]!; e++) {
        const from = sample * sizeIn + columns[e]! * channels + c;
        if (best < 0 || values[from]! > values[best]!) best = from;
      }
      visit(i, best);
    }
  };

  builder.push({
    path,
    inputs: [x],
    output: y,
    parameter: null,
    forward(pass, order) {
      const to = pass.value(y, order);
      if (pass.isZero(x, order)) return pass.core.heap.fill(to, 0);
      const from = pass.core.heap.read(pass.value(x, order), 0, pass.n * sizeIn);
      const values = new Float64Array(pass.n * sizeOut);
      winners(pass, (i, best) => (values[i] = from[best]!));
      pass.core.heap.write(to, values);
    },
    backward(pass, order) {
      const target = pass.addTo(x, order);
      if (!target) return;
      const length = pass.n * sizeIn;
      const sum = target.beta === 0 ? new Float64Array(length) : pass.core.heap.read(target.to, 0, length);
      const along = pass.core.heap.read(pass.cotangent(y, order), 0, pass.n * sizeOut);
      winners(pass, (i, best) => (sum[best]! += along[i]!));
      pass.core.heap.write(target.to, sum);
    },
  });
  return value;
}
