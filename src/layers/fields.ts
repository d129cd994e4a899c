// What fields of a Net document may be, their defaults, and how their errors read: parts of which descriptors are made.

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
export const isNumber = (value: unknown): value is number =>
  typeof value === 'number' && Number.isFinite(value);
export const isWhole = (value: unknown, least: number): boolean =>
  Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= MOST;
export const isList = (value: unknown, item: (entry: unknown) => boolean, least = 1): boolean =>
  Array.isArray(value) && value.length >= least && value.every(item);

/** How errors call the layer at `path`. */
export function layerLabel(path: string, name: string): string {
  return path === '' ? `the net (${name})` : `${path} (${name})`;
}

export function field(rule: string, accepts: Field['accepts'], ...fallback: unknown[]): Field {
  return fallback.length ? { rule, accepts, fallback: () => fallback[0] } : { rule, accepts };
}
export const count: Field = field(`a whole number from 1 to ${MOST}`, (v) => isWhole(v, 1));
export const number = (...fallback: number[]): Field => field('a finite number', isNumber, ...fallback);
export const std = (fallback: number): Field =>
  field('a finite number >= 0', (v) => isNumber(v) && v >= 0, fallback);
export const bStd: Field = field(
  'null (no bias) or a finite number >= 0',
  (v) => v === null || (isNumber(v) && v >= 0),
  null,
);
export const flag = (fallback: boolean): Field =>
  field('true or false', (v) => typeof v === 'boolean', fallback);
export const oneOf = (values: readonly string[], ...fallback: string[]): Field =>
  field(
    `one of ${values.map((value) => `"${value}"`).join(', ')}`,
    (v) => values.includes(v as string),
    ...fallback,
  );
export const sizes: Field = field('a list of whole numbers >= 1, one per spatial axis', (v) =>
  isList(v, (e) => isWhole(e, 1), 0),
);
export const onesLike = (other: string): Field => ({
  ...sizes,
  fallback: (given) => (Array.isArray(given[other]) ? given[other].map(() => 1) : []),
});
export const axes = (nullable: boolean, ...fallback: unknown[]): Field => ({
  ...field(
    `${nullable ? 'null, ' : ''}an axis or a list of axes`,
    (v) => (nullable && v === null) || Number.isInteger(v) || isList(v, Number.isInteger),
    ...fallback,
  ),
  normalise: (v) => (typeof v === 'number' ? [v] : v),
});
export const layers: Field = field('a list of layers', (v) => Array.isArray(v));
export const branches: Field = field('a list of at least one layer', (v) => Array.isArray(v) && v.length > 0);
export const degree: Field = field(
  'a whole number from 0 to 60',
  (v) => isWhole(v, 0) && (v as number) <= 60,
);
export const isSlice = (v: unknown): boolean =>
  v === null ||
  Number.isInteger(v) ||
  (Array.isArray(v) && v.length === 3 && v.every((e) => e === null || Number.isInteger(e)) && v[2] !== 0);

export const padding: Field = oneOf(['VALID', 'SAME', 'CIRCULAR'], 'VALID');
