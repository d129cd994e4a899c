import type { AnyJob } from '../wasm/engine.js';
import { flowJob } from './flow.js';
import { lanczosJob } from './stability.js';

export const predictJobs: readonly AnyJob[] = [flowJob, lanczosJob];
