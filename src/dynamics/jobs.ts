import type { AnyJob } from '../wasm/engine.js';
import { doubleDescentJob } from './double-descent.js';
import { hierarchyJob } from './hierarchy.js';
import { learningRateJob } from './learning-rate-scan.js';
import { largestRateJob } from './largest-rate.js';
import { lazyDialJob } from './lazy-dial.js';
import { meanFieldEnergyJob } from './mean-field-energy.js';
import { spectrumJob } from './spectrum.js';
import { taylorErrorJob } from './taylor-errors.js';
import { widthLawJob } from './width-laws.js';

export const dynamicsJobs: readonly AnyJob[] = [
  doubleDescentJob,
  hierarchyJob,
  largestRateJob,
  learningRateJob,
  spectrumJob,
  lazyDialJob,
  meanFieldEnergyJob,
  taylorErrorJob,
  widthLawJob,
];
