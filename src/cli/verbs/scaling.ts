import type { Command } from 'commander';
import { explain, type OptimizerKind } from '../../scaling/index.js';
import { listOf, oneOf, perform, realNumber, verb, wholeNumber } from '../verb.js';
import { pointOf, withPoint, type PointOptions } from './scaling-point.js';
import { registerCheck } from './scaling-check.js';
import { registerClassify } from './scaling-classify.js';
import { registerRules } from './scaling-rules.js';
import { registerScalingRuns } from './scaling-runs.js';
import { registerTrain } from './train.js';

/** The verbs of this area: `train` and `scaling ...`. */
export function registerScaling(program: Command): void {
  registerTrain(program);
  const parent = program
    .command('scaling')
    .description('scalings of hyperparameters with width and depth: classify, explain, rules, measure');
  registerClassify(parent);
  registerRules(parent);
  registerCheck(parent);
  withPoint(
    verb(parent, 'explain', 'what a scaling sets at each width, and what will happen', [
      'infinite-width scaling explain --scaling meanField --widths 128,1024 --learning-rate 0.02',
    ]),
  )
    .option('--base-width <d>', 'width of the reference net', wholeNumber(1), 128)
    .option('--widths <list>', 'widths to print', listOf(wholeNumber(1)))
    .option('--learning-rate <eta>', 'rate of the reference net', realNumber(0), 0.02)
    .option('--inputs <n>', 'size of an input', wholeNumber(1), 784)
    .option('--optimizer <name>', 'sgd, rmsprop or adam', oneOf('sgd', 'rmsprop', 'adam'), 'sgd')
    .action(
      perform<
        PointOptions & {
          baseWidth: number;
          widths?: number[];
          learningRate: number;
          inputs: number;
          optimizer: OptimizerKind;
        }
      >(async (options) => {
        const { baseWidth, widths, learningRate, inputs, optimizer } = options;
        const result = explain(pointOf(options), {
          baseWidth,
          learningRate,
          optimizer,
          inputSize: inputs,
          ...(widths ? { widths } : {}),
        });
        return { json: result, text: result.text };
      }),
    );
  registerScalingRuns(parent);
}
