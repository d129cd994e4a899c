import type { AnyJob } from '../wasm/engine.js';
import { subsetsJob } from './subsets.js';

export const learningCurveJobs: readonly AnyJob[] = [subsetsJob];
