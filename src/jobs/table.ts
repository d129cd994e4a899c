import type { AnyJob } from '../wasm/engine.js';
import { dynamicsJobs } from '../dynamics/jobs.js';
import { empiricalJobs } from '../empirical/jobs.js';
import { extrapolationJobs } from '../extrapolation/jobs.js';
import { finiteWidthJobs } from '../finite-width/jobs.js';
import { kernelJobs } from '../kernel/jobs.js';
import { learningCurveJobs } from '../learning-curve/jobs.js';
import { mathJobs } from '../math/jobs.js';
import { predictJobs } from '../predict/jobs.js';
import { scalingJobs } from '../scaling/jobs.js';
import { trainingJobs } from '../training/jobs.js';

const all: readonly AnyJob[] = [
  ...mathJobs,
  ...kernelJobs,
  ...predictJobs,
  ...empiricalJobs,
  ...trainingJobs,
  ...scalingJobs,
  ...dynamicsJobs,
  ...extrapolationJobs,
  ...finiteWidthJobs,
  ...learningCurveJobs,
];

/** Every job a worker can run, by name. */
export const jobs: ReadonlyMap<string, AnyJob> = new Map(all.map((job) => [job.name, job]));
