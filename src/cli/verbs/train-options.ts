import type { OptimizerKind, LongCall, compareScalings } from '../../scaling/index.js';

export interface TrainVerbOptions {
  readonly config?: string;
  readonly preset?: 'golikov-figure-1' | 'golikov-widths';
  readonly size: 'ci' | 'paper';
  readonly data?: string;
  readonly classes?: number[];
  readonly examples?: number;
  readonly batch?: number;
  readonly width?: number;
  readonly depth: number;
  readonly optimizer?: OptimizerKind;
  readonly seeds?: number;
  readonly steps?: number;
  readonly learningRate?: number;
  readonly checkpointEvery: number;
  readonly out: string;
}

/** Where a call is followed and remembered. */
export type Follow = LongCall & Pick<Parameters<typeof compareScalings>[1], 'journal' | 'onPlan'>;
