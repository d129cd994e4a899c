import type { AnyJob } from '../wasm/engine.js';
import { deepJob } from './experiments/deep-net.js';
import { limitJob } from './one-hidden/limit.js';
import { trainJob } from './one-hidden/train-one-hidden.js';

export const scalingJobs: readonly AnyJob[] = [trainJob, limitJob, deepJob];
