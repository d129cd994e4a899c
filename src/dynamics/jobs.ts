import type { AnyJob } from '../wasm/engine.js';
import { doubleDescentJob } from './doubleDescent.js';
import { spectrumJob } from './spectrum.js';

export const dynamicsJobs: readonly AnyJob[] = [doubleDescentJob, spectrumJob];
