// Limited-memory BFGS for a handful of variables: maximises a function within a box, step by step uphill.
// Nocedal & Wright 2006, algorithms 7.4 and 3.1 (backtracking).

export interface Point {
  readonly value: number;
  readonly gradient: readonly number[];
}

export interface Optimum extends Point {
  readonly x: readonly number[];
  readonly evaluations: number;
}

export interface LbfgsOptions {
  readonly maxSteps: number;
  /** Stops when a step gains less than this. */
  readonly gain: number;
  /** Where every variable stays. */
  readonly box: readonly (readonly [low: number, high: number])[];
}

const MEMORY = 8;

/** Climbs from `start`; `f` may return -Infinity where it is not defined. */
export async function climb(
  f: (x: readonly number[]) => Promise<Point>,
  start: readonly number[],
  { maxSteps, gain, box }: LbfgsOptions,
): Promise<Optimum> {
  const inside = (point: readonly number[]): number[] =>
    point.map((value, i) => Math.max(box[i]![0], Math.min(box[i]![1], value)));
  let x = inside(start);
  let now = await f(x);
  let evaluations = 1;
  const history: { s: number[]; y: number[]; rho: number }[] = [];
  for (let step = 0; step < maxSteps && Number.isFinite(now.value); step++) {
    // A variable at its bound does not push against it.
    const gradient = now.gradient.map((g, i) => (x[i] === box[i]![g > 0 ? 1 : 0] ? 0 : g));
    let direction = twoLoop(gradient, history);
    if (!(dot(direction, gradient) > 0)) {
      history.length = 0;
      direction = [...gradient];
    }
    if (dot(direction, gradient) === 0) break;
    const longest = Math.max(...direction.map(Math.abs));
    let length = Math.min(history.length ? 1 : 0.5 / longest, 2 / longest);
    let found: { x: number[]; point: Point } | null = null;
    for (let tries = 0; tries < 25 && !found; tries++, length /= 2) {
      const next = inside(x.map((value, i) => value + length * direction[i]!));
      const gained = dot(
        next.map((value, i) => value - x[i]!),
        gradient,
      );
      const point = await f(next);
      evaluations++;
      if (gained > 0 && point.value >= now.value + 1e-4 * gained) found = { x: next, point };
    }
    if (!found) {
      if (history.length === 0) break;
      history.length = 0; // curvature from before a bound was met misleads
      continue;
    }
    const s = found.x.map((value, i) => value - x[i]!);
    const y = found.point.gradient.map((value, i) => now.gradient[i]! - value);
    const curvature = dot(s, y);
    if (curvature > 1e-12) history.push({ s, y, rho: 1 / curvature });
    if (history.length > MEMORY) history.shift();
    const better = found.point.value - now.value;
    x = found.x;
    now = found.point;
    if (better < gain) break;
  }
  return { ...now, x, evaluations };
}

function twoLoop(
  gradient: readonly number[],
  history: readonly { s: number[]; y: number[]; rho: number }[],
): number[] {
  const q = [...gradient];
  const alphas = history.map(() => 0);
  for (let k = history.length - 1; k >= 0; k--) {
    const { s, y, rho } = history[k]!;
    alphas[k] = rho * dot(s, q);
    q.forEach((_, i) => (q[i]! -= alphas[k]! * y[i]!));
  }
  const last = history.at(-1);
  if (last) {
    const scale = dot(last.s, last.y) / dot(last.y, last.y);
    q.forEach((_, i) => (q[i]! *= scale));
  }
  history.forEach(({ s, y, rho }, k) => {
    const beta = rho * dot(y, q);
    q.forEach((_, i) => (q[i]! += (alphas[k]! - beta) * s[i]!));
  });
  return q;
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}
