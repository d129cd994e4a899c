import { createEngine, type Engine } from 'infinite-width';
import { denseGradient, densePass, displaced, type DenseNet } from '#build/dynamics/denseNet.js';
import { integrateHierarchy } from '#build/dynamics/hierarchy.js';
import { fourthOrder, tangentKernel, thirdOrder } from '#build/dynamics/kernelOrders.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** Deterministic standard normals for tests: Box-Muller on a multiplicative congruential generator. */
function normals(seed: number): () => number {
  let state = (seed * 48271 + 1) % 2147483647;
  const uniform = (): number => (state = (state * 48271) % 2147483647) / 2147483647;
  for (let i = 0; i < 10; i++) uniform();
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}

const tanh: DenseNet['activation'] = (z, order) =>
  z.map((value) => {
    const t = Math.tanh(value);
    return order === 0 ? t : order === 1 ? 1 - t * t : -2 * t * (1 - t * t);
  });

function makeNet(widths: number[], seed: number, beta = 0.3): DenseNet {
  const normal = normals(seed);
  const layers = widths.slice(1).map((fanOut, l) => {
    const fanIn = widths[l]!;
    const w = Float64Array.from({ length: fanIn * fanOut }, normal);
    const b = beta > 0 ? Float64Array.from({ length: fanOut }, normal) : null;
    return { w, b, fanIn, fanOut, kappa: 1.1 / Math.sqrt(fanIn), beta };
  });
  return { layers, activation: tanh };
}

const inputs = (n: number, dim: number, seed: number): Float64Array =>
  Float64Array.from({ length: n * dim }, normals(seed));

