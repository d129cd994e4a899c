import type { AnyJob } from '../wasm/engine.js';
import { monteCarloJob } from './monteCarlo.js';

export const empiricalJobs: readonly AnyJob[] = [monteCarloJob];
