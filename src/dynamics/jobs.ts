import type { AnyJob } from '../wasm/engine.js';
import { doubleDescentJob } from './doubleDescent.js';
import { hierarchyJob } from './hierarchy.js';
import { learningRateJob } from './learningRateScan.js';
import { spectrumJob } from './spectrum.js';

export const dynamicsJobs: readonly AnyJob[] = [doubleDescentJob, hierarchyJob, learningRateJob, spectrumJob];
