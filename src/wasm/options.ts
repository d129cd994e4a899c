// What a call takes by name: options that it does not know are refused, and the word that was probably meant is named.
// A wrong answer to a misspelt question would otherwise look like a right one.

/**
 * The fields a call knows: every field of `T`, each with `true`, or with the fields of the object it holds. The type asks
 * for all of them, so that an option added to `T` cannot be forgotten here.
 */
export type Fields<T> = { readonly [K in keyof T]-?: true | Nested };
interface Nested {
  readonly [field: string]: true | Nested;
}

/**
 * RangeError unless every own field of `options` is one of `fields`; TypeError when `options` is no object. Fields that
 * hold objects are checked too: `data.xor.seeds`. `call` is the public function's name, `path` the object's own field.
 *
 *     knownFields('predict', { diagreg: 1 }, { diagReg: true, time: true });
 *     // RangeError: predict: unknown option "diagreg". Did you mean "diagReg"? Options: diagReg, time.
 */
export function knownFields<T>(call: string, options: T, fields: Fields<T>, path = ''): void {
  const known = fields as Nested;
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new TypeError(
      `${call}: ${path || 'the options'} must be an object with the fields ${Object.keys(known).join(', ')}, got ${kindOf(options)}.`,
    );
  }
  const at = (key: string): string => (path ? `${path}.${key}` : key);
  for (const [key, value] of Object.entries(options)) {
    if (!Object.hasOwn(known, key)) throw new RangeError(`${call}: ${unknownField(at(key), key, known)}`);
    const inner = known[key]!;
    if (inner !== true && typeof value === 'object' && value !== null)
      knownFields(call, value, inner, at(key));
  }
}

/** The part of `options` that another call knows, for handing them on. */
export function onlyFields<T extends object>(options: T, fields: Fields<T>): T {
  return Object.fromEntries(Object.entries(options).filter(([key]) => Object.hasOwn(fields, key))) as T;
}

/** RangeError unless `value` is one of `words`; returns it. `what` is the option's name. */
export function knownWord<W extends string>(
  call: string,
  what: string,
  value: unknown,
  words: readonly W[],
): W {
  if (words.includes(value as W)) return value as W;
  const list = words.map((word) => `'${word}'`);
  const shown = typeof value === 'string' ? `'${value}'` : kindOf(value);
  throw new RangeError(
    `${call}: ${what} must be ${list.length > 1 ? `${list.slice(0, -1).join(', ')} or ` : ''}${list.at(-1)}, got ${shown}.${meant(value, words, "'")}`,
  );
}

/** RangeError unless `value` is a whole number from `least` to `most`; returns it. `what` is the option's name. */
export function wholeNumber(
  call: string,
  what: string,
  value: unknown,
  least = 0,
  most: number = Number.MAX_SAFE_INTEGER,
): number {
  if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most)
    return value as number;
  const range = most === Number.MAX_SAFE_INTEGER ? `>= ${least}` : `from ${least} to ${most}`;
  throw new RangeError(`${call}: ${what} must be a whole number ${range}, got ${kindOf(value)}.`);
}

function unknownField(name: string, key: string, known: Nested): string {
  const names = Object.keys(known);
  const list = names.length ? `Options: ${names.join(', ')}.` : 'It has none.';
  return `unknown option "${name}".${meant(key, names, '"')} ${list}`;
}

/** ' Did you mean "x"?', or nothing. */
export function meant(given: unknown, words: readonly string[], quote: string): string {
  const word = typeof given === 'string' ? nearest(given, words) : null;
  return word === null ? '' : ` Did you mean ${quote}${word}${quote}?`;
}

/** The one of `words` that differs from `given` by few letters, whatever their case and hyphens; null when none does. */
export function nearest(given: string, words: readonly string[]): string | null {
  const plain = (word: string): string => word.toLowerCase().replace(/[^a-z0-9]/g, '');
  const from = plain(given.slice(0, 40));
  let best: string | null = null;
  let least = Math.floor(from.length / 3) + 1; // a third of the letters may be wrong
  for (const word of words) {
    const steps = edits(from, plain(word));
    if (steps < least) [best, least] = [word, steps];
  }
  return best;
}

/** Letters to put in, take out, change or swap with their neighbour (Damerau and Levenshtein). */
function edits(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row[j] = Math.min(change, last[j]! + 1, row[j - 1]! + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        row[j] = Math.min(row[j]!, before[j - 2]! + 1);
    }
    [before, last] = [last, row];
  }
  return last[b.length]!;
}

/** A value in an error message: what kind it is, and a number or a short text itself. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'string') return `the string '${value.slice(0, 40)}'`;
  return typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : `a value of type ${typeof value}`;
}
