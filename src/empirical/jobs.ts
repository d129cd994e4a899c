import type { AnyJob } from '../wasm/engine.js';
import { kernelsJob } from './kernels-job.js';
import { monteCarloJob } from './monte-carlo.js';

export const empiricalJobs: readonly AnyJob[] = [kernelsJob, monteCarloJob];
