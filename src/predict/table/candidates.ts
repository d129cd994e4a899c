// The kernels that `fit` compares when no net is given, and their comparison by leaving one out.
import { pow } from '../../math/elementary.js';
import { dense, erf, relu, serial, sign } from '../../net/builders.js';
import type { NetDocument } from '../../net/document.js';
import type { Engine, RunOptions } from '../../wasm/engine.js';
import { tableKernels } from './kernels.js';
import type { Candidate } from './model-file.js';
import { scoreJob, type ScoreParams } from './select.js';

/** A net that is tried, and its kernels that differ. */
export interface CandidateNet {
  /** What tables and reports call it. */
  readonly name: string;
  readonly net: NetDocument;
  readonly methods: readonly ('nngp' | 'ntk')[];
}

const BOTH = ['nngp', 'ntk'] as const;
const INPUT = Math.sqrt(0.1); // bias of the inputs

/** ReLU net with `depth` hidden layers that keeps the size of signals (wStd^2 = 2), biases on the inputs only. */
function reluNet(depth: number): NetDocument {
  const hidden = Array.from({ length: depth }, (_, i) => [
    relu(),
    dense(i === depth - 1 ? 1 : 512, { wStd: Math.SQRT2 }),
  ]).flat();
  return serial(dense(512, { bStd: INPUT }), ...hidden);
}

/** What is tried: linear, smooth (erf), of the roughness of a ReLU net, and with steps (sign). */
export const AUTOMATIC: readonly CandidateNet[] = [
  ...[1, 2, 3, 5].map((depth) => ({
    name: `ReLU, ${depth} hidden layer${depth > 1 ? 's' : ''}`,
    net: reluNet(depth),
    methods: BOTH,
  })),
  { name: 'linear', net: serial(dense(1, { bStd: INPUT })), methods: ['nngp'] },
  {
    name: 'erf, 1 hidden layer',
    net: serial(dense(512, { bStd: INPUT, wStd: 1 }), erf(), dense(1)),
    methods: BOTH,
  },
  {
    name: 'sign, 2 hidden layers',
    net: serial(dense(512, { bStd: INPUT }), sign(), dense(512), sign(), dense(1)),
    methods: ['nngp'],
  },
];

const NOISES: readonly number[] = [-6, -5.5, -5, -4.5, -4, -3.5, -3, -2.5, -2, -1.5, -1, -0.5, 0, 0.5, 1].map(
  (power) => Number(pow(10, power).toPrecision(3)),
);

/** The rows that candidates are compared on. */
export interface Sample extends Omit<ScoreParams, 'kernel' | 'noises'> {
  readonly features: number;
  readonly x: Float64Array;
}

/** What may be fixed instead of compared. */
export interface Fixed {
  readonly method?: 'nngp' | 'ntk';
  readonly diagReg?: number;
}

/** Every kernel, scale and noise of one net with its scores. */
export async function scoreNet(
  engine: Engine,
  { features, x, ...sample }: Sample,
  candidate: CandidateNet,
  { method, diagReg }: Fixed,
  run: RunOptions,
): Promise<Candidate[]> {
  const pair = await tableKernels(engine, candidate.net, x, null, { features, run });
  const methods = candidate.methods.filter((name) => method === undefined || name === method);
  const noises = diagReg === undefined ? NOISES : [diagReg];
  const params = methods.map((name) => ({ ...sample, kernel: pair[name], noises }));
  const scores = await engine.map(scoreJob, params, run);
  return methods.flatMap((name, m) =>
    scores[m]!.map(({ noise, scale, score, error }) => ({
      net: candidate.name,
      method: name,
      scale: sample.scales[scale]?.transform.kind ?? 'none',
      diagReg: noise,
      score,
      error,
    })),
  );
}
