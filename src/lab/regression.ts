// Regression in one dimension: the exact law of the infinitely wide net, and finite nets trained beside it.
import { kernel, tensor, type Engine, type LayerDocument, type Tensor } from '../root.js';
import { dense, erf, relu, serial, sin } from '../net/layers.js';
import { gpInference, gradientDescentMseEnsemble, maxLearningRate } from '../predict/index.js';
import { sgd, trainJob } from '../training/index.js';
import { Chart, draw } from './chart.js';
import { button, choice, range, settled } from './controls.js';

const GRID: readonly number[] = Array.from({ length: 121 }, (_, i) => -3 + i / 20);
const NETS = 6;
const RATE = 0.5; // of the largest stable one, where slow and fast modes both move
const LAWS = { 'trained nets (NTK)': 'ntk', 'Bayesian nets (NNGP)': 'nngp' } as const;
const ACTIVATIONS = { ReLU: relu, erf, sine: sin } as const;

interface Setting {
  readonly law: 'ntk' | 'nngp';
  readonly net: (width: number) => LayerDocument;
  readonly width: number;
  readonly steps: number;
  readonly x: Tensor;
  readonly y: Tensor;
}

interface Law {
  readonly mean: ArrayLike<number>;
  readonly variance: ArrayLike<number>;
  readonly learningRate: number;
}

export function startRegression(
  section: HTMLElement,
  engine: Engine,
  failed: (error: unknown) => void,
): void {
  const part = <T extends Element>(name: string): T => section.querySelector<T>(`[data-${name}]`)!;
  const controls = part<HTMLElement>('controls');
  const svg = part<SVGSVGElement>('chart');
  const note = part<HTMLElement>('note');
  let points: (readonly [number, number])[] = [
    [-2, -0.8],
    [-1.2, 0.6],
    [-0.4, 0.9],
    [0.9, -0.7],
    [1.4, -0.3],
  ];

  const update = settled(async (signal) => {
    const setting = read();
    if (points.length === 0) return show(svg, points, null, [], edit);
    const law = await lawOf(engine, setting);
    if (signal.aborted) return;
    show(svg, points, law, [], edit);
    if (setting.law === 'nngp') {
      note.textContent = `Posterior of an infinitely wide Bayesian net, noise 0.01: mean and ±2 standard deviations.`;
      return;
    }
    note.textContent = `Training ${NETS} nets of width ${setting.width} for ${setting.steps} steps…`;
    const began = performance.now();
    const nets = await trainNets(engine, setting, law.learningRate, signal);
    show(svg, points, law, nets, edit);
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    note.textContent = `${NETS} nets of width ${setting.width} after ${setting.steps} steps of gradient descent at rate ${law.learningRate.toPrecision(3)} (${seconds} s); root mean square distance of their mean from the limit: ${gap(nets, law).toFixed(3)}.`;
  }, failed);

  const law = choice(controls, 'law', Object.keys(LAWS), update);
  const activation = choice(controls, 'activation', Object.keys(ACTIVATIONS), update);
  const depth = range(controls, { label: 'hidden layers', values: [1, 2, 3, 4], start: 2 }, update);
  const width = range(
    controls,
    { label: 'width of finite nets', values: [8, 16, 32, 64, 128, 256, 512], start: 128 },
    update,
  );
  const steps = range(
    controls,
    { label: 'training steps', values: [0, 1, 3, 10, 30, 100, 300, 1000], start: 300 },
    update,
  );
  const wStd = range(
    controls,
    { label: 'weight std', values: [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2], start: 1.5 },
    update,
  );
  const bStd = range(controls, { label: 'bias std', values: [0, 0.25, 0.5, 1, 1.5], start: 1 }, update);
  button(controls, 'Remove all points', () => edit([]));

  const read = (): Setting => ({
    law: LAWS[law() as keyof typeof LAWS],
    net: (units) => {
      const hidden = Array.from({ length: depth() }, () => [
        dense(units, { wStd: wStd(), bStd: bStd() }),
        ACTIVATIONS[activation() as keyof typeof ACTIVATIONS](),
      ]);
      return serial(...hidden.flat(), dense(1, { wStd: wStd(), bStd: bStd() }));
    },
    width: width(),
    steps: steps(),
    x: tensor(
      Float64Array.from(points, ([x]) => x),
      [points.length, 1],
    ),
    y: tensor(
      Float64Array.from(points, ([, y]) => y),
      [points.length, 1],
    ),
  });
  const edit = (next: (readonly [number, number])[]): void => {
    points = next;
    show(svg, points, null, [], edit);
    update();
  };
  update();
}

