import type { AnyJob } from '../wasm/engine.js';

export const dynamicsJobs: readonly AnyJob[] = [];
