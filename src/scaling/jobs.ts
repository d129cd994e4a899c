import type { AnyJob } from '../wasm/engine.js';

export const scalingJobs: readonly AnyJob[] = [];
