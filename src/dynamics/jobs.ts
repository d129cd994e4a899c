import type { AnyJob } from '../wasm/engine.js';
import { doubleDescentJob } from './doubleDescent.js';
import { hierarchyJob } from './hierarchy.js';
import { learningRateJob } from './learningRateScan.js';
import { lazyDialJob } from './lazyDial.js';
import { meanFieldEnergyJob } from './meanFieldEnergy.js';
import { spectrumJob } from './spectrum.js';
import { taylorErrorJob } from './taylorErrors.js';
import { widthLawJob } from './widthLaws.js';

export const dynamicsJobs: readonly AnyJob[] = [
  doubleDescentJob,
  hierarchyJob,
  learningRateJob,
  spectrumJob,
  lazyDialJob,
  meanFieldEnergyJob,
  taylorErrorJob,
  widthLawJob,
];
