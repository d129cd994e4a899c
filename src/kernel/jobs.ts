import type { AnyJob } from '../wasm/engine.js';

export const kernelJobs: readonly AnyJob[] = [];
