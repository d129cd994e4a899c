import { version } from '../version.js';
import type { Variant } from '../wasm/engine.js';

/** The version of the result format; a reader checks it before anything else. */
export const RESULT_SCHEMA = 'infinite-width/result@1';

/** Where numbers come from. Nothing in it depends on the machine, so equal runs write equal files. */
export interface Provenance {
  readonly package: 'infinite-width';
  readonly version: string;
  readonly variant: Variant;
  readonly seed?: number;
  /** Everything that decides the numbers: sizes, rates, data set, options. Plain JSON. */
  readonly settings: Readonly<Record<string, unknown>>;
}

export interface Result<T extends object = Readonly<Record<string, unknown>>> {
  readonly schema: typeof RESULT_SCHEMA;
  /** What made it, e.g. 'demo'. */
  readonly kind: string;
  readonly provenance: Provenance;
  readonly data: T;
}

/** Numbers with where they come from, as `result.json` holds them. */
export function createResult<T extends object>(
  kind: string,
  data: T,
  from: { variant: Variant; seed?: number; settings: Readonly<Record<string, unknown>> },
): Result<T> {
  return {
    schema: RESULT_SCHEMA,
    kind,
    provenance: { package: 'infinite-width', version, ...from },
    data,
  };
}

/** The result in a parsed `result.json`. TypeError when it is none, or of another format version. */
export function asResult(value: unknown, name = 'result'): Result {
  const result = value as Partial<Result> | null;
  if (typeof result !== 'object' || result === null || result.schema !== RESULT_SCHEMA) {
    const got = typeof result === 'object' && result !== null ? JSON.stringify(result.schema) : typeof value;
    throw new TypeError(
      `${name}: expected schema '${RESULT_SCHEMA}', got ${got}. Write it again with this version.`,
    );
  }
  if (
    typeof result.kind !== 'string' ||
    typeof result.provenance !== 'object' ||
    typeof result.data !== 'object'
  ) {
    throw new TypeError(`${name}: kind, provenance and data are required. The file is damaged.`);
  }
  return result as Result;
}

/** JSON text of a result: typed arrays as lists, infinities and NaN as text, numbers in their shortest exact form. */
export function jsonText(value: unknown, indent = 1): string {
  const text = JSON.stringify(value, toPlain, indent);
  // Innermost lists and records on one line each: shorter, and a change of one value is a change of one line.
  const flat = text.replace(/[[{]\n[^[\]{}]*[\]}]/g, (inner) => inner.replace(/\s*\n\s*/g, ' '));
  return `${flat}\n`;
}

/** What JSON.stringify needs to write typed arrays, maps and non-finite numbers. */
export function toPlain(_key: string, value: unknown): unknown {
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
    return Array.from(value as unknown as ArrayLike<number>, (item) => toPlain('', item));
  }
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  if (value instanceof Map) return Object.fromEntries(value);
  return value;
}
