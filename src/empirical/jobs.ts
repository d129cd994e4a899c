import type { AnyJob } from '../wasm/engine.js';
import { kernelsJob } from './kernelsJob.js';
import { monteCarloJob } from './monteCarlo.js';

export const empiricalJobs: readonly AnyJob[] = [kernelsJob, monteCarloJob];
