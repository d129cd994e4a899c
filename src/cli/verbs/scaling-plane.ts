// `scaling plane`: figure 1 left, with points of your own and a measured quantity under it.
import type { Command } from 'commander';
import { createResult, phasePlane } from '../../report/index.js';
import { measurePlane, planeElements, type CurveQuantity, type ScalingSpec } from '../../scaling/index.js';
import { outputFolder } from '../files.js';
import { writeReport } from '../report.js';
import { listOf, oneOf, perform, realNumber, verb, wholeNumber } from '../verb.js';
import { scalingNamed } from './scaling-point.js';
import { xorProblem } from './train-data.js';

interface PlaneOptions {
  readonly points: string[];
  readonly heat?: CurveQuantity;
  readonly width: number;
  readonly steps: number;
  readonly seeds: number;
  readonly learningRate: number;
  readonly cells: number;
  readonly out: string;
}

const QUANTITIES = [
  'meanAbsLogit',
  'kernel',
  'relativeKernel',
  'logitOverKernel',
  'trainLoss',
  'testLoss',
  'testAccuracy',
] as const;

export function registerPlane(parent: Command): void {
  verb(parent, 'plane', 'draws the plane of scalings with its band, lines and points', [
    'infinite-width scaling plane --points default,-1/2:1/4 --out plane',
    'infinite-width scaling plane --heat relativeKernel --width 4096 --steps 20 --out plane',
  ])
    .option('--points <list>', 'names, or points like -1/2:1/4, to add', listOf(String), [])
    .option(
      '--heat <quantity>',
      `of nets trained on the XOR mixture: ${QUANTITIES.join(', ')}`,
      oneOf(...QUANTITIES),
    )
    .option('--width <d>', 'of these nets; the reference has 128', wholeNumber(128), 1024)
    .option('--steps <n>', 'full-batch training steps', wholeNumber(1), 20)
    .option('--seeds <n>', 'nets per cell', wholeNumber(1), 1)
    .option('--learning-rate <eta>', 'rate of the reference net', realNumber(0), 0.3)
    .option('--cells <n>', 'cells per unit of an exponent', wholeNumber(1, 50), 10)
    .requiredOption('--out <dir>', 'folder for the figure')
    .action(
      perform<PlaneOptions>(async (options, context) => {
        const { points, heat: quantity, width, steps, seeds, learningRate, cells, out } = options;
        const specs = points.map((text): ScalingSpec => {
          const [qSigma, qTilde] = text.split(':');
          return /^[+-]?[\d.]/.test(text) && qTilde !== undefined
            ? { name: text, qSigma: qSigma!, qTilde }
            : scalingNamed(text);
        });
        const elements = planeElements(specs);
        await outputFolder(out);
        const { progress, signal } = context;
        if (quantity) progress.start('training', 1);
        const measured = quantity
          ? await measurePlane(await context.engine(), {
              quantity,
              data: xorProblem(64, 64, 20, 0),
              width,
              epochs: steps,
              seeds: Array.from({ length: seeds }, (_, seed) => seed),
              learningRate,
              dtype: 'f32',
              step: [1, cells],
              signal,
              onProgress: ({ done, total }) => progress.update(done / total),
            })
          : null;
        progress.finish();
        const figure = phasePlane({
          name: 'plane',
          title: measured
            ? `Nets of width ${width} after ${steps} steps over scalings`
            : 'Scalings of hyperparameters with width',
          ...elements,
          ...(measured
            ? {
                heat: {
                  label: measured.label,
                  reach: measured.reach,
                  x: measured.qSigma,
                  y: measured.qTilde,
                  values: measured.values,
                },
              }
            : {}),
        });
        const settings = { points, heat: quantity, width, steps, seeds, learningRate, cells };
        const data = { ...elements, measured };
        const result = createResult('scaling-plane', data, {
          variant: context.options.variant === 'relaxed' ? 'relaxed' : 'simd',
          settings,
        });
        const { files } = await writeReport(out, {
          title: figure.title,
          result,
          figures: [figure],
          tables: [],
        });
        return { json: { files, ...data }, text: files.join('\n') };
      }),
    );
}
