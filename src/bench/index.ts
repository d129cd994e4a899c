// Every bench case of the package. An area adds its own list here.
import type { BenchCase } from './case.js';
import { linalgCases } from './linalg.js';

export const benchCases: readonly BenchCase[] = [...linalgCases];
