// The verbs of `scaling` that compute: measure, coord-check, limit.
import type { Command } from 'commander';
import { formatTable } from '../../report/index.js';
import { coordinateCheck, measureExponents } from '../../scaling/index.js';
import { listOf, perform, realNumber, verb, wholeNumber } from '../verb.js';
import { registerLimit } from './scaling-limit.js';
import { pointOf, withPoint, type PointOptions } from './scaling-point.js';
import { registerPlane } from './scaling-plane.js';
import { xorProblem } from './train-data.js';

const fixed = (value: number | null, digits = 3): string => (value === null ? '-' : value.toFixed(digits));

export function registerScalingRuns(parent: Command): void {
  withPoint(
    verb(parent, 'measure', 'fits powers of the width and compares them with the theory', [
      'infinite-width scaling measure --q-sigma -3/4 --q-tilde 1/2 --widths 512,1024,2048,4096,8192',
    ]),
  )
    .option('--widths <list>', 'widths, at least three', listOf(wholeNumber(1)))
    .option('--seeds <n>', 'nets per width', wholeNumber(2), 5)
    .option('--steps <n>', 'training steps', wholeNumber(1), 3)
    .action(
      perform<PointOptions & { widths?: number[]; seeds: number; steps: number }>(
        async (options, context) => {
          const { widths, seeds, steps } = options;
          const { progress, signal } = context;
          progress.start('measuring', 1);
          const result = await measureExponents(await context.engine(), {
            scaling: pointOf(options),
            seeds,
            steps,
            ...(widths ? { widths } : {}),
            signal,
            onProgress: ({ done, total }) => progress.update(done / total),
          });
          progress.finish();
          const rows = result.slopes.map(({ quantity, step, slope, standardError, theory, verdict }) => [
            quantity,
            step,
            fixed(slope),
            fixed(standardError),
            fixed(theory),
            verdict,
          ]);
          const head = ['quantity', 'step', 'power', 'error', 'theory', 'verdict'];
          const title = `${result.name}: ${result.verdict} with the theory`;
          return { json: result, text: formatTable({ name: 'powers', title, columns: head, rows }) };
        },
      ),
    );

  registerPlane(parent);

  withPoint(
    verb(parent, 'coord-check', 'whether coordinates keep their size as nets widen', [
      'infinite-width scaling coord-check --scaling muP',
      'infinite-width scaling coord-check --scaling meanField --depth 3 --widths 64,128,256,512',
    ]),
  )
    .option('--widths <list>', 'widths, at least three', listOf(wholeNumber(1)), [64, 256, 1024, 4096])
    .option('--depth <n>', 'hidden layers', wholeNumber(1), 1)
    .option('--base-width <d>', 'width of the reference net', wholeNumber(1), 64)
    .option('--seeds <n>', 'nets per width', wholeNumber(2), 3)
    .option('--steps <n>', 'training steps', wholeNumber(1), 4)
    .option('--learning-rate <eta>', 'rate of the reference net', realNumber(0), 0.3)
    .action(
      perform<
        PointOptions & {
          widths: number[];
          depth: number;
          baseWidth: number;
          seeds: number;
          steps: number;
          learningRate: number;
        }
      >(async (options, context) => {
        const { widths, depth, baseWidth, seeds, steps, learningRate } = options;
        const { progress, signal } = context;
        progress.start('training', 1);
        const result = await coordinateCheck(await context.engine(), {
          scaling: pointOf(options),
          data: xorProblem(64, 64, 20, 0),
          widths,
          hiddenLayers: depth,
          baseWidth,
          seeds,
          steps,
          learningRate,
          signal,
          onProgress: ({ done, total }) => progress.update(done / total),
        });
        progress.finish();
        const rows = result.slopes.map(({ coordinate, layer, step, slope, standardError }) => [
          coordinate,
          String(layer),
          step,
          fixed(slope),
          fixed(standardError),
        ]);
        const title = `${result.name}: ${result.verdict}`;
        return {
          json: result,
          text: formatTable({
            name: 'coordinates',
            title,
            columns: ['coordinate', 'layer', 'step', 'power', 'error'],
            rows,
          }),
        };
      }),
    );

  registerLimit(parent);
}
