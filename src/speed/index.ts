// Every bench case of the package. An area adds its own list here.
import type { BenchCase } from './case.js';
import { dualCases } from './duals.js';
import { elementCases } from './elements.js';
import { linalgCases } from './linalg.js';
import { netCases } from './nets.js';

export const benchCases: readonly BenchCase[] = [...linalgCases, ...netCases, ...dualCases, ...elementCases];
