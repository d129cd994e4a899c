import type { AnyJob } from '../wasm/engine.js';

export const predictJobs: readonly AnyJob[] = [];
