// A net in two parts: the state after a trunk, kept as plain data, and the kernels of what follows it.
import { asTensor, assertFinite, sizeOf, type Tensor, type TensorLike } from '../math/tensor.js';
import { chainEnd, checkChain } from '../net/width-chain.js';
import { parseLayer, type NetDocument } from '../net/document.js';
import { knownFields, NumericalError, type Engine, type Job } from '../wasm/engine.js';
import {
  blameInput,
  checkDtype,
  checkInputs,
  checkNames,
  checkPatterns,
  checkTolerance,
} from './tiles/checks.js';
import { compileLayer, inputFacts, type CompiledLayer } from './propagation/compiled-net.js';
import { frozenPaths } from './propagation/frozen.js';
import { usedConstant } from './propagation/input.js';
import { KERNEL_OPTIONS, type KernelGet, type KernelOptions, type KernelResult } from './kernel.js';
import { headJob, positionsOf, trunkJob, type KernelState, type StateCall } from './tiles/state-jobs.js';
import { wantedOutput } from './tiles/tile.js';

type StateOptions<G extends KernelGet = KernelGet> = Omit<KernelOptions<G>, 'tile'>;
const { tile: _tile, ...STATE_OPTIONS } = KERNEL_OPTIONS;
const { dtype: _dtype, maskConstant: _mask, ...CONTINUE_OPTIONS } = STATE_OPTIONS;
type ContinueOptions<G extends KernelGet> = Omit<StateOptions<G>, 'dtype' | 'maskConstant'>;

/**
 * The state after `net`, for `continueKernel` with one or many nets that go on from there. A trunk may end with sOut > 1.
 * States of nets that end with spatial axes hold all pairs of positions, n1 n2 D^2 entries; `diagonalSpatial` keeps D,
 * enough for nets that go on with `flatten` and layers without overlap. One job on a worker. Errors as `kernel`.
 */
export async function kernelState(
  engine: Engine,
  net: NetDocument,
  first: TensorLike,
  second: TensorLike | null = null,
  options: StateOptions = {},
): Promise<KernelState> {
  knownFields('kernelState', options, STATE_OPTIONS);
  const [x1, x2] = checkInputs(first, second);
  const trunk = parseLayer(net, '');
  chainEnd(trunk);
  const names = checkNames(options.get);
  const dtype = checkDtype(options.dtype, x1);
  const { diagonalSpatial = false } = options;
  const maskConstant = usedConstant(options.maskConstant ?? null, [x1, x2]);
  const inputShape = x1.shape.slice(1);
  const kind = diagonalSpatial ? 'diagonal' : 'full';
  const node = compileLayer(trunk, inputFacts(inputShape), { cov: kind, joint: kind });
  const samples = [x1.shape[0]!, x2 && x2.shape[0]!] as const;
  const common = callOf(engine, node, options, { dtype, ntk: names.includes('ntk'), samples });
  try {
    const call = { ...common, net: trunk, diagonalSpatial, x1, x2, dtype, maskConstant };
    const found = await runRows(engine, trunkJob, call, options, [x1.shape[0]!, (x2 ?? x1).shape[0]!]);
    return { net: trunk as unknown as NetDocument, inputShape, diagonalSpatial, ...found };
  } catch (error) {
    if (error instanceof NumericalError) blameInput(x1, x2, maskConstant);
    throw error;
  }
}

/**
 * NNGP and NTK of the net of `state` followed by `net`: those of `serial(state.net, net)`, whose first part is not run
 * again. Paths in `frozen` and in errors are those of `net`. RangeError where the state is damaged, or lacks what `net` needs.
 */
export async function continueKernel<const G extends KernelGet = readonly ['nngp', 'ntk']>(
  engine: Engine,
  state: KernelState,
  net: NetDocument,
  options: ContinueOptions<G> = {},
): Promise<KernelResult<G>> {
  knownFields('continueKernel', options, CONTINUE_OPTIONS);
  const { trunk, facts } = checkState(state);
  const next = parseLayer(net, '');
  checkChain(next, chainEnd(trunk));
  const names = checkNames(options.get);
  if (names.includes('ntk') && !state.ntk)
    throw new RangeError("continueKernel: the state has no ntk. Make it with get: ['nngp', 'ntk'].");
  const wanted = options.diagonalSpatial ?? false;
  const node = compileLayer(next, facts, wantedOutput(wanted));
  const { diagonalSpatial, nngp } = state;
  const positions = sizeOf(facts.shape.slice(0, -1));
  if (diagonalSpatial && positions > 1 && [node.input.cov, node.input.joint].includes('full')) {
    throw new RangeError(
      'continueKernel: the net needs all pairs of positions, the state has equal ones. Make it without diagonalSpatial.',
    );
  }
  const dtype = nngp.data instanceof Float32Array ? 'f32' : 'f64';
  const samples = [nngp.shape[0]!, state.covariance2 ? nngp.shape[1]! : null] as const;
  const common = callOf(engine, node, options, { dtype, ntk: names.includes('ntk'), samples });
  const call = { ...common, net: next, diagonalSpatial: wanted, state, facts };
  const result = await runRows(engine, headJob, call, options, nngp.shape as [number, number, ...number[]]);
  return Object.fromEntries(names.map((name) => [name, result[name]])) as unknown as KernelResult<G>;
}

