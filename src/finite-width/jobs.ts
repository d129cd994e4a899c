import type { AnyJob } from '../wasm/engine.js';
import { fourPointJob } from './four-point.js';

export const finiteWidthJobs: readonly AnyJob[] = [fourPointJob];
