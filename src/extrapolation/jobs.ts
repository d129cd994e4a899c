import type { AnyJob } from '../wasm/engine.js';
import { extrapolationJob } from './runs.js';

export const extrapolationJobs: readonly AnyJob[] = [extrapolationJob];
