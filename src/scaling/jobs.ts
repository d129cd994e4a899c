import type { AnyJob } from '../wasm/engine.js';
import { deepJob } from './deep-net.js';
import { limitJob } from './limit.js';
import { trainJob } from './onehidden.js';

export const scalingJobs: readonly AnyJob[] = [trainJob, limitJob, deepJob];
