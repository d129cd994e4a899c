import type { AnyJob } from '../wasm/engine.js';
import { eighJob } from './eigh.js';
import { gemmJob } from './matmul.js';

export const mathJobs: readonly AnyJob[] = [gemmJob, eighJob];
