// What every field of a Net document may be, its default, and how its errors read.
import type { LayerName } from './vocabulary.js';

/** One field: `parse` returns the normalised value or throws through `bad`. */
export interface Field {
  readonly rule: string;
  /** Absent: the field must be given. A function sees the other fields. */
  readonly fallback?: (given: Readonly<Record<string, unknown>>) => unknown;
  readonly accepts: (value: unknown) => boolean;
  readonly normalise?: (value: unknown) => unknown;
}
export type Fields = Readonly<Record<string, Field>>;

/** More channels than any memory here holds; a typing error rather than a wish. */
const MOST = 2 ** 28;
const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);
const isWhole = (value: unknown, least: number): boolean =>
  Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= MOST;
const isList = (value: unknown, item: (entry: unknown) => boolean, least = 1): boolean =>
  Array.isArray(value) && value.length >= least && value.every(item);

/** How errors call the layer at `path`. */
export function layerLabel(path: string, name: string): string {
  return path === '' ? `the net (${name})` : `${path} (${name})`;
}

function field(rule: string, accepts: Field['accepts'], ...fallback: unknown[]): Field {
  return fallback.length ? { rule, accepts, fallback: () => fallback[0] } : { rule, accepts };
}
const count: Field = field(`a whole number from 1 to ${MOST}`, (v) => isWhole(v, 1));
const number = (...fallback: number[]): Field => field('a finite number', isNumber, ...fallback);
const std = (fallback: number): Field =>
  field('a finite number >= 0', (v) => isNumber(v) && v >= 0, fallback);
const bStd: Field = field(
  'null (no bias) or a finite number >= 0',
  (v) => v === null || (isNumber(v) && v >= 0),
  null,
);
const flag = (fallback: boolean): Field => field('true or false', (v) => typeof v === 'boolean', fallback);
const oneOf = (values: readonly string[], ...fallback: string[]): Field =>
  field(
    `one of ${values.map((value) => `"${value}"`).join(', ')}`,
    (v) => values.includes(v as string),
    ...fallback,
  );
const sizes = field('a list of whole numbers >= 1, one per spatial axis', (v) =>
  isList(v, (e) => isWhole(e, 1), 0),
);
const onesLike = (other: string): Field => ({
  ...sizes,
  fallback: (given) => (Array.isArray(given[other]) ? given[other].map(() => 1) : []),
});
const axes = (nullable: boolean, ...fallback: unknown[]): Field => ({
  ...field(
    `${nullable ? 'null, ' : ''}an axis or a list of axes`,
    (v) => (nullable && v === null) || Number.isInteger(v) || isList(v, Number.isInteger),
    ...fallback,
  ),
  normalise: (v) => (typeof v === 'number' ? [v] : v),
});
const layers: Field = field('a list of layers', (v) => Array.isArray(v));
const branches: Field = field('a list of at least one layer', (v) => Array.isArray(v) && v.length > 0);
const degree: Field = field('a whole number from 0 to 60', (v) => isWhole(v, 0) && (v as number) <= 60);
const isSlice = (v: unknown): boolean =>
  v === null ||
  Number.isInteger(v) ||
  (Array.isArray(v) && v.length === 3 && v.every((e) => e === null || Number.isInteger(e)) && v[2] !== 0);

const weights: Fields = {
  wStd: std(1),
  bStd,
  parametrization: oneOf(['ntk', 'standard'], 'ntk'),
  s: field(
    'two whole numbers [sIn, sOut] >= 1',
    (v) => isList(v, (e) => isWhole(e, 1)) && (v as unknown[]).length === 2,
    [1, 1],
  ),
  baseWidth: field('null or a finite number > 0', (v) => v === null || (isNumber(v) && v > 0), null),
};
const padding = oneOf(['VALID', 'SAME', 'CIRCULAR'], 'VALID');
const conv: Fields = { channels: count, filter: sizes, strides: onesLike('filter'), padding, ...weights };
const pool: Fields = { window: sizes, strides: onesLike('window'), padding };
const wave: Fields = { a: number(1), b: number(1), c: number(0) };
const none: Fields = {};

/** The fields of every layer. `layers`, `branches`, `net` and `activation` hold layers and are parsed as such. */
export const VOCABULARY: Readonly<Record<LayerName, Fields>> = {
  serial: { layers },
  repeat: {
    times: field('a whole number from 0 to 10000', (v) => isWhole(v, 0) && (v as number) <= 10_000),
    net: field('a layer', (v) => typeof v === 'object' && v !== null),
  },
  sum: { branches },
  product: { branches },
  concat: { branches, axis: field('a whole number', Number.isInteger, -1) },
  identity: none,
  dense: { units: count, ...weights },
  rnn: {
    units: count,
    uStd: std(1),
    activation: field('an activation layer', (v) => typeof v === 'object' && v !== null),
    returnSequences: flag(false),
    ...weights,
  },
  conv,
  convTranspose: conv,
  convLocal: conv,
  avgPool: { ...pool, normalizeEdges: flag(false) },
  sumPool: pool,
  maxPool: pool,
  globalAvgPool: none,
  globalSumPool: none,
  flatten: none,
  layerNorm: { axis: axes(false, [-1]), eps: std(1e-12) },
  dropout: {
    keep: field('a number > 0 and <= 1, the probability of keeping', (v) => isNumber(v) && v > 0 && v <= 1),
    mode: oneOf(['train', 'test'], 'train'),
  },
  attention: {
    channels: count,
    keyChannels: count,
    valueChannels: count,
    heads: count,
    linearScaling: flag(true),
    keyStd: std(1),
    valueStd: std(1),
    queryStd: std(1),
    outStd: std(1),
    bStd,
    mechanism: oneOf(['softmax', 'identity', 'abs', 'relu'], 'softmax'),
    positional: oneOf(['none', 'sum', 'concat'], 'none'),
    positionalStd: std(1),
    positionalChannels: field('null or a whole number >= 1', (v) => v === null || isWhole(v, 1), null),
    valuePositional: flag(false),
  },
  aggregate: { axis: axes(true, null) },
  imageResize: {
    shape: field('a list with one size (-1 = keep) per axis, samples and channels included', (v) =>
      isList(v, (e) => e === -1 || isWhole(e, 1), 2),
    ),
    method: oneOf(['linear', 'nearest'], 'linear'),
    antialias: flag(true),
  },
  index: {
    slices: field('a list of null, an integer or [start, stop, step], one per spatial axis', (v) =>
      isList(v, isSlice),
    ),
  },
  relu: none,
  abs: none,
  sign: none,
  sigmoidLike: none,
  gabor: none,
  leakyRelu: { alpha: number() },
  abRelu: { a: number(), b: number() },
  erf: wave,
  sin: wave,
  cos: wave,
  gelu: { approximate: flag(false) },
  rbf: { gamma: field('a finite number > 0', (v) => isNumber(v) && v > 0, 1) },
  exp: { a: number(1), b: number(1) },
  gaussian: { a: number(1), b: number(-1) },
  expNormalized: { gamma: number(1), shift: number(-1), doClip: flag(false) },
  hermite: { degree },
  monomial: { degree },
  rectifiedMonomial: { degree },
  polynomial: { coefficients: field('a list of finite numbers', (v) => isList(v, isNumber, 0)) },
  tanh: none,
  sigmoid: none,
  softplus: none,
  swish: none,
  elu: { alpha: number(1) },
  selu: none,
  mish: none,
  softsign: none,
  hardTanh: none,
  hardSigmoid: none,
  hardSwish: none,
  relu6: none,
  elementwise: { name: field('a name given to defineActivation', (v) => typeof v === 'string' && v !== '') },
};
