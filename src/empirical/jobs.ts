import type { AnyJob } from '../wasm/engine.js';

export const empiricalJobs: readonly AnyJob[] = [];
