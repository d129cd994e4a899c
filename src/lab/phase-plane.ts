// The plane of scalings: what each point means, and finite nets trained under the chosen one.
import { xorMixture } from '../data/index.js';
import { type Classification, type Engine } from '../root.js';
import { explain, trainOneHidden, type RunTrace } from '../scaling/index.js';
import { Chart, draw } from './chart.js';
import { button, choice, settled } from './controls.js';

type Corner = readonly [qSigma: number, qTilde: number];

const X: readonly [number, number] = [-1.75, 0.5];
const Y: readonly [number, number] = [-1, 1.75];
const MF: Corner = [-1, 1];
const NTK: Corner = [-0.5, 0];
const SYM: Corner = [-0.5, 0.5];

// The geometry of arXiv:2006.06574, figure 1; what each piece is called comes from `classify`.
const REGIONS: readonly { corners: readonly Corner[]; colour: string }[] = [
  { corners: [[-1.75, 1.75], MF, NTK, [-1.75, 1.25]], colour: 'c6' },
  { corners: [MF, SYM, NTK], colour: 'c5' },
  {
    corners: [SYM, [0.5, -0.5], [0.5, -1], NTK],
    colour: 'c4',
  },
];
const LINES: readonly (readonly [Corner, Corner])[] = [
  [MF, NTK],
  [NTK, SYM],
  [MF, SYM],
  [MF, [-1.75, 1.75]],
  [SYM, [0.5, -0.5]],
  [NTK, [-1.75, 1.25]],
  [NTK, [0.5, -1]],
];
const SPOTS: readonly { at: Corner; name: string; dx: number; dy: number; anchor: string }[] = [
  { at: MF, name: 'mean field', dx: -10, dy: 18, anchor: 'end' },
  { at: NTK, name: 'NTK', dx: -10, dy: 18, anchor: 'end' },
  { at: SYM, name: 'sym-default', dx: 12, dy: -6, anchor: 'start' },
];
const BASE = 64;
const WIDTHS = [64, 256, 1024, 4096];
const EPOCHS = 100;
const SEEDS = [0, 1, 2];

const METRICS = {
  'test loss': { of: (run: RunTrace) => run.testLoss, label: 'test loss (nats)', log: true },
  'train loss': { of: (run: RunTrace) => run.trainLoss, label: 'train loss (nats)', log: true },
  'test accuracy': { of: (run: RunTrace) => run.testAccuracy, label: 'test accuracy', log: false },
  'mean |logit|': {
    of: (run: RunTrace) => run.meanAbsLogit,
    label: 'mean |logit| on test points',
    log: true,
  },
  'kernel change': {
    of: (run: RunTrace) => run.relativeKernel,
    label: 'K(x, x) relative to the start',
    log: true,
  },
} as const;

export function startPlane(section: HTMLElement, engine: Engine, failed: (error: unknown) => void): void {
  const part = <T extends Element>(name: string): T => section.querySelector<T>(`[data-${name}]`)!;
  const controls = part<HTMLElement>('controls');
  const note = part<HTMLElement>('note');
  let point: Corner = MF;
  let traces: readonly (readonly RunTrace[])[] = [];

  const metric = choice(controls, 'show', Object.keys(METRICS), () => showTraces());
  const showTraces = (): void => drawTraces(part('chart'), traces, metric() as keyof typeof METRICS);
  const select = (next: Corner): void => {
    point = next;
    drawPlane(part('plane'), point, select);
    showCard(part('card'), point);
  };
  const train = settled(async (signal) => {
    const [qSigma, qTilde] = point;
    const { x, y } = xorMixture({ samples: 256, seed: 1 });
    const test = xorMixture({ samples: 512, seed: 2 });
    const began = performance.now();
    const found: RunTrace[][] = [];
    for (const width of WIDTHS) {
      note.textContent = `Training ${SEEDS.length} nets of width ${width} at q_σ = ${qSigma}, q̃ = ${qTilde}…`;
      found.push(
        await trainOneHidden(engine, {
          data: { xTrain: x, yTrain: y, xTest: test.x, yTest: test.y },
          scaling: { qSigma, qTilde },
          width,
          baseWidth: BASE,
          seeds: SEEDS,
          epochs: EPOCHS,
          learningRate: 0.3,
          evaluateAt: 'log',
          dtype: 'f32',
          signal,
        }),
      );
      traces = [...found];
      showTraces();
    }
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    note.textContent = `XOR mixture, 256 points, ${EPOCHS} full-batch steps at rate 0.3, mean of ${SEEDS.length} seeds, q_σ = ${qSigma}, q̃ = ${qTilde}; ${seconds} s. Curves of a good scaling lie on each other: the width stops mattering.`;
  }, failed);

  button(controls, 'Train at growing widths', train);
  select(MF);
  showTraces();
  train();
}

