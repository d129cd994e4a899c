import type { AnyJob } from '../wasm/engine.js';
import { multiplyJob } from './tiles/multiply.js';
import { headJob, trunkJob } from './tiles/state-jobs.js';
import { derivativeJob } from './derivatives/tile.js';
import { tileJob } from './tiles/tile.js';

export const kernelJobs: readonly AnyJob[] = [tileJob, multiplyJob, derivativeJob, trunkJob, headJob];
