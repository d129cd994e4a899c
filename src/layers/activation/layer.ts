// Activations: one descriptor for each, which differ in their fields alone; the functions are told apart in codes.ts (finite
// nets), dual/dual.ts (kernels) and series-rule.ts (power series).
import { USUAL, type LeafDescriptor } from '../descriptor.js';
import { degree, field, flag, isList, isNumber, number, type Fields } from '../fields.js';
import { activationDerivatives } from './derivative.js';
import { compileActivation } from './finite.js';
import { activationRule } from './kernel.js';
import { activationOffsets } from './offsets.js';
import type { ActivationLayer } from './types.js';

const activation = (fields: Fields = {}): LeafDescriptor<ActivationLayer> => ({
  ...USUAL,
  kind: 'leaf',
  fields,
  shape: (_, input) => input,
  finite: ({ layer, path }, builder, input) => compileActivation(layer, path, builder, input),
  kernel: activationRule,
  derivative: () => activationDerivatives,
  offsets: activationOffsets,
  entries: () => 'dual',
  gain: 1,
});
const plain = activation();
const wave = activation({ a: number(1), b: number(1), c: number(0) });
const ofDegree = activation({ degree });

export const activations: { readonly [N in ActivationLayer['layer']]: LeafDescriptor<ActivationLayer> } = {
  relu: plain,
  abs: plain,
  sign: plain,
  sigmoidLike: plain,
  gabor: plain,
  leakyRelu: activation({ alpha: number() }),
  abRelu: activation({ a: number(), b: number() }),
  erf: wave,
  sin: wave,
  cos: wave,
  gelu: activation({ approximate: flag(false) }),
  rbf: activation({ gamma: field('a finite number > 0', (v) => isNumber(v) && v > 0, 1) }),
  exp: activation({ a: number(1), b: number(1) }),
  gaussian: activation({ a: number(1), b: number(-1) }),
  expNormalized: activation({ gamma: number(1), shift: number(-1), doClip: flag(false) }),
  hermite: ofDegree,
  monomial: ofDegree,
  rectifiedMonomial: ofDegree,
  polynomial: activation({ coefficients: field('a list of finite numbers', (v) => isList(v, isNumber, 0)) }),
  tanh: plain,
  sigmoid: plain,
  softplus: plain,
  swish: plain,
  elu: activation({ alpha: number(1) }),
  selu: plain,
  mish: plain,
  softsign: plain,
  hardTanh: plain,
  hardSigmoid: plain,
  hardSwish: plain,
  relu6: plain,
  elementwise: {
    ...activation({
      name: field('a name given to defineActivation', (v) => typeof v === 'string' && v !== ''),
    }),
    inCode: true,
  },
};
