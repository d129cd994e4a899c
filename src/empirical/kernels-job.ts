// NTK and NNGP of one finite net as a job: on a worker it can be stopped at any time.
import { usesFunctions } from '../layers/registry.js';
import type { Tensor } from '../math/tensor.js';
import { createModel, parseNet, type ModelOptions, type NetDocument } from '../net/index.js';
import { defineJob, drain, type Job } from '../wasm/engine.js';
import type { Outputs } from './contract.js';
import { empiricalNngp, ntkTiles, planEmpiricalNtk } from './kernels.js';

interface Params {
  readonly net: NetDocument;
  readonly model: ModelOptions;
  readonly x: Tensor;
  readonly x2: Tensor | null;
  readonly outputs: Outputs;
}

/** What the job sends before it starts and after every tile. */
export interface KernelsMessage {
  readonly bytes: number;
  readonly tile: number;
  readonly done: number;
  readonly total: number;
}

interface Kernels {
  readonly ntk: Tensor;
  readonly nngp: Tensor;
  readonly parameters: number;
}

/** @internal */
export const kernelsJob: Job<Params, Kernels> = defineJob(
  'empirical/kernels',
  async (core, { net, model: options, x, x2, outputs }, { send, breathe }) => {
    using model = createModel(core, net, options);
    const { bytes, tile } = planEmpiricalNtk(model, x.shape[0]!, (x2 ?? x).shape[0]!, { outputs });
    const tell = ({ done, total }: { done: number; total: number }): void =>
      send({ bytes, tile, done, total } satisfies KernelsMessage);
    tell({ done: 0, total: 1 });
    const ntk = await drain(ntkTiles(model, x, x2, { outputs, onProgress: tell }), breathe);
    return { ntk, nngp: empiricalNngp(model, x, x2, { outputs }), parameters: model.parameterCount };
  },
  ({ net }) => usesFunctions(parseNet(net)),
);
