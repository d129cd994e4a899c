// Full-batch gradient descent of a dense net over a range of learning rates: lazy below 2, catapult from 2 to about 4,
// divergent above, in units of 1/lambda_max(Theta_0/n) (Lewkowycz et al. 2020).
import { eighInPlace } from '../math/eigh.js';
import type { Core } from '../wasm/engine.js';
import { denseGradient, densePass, displaced, type DenseNet } from './denseNet.js';
import { tangentKernel } from './kernelOrders.js';

export interface ScanProblem {
  readonly net: DenseNet;
  /** (n, fanIn) and (o, n): the loss is sum (f - y)^2 / (2n). */
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly n: number;
  readonly steps: number;
}

export interface ScanPoint {
  /** learningRate * lambda_max(Theta_0) / n. */
  readonly multiple: number;
  readonly learningRate: number;
  readonly maxLoss: number;
  readonly maxLossStep: number;
  readonly finalLoss: number;
  /** lambda_max(Theta) at the end over that at the start; null when training diverged. */
  readonly sharpnessRatio: number | null;
  /** The step at which the loss passed 1e10 times its start, or null. */
  readonly divergedAt: number | null;
}

/** The largest eigenvalue of a symmetric matrix of `rows` rows. */
export function sharpness(core: Core, theta: Float64Array<ArrayBuffer>, rows: number): number {
  return core.heap.scope((scope) => {
    const w = scope.alloc('f64', rows);
    eighInPlace(core, scope.put(theta), w, null, rows);
    return core.heap.get(w, rows - 1);
  });
}

/** Trains the same initial net once per multiple of n/lambda_max(Theta_0). */
export function learningRateScan(
  core: Core,
  problem: ScanProblem,
  multiples: readonly number[],
): ScanPoint[] {
  const { net, x, n } = problem;
  const pass = densePass(core, net, x, n);
  const start = sharpness(core, tangentKernel(core, net, pass), n * pass.outputs);
  return multiples.map((multiple) => descend(core, problem, multiple, start));
}

function descend(
  core: Core,
  { net, x, y, n, steps }: ScanProblem,
  multiple: number,
  start: number,
): ScanPoint {
  const learningRate = (multiple * n) / start;
  const losses: number[] = [];
  let divergedAt: number | null = null;
  let now = net;
  let pass = densePass(core, now, x, n);
  for (let step = 0; ; step++) {
    const residual = residualOf(pass.f, y, n, pass.outputs);
    losses.push(residual.reduce((sum, value) => sum + value * value, 0) / (2 * n));
    if (!(losses[step]! <= 1e10 * Math.max(losses[0]!, 1))) divergedAt = step;
    if (step === steps || divergedAt !== null) break;
    now = displaced(now, denseGradient(core, now, pass, residual), -learningRate / n);
    pass = densePass(core, now, x, n);
  }
  const maxLossStep = losses.reduce((best, value, step) => (value > losses[best]! ? step : best), 0);
  const sharpnessRatio =
    divergedAt === null ? sharpness(core, tangentKernel(core, now, pass), n * pass.outputs) / start : null;
  return {
    multiple,
    learningRate,
    maxLoss: losses[maxLossStep]!,
    maxLossStep,
    finalLoss: losses.at(-1)!,
    sharpnessRatio,
    divergedAt,
  };
}

/** f (n, o) minus y (o, n), as (o, n). */
function residualOf(f: Float64Array, y: Float64Array, n: number, outputs: number): Float64Array {
  return y.map((value, p) => f[(p % n) * outputs + Math.floor(p / n)]! - value);
}
