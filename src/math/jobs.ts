import type { AnyJob } from '../wasm/engine.js';
import { gemmJob } from './matmul.js';

export const mathJobs: readonly AnyJob[] = [gemmJob];
