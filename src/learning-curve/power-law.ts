// A n^-p + C through positive points, by Levenberg and Marquardt's method on log errors weighed by n.
import { exp, log } from '../math/elementary.js';

export interface PowerLaw {
  readonly amplitude: number;
  readonly power: number;
  readonly floor: number;
}

const STEPS = 500;

/** The value of the law at n. */
export const valueAt = ({ amplitude, power, floor }: PowerLaw, n: number): number =>
  amplitude * exp(-power * log(n)) + floor;

/** Least squares of n (log error - log law)^2; all three parameters stay positive. */
export function fitPowerLaw(n: readonly number[], error: readonly number[]): PowerLaw {
  const logs = n.map((value) => log(value));
  const targets = error.map((value) => log(value));
  const weights = n.map((value) => Math.sqrt(value));
  const last = targets.at(-1)!;
  let at = [targets[0]! + 0.7 * logs[0]!, log(0.7), last - 1.5];
  const evaluate = (p: readonly number[]): { cost: number; residual: number[]; rows: number[][] } => {
    const [amplitude, power, floor] = [exp(p[0]!), exp(p[1]!), exp(p[2]!)];
    let cost = 0;
    const residual: number[] = [];
    const rows = logs.map((x, i) => {
      const part = amplitude * exp(-power * x);
      const whole = part + floor;
      residual.push(weights[i]! * (targets[i]! - log(whole)));
      cost += residual[i]! ** 2;
      const share = part / whole;
      return [share, -share * power * x, 1 - share].map((value) => weights[i]! * value);
    });
    return { cost, residual, rows };
  };
  let now = evaluate(at);
  let damping = 1e-2;
  for (let step = 0; step < STEPS && damping < 1e12; step++) {
    const next = at.map((value, i) => value + moveOf(now, damping)[i]!);
    const tried = next.every((value) => Math.abs(value) < 300) ? evaluate(next) : null;
    if (tried && tried.cost < now.cost) {
      const gain = now.cost - tried.cost;
      [at, now, damping] = [next, tried, Math.max(damping / 3, 1e-12)];
      if (gain < 1e-12 * (1 + now.cost)) break;
    } else damping *= 4;
  }
  return { amplitude: exp(at[0]!), power: exp(at[1]!), floor: exp(at[2]!) };
}

/** The damped step (J^T J + damping diag) d = J^T r of three parameters, by elimination. */
function moveOf(
  { residual, rows }: { residual: readonly number[]; rows: readonly number[][] },
  damping: number,
): number[] {
  const system = [0, 1, 2].map((i) => {
    const line = [0, 1, 2].map((j) => rows.reduce((sum, row) => sum + row[i]! * row[j]!, 0));
    line[i]! += damping * (line[i]! + 1e-9);
    return [...line, rows.reduce((sum, row, k) => sum + row[i]! * residual[k]!, 0)];
  });
  for (let i = 0; i < 3; i++)
    for (let j = 0; j < 3; j++) {
      if (i === j) continue;
      const factor = system[j]![i]! / system[i]![i]!;
      for (let k = i; k < 4; k++) system[j]![k]! -= factor * system[i]![k]!;
    }
  return system.map((line, i) => line[3]! / line[i]!);
}