describe('kernel orders of dense nets', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createEngine({ variant: 'simd' });
  });
  afterAll(() => engine.dispose());

  const nets: [string, number[]][] = [
    ['one hidden layer', [3, 7, 1]],
    ['two hidden layers, two outputs', [3, 5, 6, 2]],
    ['three hidden layers', [2, 4, 5, 3, 1]],
  ];

  it.each(nets)('Theta is the Gram of the gradients: %s', (_, widths) => {
    const net = makeNet(widths, 3);
    const n = 3;
    const pass = densePass(engine, net, inputs(n, widths[0]!, 5), n);
    const rows = n * pass.outputs;
    const gradients = Array.from({ length: rows }, (__, p) => {
      const g = new Float64Array(rows);
      g[p] = 1;
      return denseGradient(engine, net, pass, g).flatMap(({ w, b }) => [...w, ...(b ?? [])]);
    });
    const theta = tangentKernel(engine, net, pass);
    for (let p = 0; p < rows; p++) {
      for (let q = 0; q < rows; q++) {
        const dot = gradients[p]!.reduce((sum, value, i) => sum + value * gradients[q]![i]!, 0);
        expect(Math.abs(theta[p * rows + q]! - dot)).toBeLessThan(1e-12 * Math.max(1, Math.abs(dot)));
      }
    }
  });

  it.each(nets)('O3 and O4 are what moving the parameters along grad f does: %s', (_, widths) => {
    const net = makeNet(widths, 11);
    const n = 2;
    const x = inputs(n, widths[0]!, 7);
    const pass = densePass(engine, net, x, n);
    const rows = n * pass.outputs;
    const o3 = thirdOrder(engine, net, pass);
    const scale = Math.max(...o3.map(Math.abs));
    const o4 = fourthOrder(engine, net, x, n);
    for (let q = 0; q < rows; q++) {
      const g = new Float64Array(rows);
      g[q] = 1;
      const direction = denseGradient(engine, net, pass, g);
      const kernelAt = (step: number): Float64Array => {
        const moved = displaced(net, direction, step);
        return tangentKernel(engine, moved, densePass(engine, moved, x, n));
      };
      const eps = 1e-3;
      const slopeOf = (at: (step: number) => Float64Array): Float64Array => {
        const [c, d, e, f] = [at(-2 * eps), at(-eps), at(eps), at(2 * eps)] as [
          Float64Array,
          Float64Array,
          Float64Array,
          Float64Array,
        ];
        return c.map((value, i) => (value - 8 * d[i]! + 8 * e[i]! - f[i]!) / (12 * eps));
      };
      const first = slopeOf(kernelAt);
      const second = slopeOf((step) => {
        const moved = displaced(net, direction, step);
        return thirdOrder(engine, moved, densePass(engine, moved, x, n));
      });
      const bend = Math.max(...second.map(Math.abs));
      for (let i = 0; i < rows * rows; i++) {
        expect(Math.abs(o3[i * rows + q]! - first[i]!)).toBeLessThan(1e-8 * scale);
        for (let r = 0; r < rows; r++) {
          const got = o4[(i * rows + r) * rows + q]!;
          expect(Math.abs(got - second[i * rows + r]!)).toBeLessThan(1e-5 * bend);
        }
      }
    }
  });

  it('O3 of one hidden layer is the closed form', () => {
    const [dim, width, n] = [4, 50, 3] as const;
    const base = makeNet([dim, width, 1], 2, 0);
    const net: DenseNet = {
      ...base,
      layers: base.layers.map((layer) => ({ ...layer, kappa: 1 / Math.sqrt(layer.fanIn) })),
    };
    const x = inputs(n, dim, 9);
    const o3 = thirdOrder(engine, net, densePass(engine, net, x, n));
    const [v, w] = [net.layers[0]!.w, net.layers[1]!.w];
    const dot = (i: number, j: number): number => {
      let sum = 0;
      for (let k = 0; k < dim; k++) sum += x[i * dim + k]! * x[j * dim + k]!;
      return sum / dim;
    };
    const unit = (i: number, r: number, order: 0 | 1 | 2): number => {
      let u = 0;
      for (let k = 0; k < dim; k++) u += (x[i * dim + k]! * v[k * width + r]!) / Math.sqrt(dim);
      return tanh(Float64Array.of(u), order)[0]!;
    };
    for (const [i, j, k] of [
      [0, 1, 2],
      [0, 0, 1],
      [2, 1, 1],
      [0, 0, 0],
    ] as const) {
      let sum = 0;
      for (let r = 0; r < width; r++) {
        const [p, d, c] = [0, 1, 2].map((order) => [i, j, k].map((s) => unit(s, r, order as 0 | 1 | 2))) as [
          number[],
          number[],
          number[],
        ];
        const [p1, p2, p3] = p as [number, number, number];
        const [d1, d2, d3] = d as [number, number, number];
        const [c1, c2] = c as [number, number];
        sum +=
          w[r]! *
          (d1 * d3 * p2 * dot(i, k) +
            d2 * d3 * p1 * dot(j, k) +
            2 * d1 * d2 * p3 * dot(i, j) +
            w[r]! ** 2 * (c1 * d2 * d3 * dot(i, k) + d1 * c2 * d3 * dot(j, k)) * dot(i, j));
      }
      expect(Math.abs(o3[(i * n + j) * n + k]! - sum / width ** 1.5)).toBeLessThan(1e-13);
    }
  });

  it('truncating after O4 gains an order in 1/N, after O3 alone nothing', () => {
    const widths = [64, 128, 256, 512];
    const seeds = 8;
    const n = 3;
    const dim = 5;
    const errors = widths.map((width) => {
      const total = [0, 0, 0];
      for (let seed = 0; seed < seeds; seed++) {
        const base = makeNet([dim, width, 1], 100 * width + seed, 0);
        const net: DenseNet = {
          ...base,
          layers: base.layers.map((layer) => ({ ...layer, kappa: 1 / Math.sqrt(layer.fanIn) })),
        };
        const x = inputs(n, dim, 31);
        const y = Float64Array.of(1, -1, 0.5);
        const result = integrateHierarchy(engine, { net, x, y, n, time: 8, steps: 40 });
        for (const [k, { output }] of result.truncations.entries()) {
          total[k]! += output.reduce((sum, value, p) => sum + (value - result.output[p]!) ** 2, 0);
        }
      }
      return total.map((sum) => Math.sqrt(sum / seeds / n));
    });
    const slope = (k: number): number => {
      const points = widths.map((width, i) => [Math.log(width), Math.log(errors[i]![k]!)] as const);
      const mean = (index: 0 | 1): number =>
        points.reduce((sum, point) => sum + point[index], 0) / points.length;
      const [mx, my] = [mean(0), mean(1)];
      return (
        points.reduce((sum, [a, b]) => sum + (a - mx) * (b - my), 0) /
        points.reduce((sum, [a]) => sum + (a - mx) ** 2, 0)
      );
    };
    expect(slope(0)).toBeLessThan(-0.6); // 1/N, with the noise of eight seeds
    expect(slope(2)).toBeLessThan(-1.6); // 1/N^2
    expect(slope(2)).toBeLessThan(Math.min(slope(0), slope(1)) - 0.3);
    const [frozen, third, fourth] = errors.at(-1) as [number, number, number];
    expect(third).toBeGreaterThan(0.2 * frozen);
    expect(fourth).toBeLessThan(0.1 * frozen);
  });
});
