import type { AnyJob } from '../wasm/engine.js';
import { flowJob } from './flow-job.js';
import { featuresJob } from './large/feature-map.js';
import { factorJob, outerJob, productJob, solveJob, whitenJob } from './linear.js';
import { lanczosJob } from './stability.js';
import { sweepJob } from './sweep.js';
import { scoreJob } from './table/select.js';
import { noiseJob } from './table/uncertainty/noise.js';

export const predictJobs: readonly AnyJob[] = [
  productJob,
  outerJob,
  factorJob,
  solveJob,
  whitenJob,
  sweepJob,
  flowJob,
  featuresJob,
  lanczosJob,
  scoreJob,
  noiseJob,
];
