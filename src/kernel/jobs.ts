import type { AnyJob } from '../wasm/engine.js';
import { tileJob } from './tile.js';

export const kernelJobs: readonly AnyJob[] = [tileJob];
