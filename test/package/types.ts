// What the types promise and refuse. Nothing here runs: the type check of the tests is the test.
import {
  conv,
  createEngine,
  dense,
  erf,
  kernel,
  monteCarloKernel,
  relu,
  rnn,
  serial,
  type KernelGet,
  type KernelResult,
  type Tensor,
} from 'infinite-width';

export async function kernels(get: KernelGet): Promise<readonly (Tensor | undefined)[]> {
  const engine = await createEngine();
  const net = serial(dense(8, { wStd: 1.5, bStd: null }), relu(), dense(1));
  const x = [[1, 2]];
  const both = await kernel(engine, net, x);
  const ntk = await kernel(engine, net, x, null, { get: 'ntk' });
  const listed = await kernel(engine, net, x, null, { get: ['nngp'], dtype: 'f32' });
  const drawn = await monteCarloKernel(engine, net, x, null, { get: 'nngp', samples: 4 });
  const some = await kernel(engine, net, x, null, { get: typeof get === 'string' ? [get] : get });
  // @ts-expect-error nngp was not asked for
  void ntk.nngp;
  // @ts-expect-error ntk was not asked for
  void listed.ntk;
  // @ts-expect-error ntk was not asked for
  void drawn.ntk;
  const whole: KernelResult = both;
  return [whole.ntk, both.nngp, ntk.ntk, listed.nngp, drawn.nngp.kernel, some.nngp];
}

export const layers = [
  dense(8, { parametrization: 'standard', s: [1, 2], baseWidth: 4 }),
  conv(8, [3, 3], { padding: 'SAME', strides: [2, 2] }),
  erf({ a: 2 }),
  rnn(4, { activation: relu(), returnSequences: true }),
  // @ts-expect-error the field is wStd
  dense(8, { wstd: 1.5 }),
  // @ts-expect-error no such padding
  conv(8, [3, 3], { padding: 'same' }),
  // @ts-expect-error relu has no fields
  relu({ alpha: 1 }),
  // @ts-expect-error rnn needs its activation
  rnn(4, {}),
];