function drawPlane(svg: SVGSVGElement, point: Corner, select: (point: Corner) => void): void {
  const chart = new Chart(svg, {
    x: { label: 'q_σ: how initial weights scale with width', domain: X },
    y: { label: 'q̃: how learning rates scale', domain: Y },
    width: 520,
    height: 440,
  });
  const at = ([x, y]: Corner): string => `${chart.x(x)},${chart.y(y)}`;
  for (const { corners, colour } of REGIONS) {
    draw(chart.plot, 'polygon', { points: corners.map(at).join(' '), class: `region filled ${colour}` });
  }
  for (const [from, to] of LINES) {
    draw(chart.plot, 'line', {
      x1: chart.x(from[0]),
      y1: chart.y(from[1]),
      x2: chart.x(to[0]),
      y2: chart.y(to[1]),
      class: 'segment stroked c1',
    });
  }
  for (const { at: spot, name, dx, dy, anchor } of SPOTS) {
    draw(chart.plot, 'circle', { cx: chart.x(spot[0]), cy: chart.y(spot[1]), r: 8, class: 'spot filled c2' });
    draw(
      chart.plot,
      'text',
      { x: chart.x(spot[0]) + dx, y: chart.y(spot[1]) + dy, 'text-anchor': anchor, class: 'label' },
      name,
    );
  }
  draw(
    chart.plot,
    'text',
    { x: chart.x(0.05), y: chart.y(1.1), 'text-anchor': 'middle', class: 'label soft' },
    'unstable',
  );
  draw(
    chart.plot,
    'text',
    { x: chart.x(-1.25), y: chart.y(-0.3), 'text-anchor': 'middle', class: 'label soft' },
    'nothing is learned',
  );
  draw(chart.plot, 'circle', { cx: chart.x(point[0]), cy: chart.y(point[1]), r: 13, class: 'cross' });
  svg.onclick = (event) => select(snap(chart.at(event)));
}

/** Clicks near a special point or line mean it: the limits on them differ from those beside. */
function snap([x, y]: Corner): Corner {
  const round = (value: number): number => Math.round(value * 100) / 100;
  const spot = SPOTS.find(({ at }) => Math.hypot(at[0] - x, at[1] - y) < 0.07);
  if (spot) return spot.at;
  for (const [[x1, y1], [x2, y2]] of LINES) {
    const [dx, dy] = [x2 - x1, y2 - y1];
    const along = ((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy);
    if (along < 0 || along > 1) continue;
    if (Math.hypot(x1 + along * dx - x, y1 + along * dy - y) > 0.035) continue;
    // Round along the axis that keeps the point exactly on the line (all slopes are 0, -1, -2 or infinite).
    if (dx === 0) return [x1, round(y1 + along * dy)];
    const qSigma = round(x1 + along * dx);
    return [qSigma, round(y1 + ((qSigma - x1) * dy) / dx)];
  }
  return [round(x), round(y)];
}

const PROPERTIES: readonly (readonly [keyof Classification['properties'], string])[] = [
  ['logitsFiniteAtInit', 'logits finite at the start'],
  ['kernelsFiniteAtInit', 'kernel finite at the start'],
  ['kernelsAndLogitsOfSameOrder', 'kernel and logits of one order'],
  ['kernelsEvolve', 'kernel evolves: features are learned'],
];

function showCard(card: HTMLElement, [qSigma, qTilde]: Corner): void {
  const { classification, words } = explain({ qSigma, qTilde });
  const title = document.createElement('h3');
  title.textContent = classification.name[0]!.toUpperCase() + classification.name.slice(1);
  const where = document.createElement('p');
  where.textContent = `q_σ = ${qSigma}, q̃ = ${qTilde}`;
  const table = document.createElement('table');
  for (const [key, name] of PROPERTIES) {
    const row = table.insertRow();
    row.insertCell().textContent = name;
    row.insertCell().textContent = classification.properties[key] ? 'yes' : 'no';
  }
  const text = words.slice(1).map((sentence) => {
    const line = document.createElement('p');
    line.textContent = sentence;
    return line;
  });
  card.replaceChildren(title, where, table, ...text);
}

function drawTraces(
  svg: SVGSVGElement,
  groups: readonly (readonly RunTrace[])[],
  name: keyof typeof METRICS,
): void {
  const { of, label, log } = METRICS[name];
  const curves = groups.map((runs) => ({
    width: runs[0]!.width,
    x: runs[0]!.epochs.map((epoch) => epoch + 1),
    y: runs[0]!.epochs.map((_, i) => runs.reduce((sum, run) => sum + (of(run)[i] ?? NaN), 0) / runs.length),
  }));
  const values = curves
    .flatMap(({ y }) => y)
    .filter((value) => Number.isFinite(value) && (!log || value > 0));
  const [min, max] = [Math.min(...values, Infinity), Math.max(...values, -Infinity)];
  const domain: [number, number] =
    values.length === 0 ? [0.1, 1] : log ? [min / 1.2, max * 1.2] : [Math.min(0.5, min), 1];
  const chart = new Chart(svg, {
    x: { label: 'training step + 1', domain: [1, EPOCHS + 1], log: true },
    y: { label, domain, log },
    height: 320,
  });
  for (const { width, x, y } of curves) {
    const colour = width === BASE ? 'c0' : `c${WIDTHS.indexOf(width)}`;
    chart.curve(x, y, colour);
    chart.legend(width === BASE ? `width ${width} (reference)` : `width ${width}`, colour);
  }
}
