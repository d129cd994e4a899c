// How large the study is: minutes, or that of the paper.
import type { Architecture } from './architectures.js';
import type { TrainingSizes } from './training.js';

export interface StudySizes {
  readonly train: number;
  readonly test: number;
  readonly trainSizes: readonly number[];
  readonly depths: readonly number[];
  /** Of Conv-GAP and WRN-LN, whose kernels need all pairs of positions. */
  readonly pooled: { train: number; test: number; trainSizes: readonly number[]; depths: readonly number[] };
  readonly widths: readonly number[];
  readonly widening: readonly number[];
  readonly randomDepths: readonly number[];
  readonly draws: number;
  /** Ridge over the mean diagonal of the kernel. */
  readonly diagReg: number;
  /** `splits`: how many splits of the data figure 2 is drawn for. */
  readonly tune: {
    depth: number;
    start: number;
    tuneOn: number;
    restarts: number;
    maxSteps: number;
    splits: number;
  };
  readonly training: readonly (TrainingSizes & { architecture: Architecture; widths: readonly number[] })[];
}

const powers = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => 2 ** (from + i));

const CHANNELS = [8, 11, 16, 23, 32, 45, 64, 90, 128, 181, 256, 362, 512];

/** `ci`: minutes on the digits. `paper`: the depths, widths and train sizes of the paper; the nets train for less long. */
export const STUDY_SIZES: Readonly<Record<'ci' | 'paper', StudySizes>> = {
  ci: {
    train: 400,
    test: 500,
    trainSizes: [80, 160, 400],
    depths: [1, 2, 4, 8],
    pooled: { train: 80, test: 100, trainSizes: [40, 80], depths: [1, 2, 4] },
    widths: powers(0, 13).filter((_, i) => i % 3 === 0),
    widening: [1 / 16, 1, 16, 256],
    randomDepths: [3, 5],
    draws: 8,
    diagReg: 1e-4,
    tune: { depth: 5, start: 256, tuneOn: 160, restarts: 0, maxSteps: 25, splits: 3 },
    training: [
      {
        architecture: 'FC',
        widths: powers(2, 7),
        ...{ train: 160, depth: 2, baseWidth: 4, steps: 400, batchSize: null, nets: 4 },
        ...{ rates: [0.2, 0.45, 0.9], validation: 100 },
      },
      ...(['Conv-Vec', 'Conv-GAP'] as const).map((architecture) => ({
        architecture,
        widths: [4, 8, 16],
        ...{ train: 80, depth: 2, baseWidth: 4, steps: 120, batchSize: null, nets: 2 },
        ...{ rates: [0.45, 0.9], validation: 60 },
      })),
    ],
  },
  paper: {
    train: 8000,
    test: 2000,
    trainSizes: [80, 160, 400, 800, 2000, 4000, 8000],
    depths: [1, 2, 4, 8, 16],
    pooled: { train: 400, test: 400, trainSizes: [80, 160, 400], depths: [1, 2, 4, 8, 16] },
    widths: powers(0, 13),
    widening: [...powers(-4, 2), 10, 16, 64, 256],
    randomDepths: [1, 2, 4, 8, 16],
    draws: 20,
    diagReg: 1e-4,
    tune: { depth: 5, start: 256, tuneOn: 2000, restarts: 2, maxSteps: 60, splits: 3 },
    training: (['FC', 'Conv-Vec', 'Conv-GAP'] as const).map((architecture) => ({
      architecture,
      widths: architecture === 'FC' ? powers(2, 12) : CHANNELS,
      train: 7200,
      depth: 3,
      baseWidth: 4,
      steps: 3000,
      batchSize: architecture === 'FC' ? 1024 : 256,
      nets: 4,
      rates: [1 / 8, 1 / 4, 1 / 2, 0.9],
      validation: 800,
    })),
  },
};
