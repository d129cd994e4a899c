#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { version } from '../version.js';
import { exitCodeOf, messageOf } from './errors.js';
import { registerBench } from './verbs/bench.js';
import { registerDemo } from './verbs/demo.js';
import { presetOfTrain, registerExperiment } from './verbs/experiment.js';
import { registerKernel } from './verbs/kernel.js';
import { registerPlan } from './verbs/plan.js';
import { registerPredict } from './verbs/predict.js';
import { registerDynamics } from './verbs/dynamics.js';
import { registerEmpirical } from './verbs/empirical.js';
import { registerKernels } from './verbs/kernels.js';
import { registerLab } from './verbs/lab.js';
import { registerScaling } from './verbs/scaling.js';
import { registerSolve } from './verbs/solve.js';
import { registerStatus } from './verbs/status.js';
import { registerSubmit } from './verbs/submit.js';
import { registerWork } from './verbs/work.js';

const program = new Command('infinite-width')
  .description(
    'What happens as a neural network gets wide: scaling limits, infinite-width kernels, exact predictions, finite nets.',
  )
  .version(version)
  .exitOverride()
  .showSuggestionAfterError()
  .addHelpText(
    'after',
    `
Examples:
  infinite-width demo
  infinite-width kernel --net net.json --x a.npy --out k.npz
  infinite-width scaling classify --q-sigma -1/2 --q-tilde 0

Exit codes: 0 done, 1 the computation failed, 2 wrong usage or input.`,
  );

// In the order of the help. Each verb: one import above, one line here.
registerDemo(program);
registerKernel(program);
registerPredict(program);
registerScaling(program);
registerEmpirical(program);
registerDynamics(program);
registerExperiment(program);
registerSolve(program);
registerPlan(program);
registerWork(program);
registerStatus(program);
registerSubmit(program);
registerBench(program);
registerLab(program);
registerKernels(program);

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0); // the reader has seen enough
  throw error;
});
try {
  await program.parseAsync(presetOfTrain(process.argv.slice(2)), { from: 'user' });
} catch (error) {
  process.exitCode = exitCodeOf(error);
  if (!(error instanceof CommanderError)) report(error);
}

function report(error: unknown): void {
  const stack = process.argv.includes('--debug') && error instanceof Error ? error.stack : undefined;
  process.stderr.write(`error: ${stack ?? messageOf(error)}\n`);
}
