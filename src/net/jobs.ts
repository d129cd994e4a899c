import type { AnyJob } from '../wasm/engine.js';

export const netJobs: readonly AnyJob[] = [];
