import type { Command } from 'commander';
import { runClassifiers, type ClassifierOptions } from '../../demo/classifiers.js';
import { regressionFigures, scalingFigure } from '../../demo/figures.js';
import { runRegression, type RegressionOptions, type Watch } from '../../demo/regression.js';
import { calibrationTable, classifierTable, exactTable, widthTable } from '../../demo/tables.js';
import { createResult, formatTable } from '../../report/index.js';
import { writeReport } from '../report.js';
import { outputFolder } from '../files.js';
import { perform, verb, wholeNumber } from '../verb.js';

interface DemoOptions {
  readonly out: string;
  readonly seed: number;
}

const CLASSIFIERS: Omit<ClassifierOptions, 'seed'> = {
  pair: [1, 8],
  train: 256,
  baseWidth: 128,
  widths: [256, 1024],
  seeds: 3,
  epochs: 150,
  learningRate: 0.05,
  particles: 4096,
};
const REGRESSION: Omit<RegressionOptions, 'seed'> = {
  train: 1000,
  times: [1, 10, 100, 1000, 10000],
  diagReg: 1e-3,
  finiteTrain: 256,
  steps: 100,
  widths: [16, 32, 64, 128, 256],
  pairs: 4,
};

/** The main job: everything at once on data that ships, in well under a minute. */
export function registerDemo(program: Command): void {
  verb(program, 'demo', 'the main job: wide nets beside their limits, on the embedded digits', [
    'infinite-width demo',
    'infinite-width demo --out somewhere --seed 7',
    'infinite-width demo --json --quiet > result.json',
  ])
    .option('--out <folder>', 'where result.json, figures and report.html go', 'infinite-width-out')
    .option(
      '--seed <number>',
      'seed of the split, the initial weights and the limits',
      wholeNumber(0, 2 ** 31),
      0,
    )
    .action(
      perform<DemoOptions>(async ({ out, seed }, context) => {
        await outputFolder(out);
        const engine = await context.engine();
        context.keeps(`what an earlier run left in ${out}; results are written at the end`);
        const watch: Watch = {
          signal: context.signal,
          step: (label, total) => context.progress.start(label, total),
          update: (done, note) => context.progress.update(done, note),
        };
        const classifiers = await runClassifiers(engine, { ...CLASSIFIERS, seed }, watch);
        const regression = await runRegression(engine, { ...REGRESSION, seed }, watch);
        context.progress.start('figures and report', 1);
        const result = createResult(
          'demo',
          { classifiers, regression },
          { variant: engine.variant, seed, settings: { classifiers: CLASSIFIERS, regression: REGRESSION } },
        );
        const tables = [
          classifierTable(classifiers),
          exactTable(regression),
          widthTable(regression),
          calibrationTable(regression),
        ];
        const { files, drawn } = await writeReport(out, {
          title: 'What happens as this network gets wide?',
          lead: 'Finite networks beside their infinite-width limits, on handwritten digits.',
          result,
          figures: [scalingFigure(classifiers), ...regressionFigures(regression)],
          tables,
          credits: [regression.attribution],
        });
        context.progress.finish();
        const hint = drawn ? '' : '\nFor SVG pictures: npm install vega vega-lite';
        return {
          json: result,
          text: `${tables.map(formatTable).join('\n\n')}\n\nWrote ${files.join(', ')}${hint}`,
        };
      }),
    );
}
