import type { AnyJob } from '../wasm/engine.js';
import { trainJob } from './onehidden.js';

export const scalingJobs: readonly AnyJob[] = [trainJob];
