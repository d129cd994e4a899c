// `scaling measure`, and the verbs of `scaling` that compute.
import type { Command } from 'commander';
import { measureExponents, type MeasuredName, type Measurement } from '../../scaling/index.js';
import { clustered } from '../cluster.js';
import { listOf, perform, verb, wholeNumber } from '../verb.js';
import { registerCoordinates, registerTransfer } from './scaling-checks.js';
import { registerLimit } from './scaling-limit.js';
import { registerPlane } from './scaling-plane.js';
import { pointOf, withPoint, type PointOptions } from './scaling-point.js';
import {
  atLeastDecade,
  fixed,
  OUT,
  overWidth,
  stepsOf,
  trainAndReport,
  type Shown,
} from './scaling-report.js';

export function registerScalingRuns(parent: Command): void {
  registerMeasure(parent);
  registerPlane(parent);
  registerCoordinates(parent);
  registerTransfer(parent);
  registerLimit(parent);
}

const QUANTITIES: Record<MeasuredName, string> = {
  logits: 'Mean |logit|',
  outputKernel: 'Kernel, output layer',
  inputKernel: 'Kernel, input layer',
  kernelChange: 'Relative change of the kernel',
  outputWeights: 'Mean |change| of output weights',
  inputWeights: 'Mean |change| of input rows',
};

interface MeasureVerbOptions extends PointOptions {
  readonly widths?: number[];
  readonly seeds: number;
  readonly steps: number;
  readonly out?: string;
}

function registerMeasure(parent: Command): void {
  withPoint(
    clustered(
      verb(parent, 'measure', 'fits powers of the width and compares them with the theory', [
        'infinite-width scaling measure --q-sigma -3/4 --q-tilde 1/2 --widths 512,1024,2048,4096,8192',
      ]),
    ),
  )
    .option('--widths <list>', 'widths, at least three', listOf(wholeNumber(1)))
    .option('--seeds <n>', 'nets per width', wholeNumber(2), 5)
    .option('--steps <n>', 'training steps', wholeNumber(1), 3)
    .option(...OUT)
    .action(
      perform<MeasureVerbOptions>(async (options, context) =>
        trainAndReport(
          options,
          context,
          { kind: 'measure', title: 'Measured powers of the width' },
          async (follow) => {
            const { widths, seeds, steps } = options;
            const scaling = pointOf(options);
            const more = { scaling, seeds, steps, ...(widths ? { widths } : {}) };
            return measureExponents(await context.engine(), { ...more, ...follow });
          },
          showPowers,
        ),
      ),
    );
}

function showPowers({ name, widths, slopes, verdict }: Measurement): Shown {
  const rows = slopes.map((row) => [
    ...[row.quantity, row.step, fixed(row.slope), fixed(row.standardError), fixed(row.theory), row.verdict],
  ]);
  const columns = ['quantity', 'step', 'power', 'error', 'theory', 'verdict'];
  const panels = [...new Set(slopes.map(({ quantity }) => quantity))].map((quantity) => {
    const own = slopes.filter((row) => row.quantity === quantity);
    const y = atLeastDecade(
      'geometric mean over nets',
      own.map(({ values }) => values),
    );
    return { title: QUANTITIES[quantity], x: overWidth(widths), y, series: stepsOf(own, widths) };
  });
  return {
    table: { name: 'powers', title: `${name}: ${verdict} with the theory`, columns, rows },
    panels,
    caption: 'Quantities of nets over their width after each training step; the table has the fitted powers.',
  };
}
