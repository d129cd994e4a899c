import type { AnyJob } from '../wasm/engine.js';
import { ruleJob } from './rules/check-job.js';
import { deepJob } from './experiments/deep-net.js';
import { limitJob } from './one-hidden/limit.js';
import { oneHiddenJob } from './one-hidden/train-one-hidden.js';

export const scalingJobs: readonly AnyJob[] = [oneHiddenJob, limitJob, deepJob, ruleJob];