async function lawOf(engine: Engine, { law, net, steps, x, y }: Setting): Promise<Law> {
  const grid = tensor(Float64Array.from(GRID), [GRID.length, 1]);
  const wide = net(1); // the limit does not depend on the width
  const [own, cross, test] = [
    await kernel(engine, wide, x),
    await kernel(engine, wide, grid, x),
    await kernel(engine, wide, grid, null, { get: 'nngp' }),
  ];
  if (law === 'nngp') {
    const posterior = gpInference(engine, {
      nngp: own.nngp,
      y,
      method: 'nngp',
      diagReg: 0.01,
      diagRegScale: 'absolute',
    });
    const { mean, variance } = await posterior({
      nngpTestTrain: cross.nngp,
      nngpTestTest: test.nngp,
      covariance: 'diagonal',
    });
    return { mean: mean.data, variance: variance!.data, learningRate: 0 };
  }
  const learningRate = RATE * (await maxLearningRate(engine, own.ntk));
  const ensemble = gradientDescentMseEnsemble(engine, {
    nngp: own.nngp,
    ntk: own.ntk,
    y,
    learningRate,
    mode: 'discrete',
  });
  const { mean, variance } = await ensemble(steps, {
    nngpTestTrain: cross.nngp,
    ntkTestTrain: cross.ntk,
    nngpTestTest: test.nngp,
    covariance: 'diagonal',
  });
  return { mean: mean.data, variance: variance!.data, learningRate };
}

async function trainNets(
  engine: Engine,
  { net, width, steps, x, y }: Setting,
  learningRate: number,
  signal: AbortSignal,
): Promise<readonly ArrayLike<number>[]> {
  const grid = tensor(Float64Array.from(GRID), [GRID.length, 1]);
  const runs = Array.from({ length: NETS }, (_, seed) => ({
    net: net(width),
    model: { inputShape: [1], seed },
    train: {
      x,
      y,
      loss: 'mse' as const,
      optimizer: sgd(learningRate),
      steps,
      recordEvery: Math.max(1, steps),
      evaluate: { grid: { x: grid } },
    },
  }));
  const results = await engine.map(trainJob, runs, { signal });
  return results.map(({ outputs }) => outputs['grid']!.data);
}

function gap(nets: readonly ArrayLike<number>[], { mean }: Law): number {
  let sum = 0;
  for (let i = 0; i < mean.length; i++) {
    sum += (nets.reduce((total, net) => total + net[i]!, 0) / nets.length - mean[i]!) ** 2;
  }
  return Math.sqrt(sum / mean.length);
}

function show(
  svg: SVGSVGElement,
  points: readonly (readonly [number, number])[],
  law: Law | null,
  nets: readonly ArrayLike<number>[],
  edit: (next: (readonly [number, number])[]) => void,
): void {
  const chart = new Chart(svg, { x: { label: 'x', domain: [-3, 3] }, y: { label: 'y', domain: [-3, 3] } });
  if (law) {
    const half = Array.from(law.variance, (value) => 2 * Math.sqrt(Math.max(0, value)));
    const mean = Array.from(law.mean);
    chart.band(
      GRID,
      mean.map((value, i) => value - half[i]!),
      mean.map((value, i) => value + half[i]!),
      'c1',
    );
    for (const net of nets) chart.curve(GRID, net, 'thin c2');
    chart.curve(GRID, mean, 'c1');
    chart.legend('infinite width: mean ± 2 std', 'c1');
    if (nets.length > 0) chart.legend('finite nets', 'thin c2');
  }
  for (const point of points) {
    const dot = draw(chart.plot, 'circle', {
      cx: chart.x(point[0]),
      cy: chart.y(point[1]),
      r: 6,
      class: 'point',
    });
    dot.addEventListener('click', (event) => {
      event.stopPropagation();
      edit(points.filter((other) => other !== point));
    });
  }
  svg.onclick = (event) => {
    const [x, y] = chart.at(event);
    const inside = Math.abs(x) <= 3 && Math.abs(y) <= 3;
    if (inside && points.length < 40)
      edit([...points, [Math.round(x * 100) / 100, Math.round(y * 100) / 100]]);
  };
}
