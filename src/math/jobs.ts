import type { AnyJob } from '../wasm/engine.js';
import { eighJob } from './eigh.js';
import { gemmJob } from './matmul.js';
import { choleskyJob, solveJob } from './positive.js';
import { tiledGramJob } from './tiled.js';
import { tiledCholeskyJob, tiledSolveJob } from './tiled-cholesky.js';

export const mathJobs: readonly AnyJob[] = [
  gemmJob,
  eighJob,
  choleskyJob,
  solveJob,
  tiledGramJob,
  tiledCholeskyJob,
  tiledSolveJob,
];
