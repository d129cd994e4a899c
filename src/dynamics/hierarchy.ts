// The hierarchy of kernels: df/dt = -Theta g, dTheta/dt = -O3 g, dO3/dt = -O4 g, ..., g = dL/df, truncated, beside the
// gradient flow of the net itself. At width N, O3 and O4 are both of order 1/N, so only keeping both gains an order.
import type { Core } from '../wasm/engine.js';
import { rootMeanSquare } from '../math/statistics.js';
import { addTo, denseGradient, densePass, displaced, type DenseNet } from './denseNet.js';
import { fourthOrder, tangentKernel, thirdOrder } from './kernelOrders.js';
import { rungeKutta4, type OdeState } from './rungeKutta.js';

export type HierarchyOrder = 2 | 3 | 4;

export interface HierarchyProblem {
  readonly net: DenseNet;
  /** (n, fanIn) and (o, n): the loss is sum (f - y)^2 / (2n). */
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly n: number;
  /** End of the flow, in units in which df/dt = -Theta (f - y)/n. */
  readonly time: number;
  /** Runge-Kutta steps. */
  readonly steps: number;
}

export interface HierarchyResult {
  /** Output (o, n) and tangent kernel (P, P) of the net at the end of gradient flow. */
  readonly output: Float64Array;
  readonly kernel: Float64Array;
  /** The same as each truncation sees them. Order 2 freezes Theta, 3 freezes O3, 4 freezes O4. */
  readonly truncations: readonly {
    readonly order: HierarchyOrder;
    readonly output: Float64Array;
    readonly kernel: Float64Array;
  }[];
  /** Root mean squares of Theta, O3, O4 at initialisation. */
  readonly size: { readonly theta: number; readonly o3: number; readonly o4: number };
}

/** Integrates the net's own gradient flow and the hierarchy truncated at orders 2, 3 and 4 from the same start. */
export function integrateHierarchy(core: Core, problem: HierarchyProblem): HierarchyResult {
  const { net, x, y, n, time, steps } = problem;
  const pass = densePass(core, net, x, n);
  const f0 = transposed(pass.f, n, pass.outputs);
  const theta = tangentKernel(core, net, pass);
  const o3 = thirdOrder(core, net, pass);
  const o4 = fourthOrder(core, net, x, n);
  const h = time / steps;
  const flow = (order: HierarchyOrder): OdeState => {
    const frozen = [theta, o3, o4] as const;
    let state: OdeState = [f0, ...frozen.slice(0, order - 2)];
    for (let step = 0; step < steps; step++)
      state = rungeKutta4(state, h, (now) => hierarchySlope([...now, frozen[order - 2]!], y, n));
    return state;
  };
  const truncations = ([2, 3, 4] as const).map((order) => {
    const [output, kernel = theta] = flow(order);
    return { order, output: output!, kernel };
  });
  const end = gradientFlow(core, problem, h);
  const last = densePass(core, end, x, n);
  return {
    output: transposed(last.f, n, last.outputs),
    kernel: tangentKernel(core, end, last),
    truncations,
    size: { theta: rootMeanSquare(theta), o3: rootMeanSquare(o3), o4: rootMeanSquare(o4) },
  };
}

/** Each order's slope is minus the next order contracted with g = (f - y)/n; the last one does not move. */
function hierarchySlope(orders: OdeState, y: Float64Array, n: number): OdeState {
  const g = orders[0]!.map((value, p) => (value - y[p]!) / n);
  return orders.slice(0, -1).map((order, k) => {
    const next = orders[k + 1]!;
    const slope = new Float64Array(order.length);
    for (let i = 0; i < slope.length; i++) {
      let sum = 0;
      for (let p = 0; p < g.length; p++) sum += next[i * g.length + p]! * g[p]!;
      slope[i] = -sum;
    }
    return slope;
  });
}

/** The net after gradient flow on its parameters. */
function gradientFlow(core: Core, { net, x, y, n, steps }: HierarchyProblem, h: number): DenseNet {
  const slopeAt = (state: DenseNet): { w: Float64Array; b: Float64Array | null }[] => {
    const pass = densePass(core, state, x, n);
    const f = transposed(pass.f, n, pass.outputs);
    return denseGradient(
      core,
      state,
      pass,
      f.map((value, p) => -(value - y[p]!) / n),
    );
  };
  let now = net;
  for (let step = 0; step < steps; step++) {
    const k1 = slopeAt(now);
    const k2 = slopeAt(displaced(now, k1, h / 2));
    const k3 = slopeAt(displaced(now, k2, h / 2));
    const k4 = slopeAt(displaced(now, k3, h));
    for (const [l, k] of k1.entries()) {
      for (const part of ['w', 'b'] as const) {
        if (!k[part]) continue;
        addTo(k[part], k2[l]![part]!, 2);
        addTo(k[part], k3[l]![part]!, 2);
        addTo(k[part], k4[l]![part]!);
      }
    }
    now = displaced(now, k1, h / 6);
  }
  return now;
}

/** (n, o) to (o, n). */
function transposed(f: Float64Array, n: number, outputs: number): Float64Array {
  return Float64Array.from({ length: f.length }, (_, p) => f[(p % n) * outputs + Math.floor(p / n)]!);
}
