import type { AnyJob } from '../wasm/engine.js';
import { multiplyJob } from './multiply.js';
import { headJob, trunkJob } from './stateJob.js';
import { tangentJob } from './tangentTile.js';
import { tileJob } from './tile.js';

export const kernelJobs: readonly AnyJob[] = [tileJob, multiplyJob, tangentJob, trunkJob, headJob];