interface Asked {
  readonly dtype: 'f32' | 'f64';
  readonly ntk: boolean;
  /** Of x1 and x2; null: x1 with itself. */
  readonly samples: readonly [number, number | null];
}

/** What both jobs are told, from the options of a call. */
function callOf(
  { memoryBytes }: Engine,
  { shaped }: CompiledLayer,
  options: StateOptions,
  { dtype, ntk, samples: [n1, n2] }: Asked,
): Omit<StateCall, 'net' | 'diagonalSpatial'> {
  return {
    ntk,
    memoryBytes,
    patterns: checkPatterns(shaped.layer, options, n1, n2),
    frozen: frozenPaths(shaped, options.frozen),
    tolerance: checkTolerance(options.tolerance, dtype),
  };
}

/** Runs one of the jobs, which sends the number of rows done. */
function runRows<P, R>(
  engine: Engine,
  job: Job<P, R>,
  params: P,
  { signal, onProgress }: StateOptions,
  [n1, n2]: readonly [number, number, ...number[]],
): Promise<R> {
  const start = performance.now();
  const onMessage = (rows: unknown): void => {
    const [done, total] = [(rows as number) * n2, n1 * n2];
    const entriesPerSecond = done / Math.max(1e-3, (performance.now() - start) / 1000);
    onProgress?.({ done, total, entriesPerSecond, secondsLeft: (total - done) / entriesPerSecond });
  };
  return engine.run(job, params, { signal, onMessage });
}

/** The trunk and its facts, once every array of the state fits them. */
function checkState(state: KernelState): {
  trunk: ReturnType<typeof parseLayer>;
  facts: CompiledLayer['facts'];
} {
  const { net, inputShape, nngp, ntk, covariance1, covariance2, visible1, visible2 } = state ?? {};
  const whole = Array.isArray(inputShape) && inputShape.every((size) => Number.isInteger(size) && size > 0);
  if (!nngp || !covariance1 || !whole)
    throw new TypeError('continueKernel: expected a state made by kernelState.');
  const trunk = parseLayer(net, '');
  const kind = state.diagonalSpatial ? 'diagonal' : 'full';
  const { facts } = compileLayer(trunk, inputFacts(inputShape), { cov: kind, joint: kind });
  const spatial = facts.shape.slice(0, -1);
  const positions = positionsOf(spatial, !state.diagonalSpatial);
  const [n1, n2] = [covariance1.shape[0]!, (covariance2 ?? covariance1).shape[0]!];
  const type = nngp.data.constructor;
  const check = (
    name: keyof KernelState,
    tensor: Tensor | null,
    shape: readonly number[],
    array: unknown,
  ) => {
    if (!tensor) return;
    asTensor(tensor, `continueKernel: ${name}`);
    if (tensor.shape.join() !== shape.join() || tensor.data.constructor !== array) {
      throw new RangeError(
        `continueKernel: ${name} must be a ${(array as { name: string }).name} of shape [${shape.join(', ')}], got ${tensor.data.constructor.name} of [${tensor.shape.join(', ')}]. Make the state again with kernelState.`,
      );
    }
    assertFinite(tensor, `continueKernel: ${name}`);
  };
  check('nngp', nngp, [n1, n2, ...positions], type === Float32Array ? Float32Array : Float64Array);
  check('ntk', ntk, nngp.shape, type);
  check('covariance1', covariance1, [n1, ...positions], Float64Array);
  check('covariance2', covariance2, [n2, ...positions], Float64Array);
  check('visible1', visible1, [n1, ...spatial], Float64Array);
  check('visible2', visible2, [n2, ...spatial], Float64Array);
  return { trunk, facts };
}
