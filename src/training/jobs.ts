import type { AnyJob } from '../wasm/engine.js';
import { trainJob } from './job.js';

export const trainingJobs: readonly AnyJob[] = [trainJob];
