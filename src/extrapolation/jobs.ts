import type { AnyJob } from '../wasm/engine.js';
import { extrapolationJob } from './training.js';

export const extrapolationJobs: readonly AnyJob[] = [extrapolationJob];
