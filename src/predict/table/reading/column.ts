// What one column of a table is: numbers, categories, dates, names of rows or free text, and what to do with it.
import { isMissing, labelOf, type Cell } from '../csv.js';
import { calendarParts, dateEvidence, readDate, type CalendarPart, type DateStyle } from './dates.js';
import { numeralEvidence, numeralParts, readNumeral, type NumberFormat } from './numerals.js';

/** What a column holds. `names`: a different text (or a row number) in every row; `text`: free text; `empty`: nothing. */
export type ColumnKind = 'number' | 'category' | 'date' | 'names' | 'text' | 'empty';

/** What a user may say a column holds, where the cells leave it open. */
export type ColumnType = 'number' | 'decimal comma' | 'category' | 'date' | 'day first' | 'month first';
export const COLUMN_TYPES: readonly ColumnType[] = [
  'number',
  'decimal comma',
  'category',
  'date',
  'day first',
  'month first',
];

/** How one column was understood. Plain JSON: a part of a saved model, and what a summary shows. */
export interface ColumnReading {
  readonly name: string;
  readonly kind: ColumnKind;
  readonly use: 'feature' | 'target' | 'left out';
  /** Rows whose cell is missing, cells that cannot be read included. */
  readonly missing: number;
  /** Different values among the others. */
  readonly distinct: number;
  /** A cell as it stands in the file; '' where all are missing. */
  readonly example: string;
  /** Words that stand for a missing value in this column, beside empty cells, NA, NaN, null and ?. */
  readonly absent: readonly string[];
  readonly number: NumberFormat | null;
  readonly date: DateStyle | null;
  /** Parts of a date that vary enough over this table to be features. */
  readonly calendar: readonly CalendarPart[];
  /** What was done with it, one clause. */
  readonly done: string;
  /** What looks wrong, or could be meant otherwise; whole sentences. */
  readonly warnings: readonly string[];
}

/** What is known from outside the column. */
export interface ColumnContext {
  readonly role: 'feature' | 'target' | 'dropped';
  readonly type: ColumnType | null;
  /** Most numbers of this table have a decimal comma. */
  readonly comma: boolean;
  /** The call that reads, for errors. */
  readonly call: string;
}

/** Words that mean a missing value among numbers and dates, and a class of that name among words. */
const BLANKS = new Set([
  '-',
  '--',
  '—',
  '–',
  '.',
  'none',
  'nil',
  'missing',
  'unknown',
  '#div/0!',
  '#value!',
  '#ref!',
]);
const FEW = 0.05; // share of cells that may be no number in a column of numbers
const ENOUGH = 10; // cells that must be numbers, where others are none
const ROW_NAMES =
  /^(id|ids|idx|index|row|rows|row ?names?|row ?number|rowid|nr|no|number|#|unnamed.*|column \d+|.*[_ ]id|.*Id)$/;

const textOf = (cell: Cell): string => labelOf(cell);

/** Reads one column. RangeError where a given type does not fit most cells. */
export function readColumn(name: string, cells: readonly Cell[], context: ColumnContext): ColumnReading {
  const known = cells.flatMap((cell, i) => (isMissing(cell) ? [] : [{ text: textOf(cell), row: i }]));
  const base = { name, absent: [], number: null, date: null, calendar: [], warnings: [] };
  const common = {
    ...base,
    missing: cells.length - known.length,
    distinct: new Set(known.map(({ text }) => text)).size,
    example: known[0]?.text.slice(0, 40) ?? '',
  };
  if (context.role === 'dropped')
    return {
      ...common,
      kind: known.length ? 'category' : 'empty',
      use: 'left out',
      done: 'left out, as asked',
    };
  if (known.length === 0)
    return { ...common, kind: 'empty', use: 'left out', done: 'left out: all values are missing' };
  const asked = context.type;
  if (asked === 'category') return category(common, known, context);
  const filled = known.filter(({ text }) => !BLANKS.has(text.toLowerCase()));
  const found =
    asked === 'number' || asked === 'decimal comma' || asked === null
      ? numbers(common, known, filled, context)
      : null;
  const read =
    found ?? (asked === 'number' || asked === 'decimal comma' ? null : dates(common, known, filled, context));
  if (read) return context.role === 'feature' && asked === null ? rowNumbers(read, cells) : read;
  if (asked !== null) throw misfit(name, filled[0] ?? known[0]!, asked, context);
  return category(common, known, context);
}

function misfit(
  name: string,
  { text, row }: Known,
  type: ColumnType,
  { role, call }: ColumnContext,
): RangeError {
  const what =
    role === 'target' ? `the target '${name}' must be a number` : `column '${name}' must be a ${type}`;
  const remedy =
    role === 'target'
      ? "Use task: 'classification'."
      : `Leave its type out, or choose one of ${COLUMN_TYPES.join(', ')}.`;
  return new RangeError(`${call}: row ${row + 1}: ${what}, got '${text.slice(0, 40)}'. ${remedy}`);
}

interface Known {
  readonly text: string;
  readonly row: number;
}
type Common = Omit<ColumnReading, 'kind' | 'use' | 'done'>;

const useOf = ({ role }: ColumnContext): 'feature' | 'target' => (role === 'target' ? 'target' : 'feature');

function numbers(
  common: Common,
  known: readonly Known[],
  filled: readonly Known[],
  context: ColumnContext,
): ColumnReading | null {
  const texts = filled.map(({ text }) => text);
  if (context.type === null && areCodes(texts)) return null;
  const evidence = numeralEvidence(texts);
  if (!evidence) return null;
  // A stray letter is no second unit: `12O` among numbers.
  const strays = evidence.format.unit;
  const units = evidence.otherUnits.filter((unit) => !strange(`1${unit}`, strays));
  const wish = context.type === 'decimal comma' || (evidence.alternative?.decimal === ',' && context.comma);
  const chosen = wish ? withComma(evidence.format, texts) : evidence.format;
  const bad = filled.filter(
    ({ text }) => Number.isNaN(readNumeral(text, chosen)) || strange(text, chosen.unit),
  );
  const good = filled.length - bad.length;
  if (good === 0 || (context.type === null && !mostly(bad.length, filled.length))) return null;
  const warnings = [
    ...badCells(common.name, bad, known.length, 'number'),
    ...(evidence.alternative && !wish && context.type === null && chosen.group !== ''
      ? [
          `'${texts.find((text) => /[,.]/.test(text))}' is read as ${readNumeral(
            texts.find((text) => /[,.]/.test(text))!,
            chosen,
          )}; for a decimal comma say so (type 'decimal comma').`,
        ]
      : []),
    ...otherUnits(units, chosen.unit),
    ...(evidence.bounds > 0
      ? [`${evidence.bounds} cells are bounds, like '<5' or '10+'; the number is taken.`]
      : []),
    ...sentinels(filled, chosen),
  ];
  const absent = absentWords(known);
  const values = filled.map(({ text }) => readNumeral(text, chosen)).filter((value) => !Number.isNaN(value));
  return {
    ...common,
    kind: 'number',
    use: useOf(context),
    missing: common.missing + known.length - good,
    distinct: new Set(values).size,
    absent,
    number: chosen,
    done: `${context.role === 'target' ? 'predicted as a number' : 'used as a number'}${styleOf(chosen)}`,
    warnings,
  };
}

/** Digits only, all of one length, some with a leading zero: codes, like postcodes, not quantities. */
function areCodes(texts: readonly string[]): boolean {
  const length = texts[0]?.length ?? 0;
  return (
    length > 1 &&
    texts.every((text) => text.length === length && /^\d+$/.test(text)) &&
    texts.some((text) => text.startsWith('0'))
  );
}

/** A unit of letters that the other cells do not have: `12O` among numbers, house number `7b`. */
function strange(text: string, usual: string): boolean {
  const unit = numeralParts(text)?.unit ?? '';
  return (
    unit !== usual &&
    /^[A-Za-zµ²³/]+$/.test(unit) &&
    !/^(USD|EUR|GBP|CHF|JPY|CNY|INR|AUD|CAD|SEK|NOK|DKK|PLN|kr)$/.test(unit)
  );
}

const mostly = (bad: number, all: number): boolean =>
  bad === 0 || (bad <= Math.max(1, FEW * all) && all - bad >= ENOUGH);

function withComma(format: NumberFormat, texts: readonly string[]): NumberFormat {
  const plain: NumberFormat = { ...format, decimal: ',', group: '' };
  const grouped: NumberFormat = { ...format, decimal: ',', group: '.' };
  const count = (style: NumberFormat): number =>
    texts.filter((text) => !Number.isNaN(readNumeral(text, style))).length;
  return count(grouped) > count(plain) ? grouped : plain;
}

function badCells(name: string, bad: readonly Known[], all: number, what: 'number' | 'date'): string[] {
  if (bad.length === 0) return [];
  const rows = bad.slice(0, 3).map(({ text, row }) => `'${text.slice(0, 40)}' in row ${row + 1}`);
  const verb = bad.length === 1 ? 'is' : 'are';
  return [
    `column ${name}: ${bad.length} of ${all} cells ${verb} no ${what} (${rows.join(', ')}${bad.length > 3 ? ', ...' : ''}), taken as missing.`,
  ];
}

function otherUnits(others: readonly string[], usual: string): string[] {
  const marks = others.filter((unit) => unit !== '' && unit !== usual);
  const named = (unit: string): string => (unit === '' ? 'nothing' : `'${unit}'`);
  if (marks.length > 0)
    return [
      `the numbers carry different units: ${[usual, ...marks].map(named).join(', ')}; the units are not converted.`,
    ];
  return others.length > 0 && usual !== '' ? [`some cells carry '${usual}', others no unit.`] : [];
}

/** Numbers that stand for a missing value by habit: far from all others, and often. */
function sentinels(filled: readonly Known[], format: NumberFormat): string[] {
  const values = filled.map(({ text }) => readNumeral(text, format)).filter((value) => !Number.isNaN(value));
  return [-999, -9999, -99, 999, 9999, 99999].flatMap((mark) => {
    const count = values.filter((value) => value === mark).length;
    const rest = values.filter((value) => value !== mark);
    if (count < 2 || rest.length === 0) return [];
    let size = 0;
    for (const value of rest) size = Math.max(size, Math.abs(value));
    const outside = mark < 0 ? rest.every((value) => value >= 0) : size < mark / 5;
    return outside
      ? [`${mark} stands ${count} times, far from all other values. Does it mean a missing value?`]
      : [];
  });
}

function absentWords(known: readonly Known[]): string[] {
  return [...new Set(known.map(({ text }) => text.toLowerCase()).filter((text) => BLANKS.has(text)))];
}

function styleOf({ decimal, group, unit }: NumberFormat): string {
  const parts = [
    ...(decimal === ',' ? ['decimal comma'] : []),
    ...(group === '' ? [] : [`groups of three digits set off by ${group === ' ' ? 'spaces' : `'${group}'`}`]),
    ...(unit === '' ? [] : [`unit ${unit}`]),
  ];
  return parts.length ? ` (${parts.join(', ')})` : '';
}

function dates(
  common: Common,
  known: readonly Known[],
  filled: readonly Known[],
  context: ColumnContext,
): ColumnReading | null {
  const texts = filled.map(({ text }) => text);
  const evidence = texts.length > 0 ? dateEvidence(texts) : null;
  if (!evidence) return null;
  const { type } = context;
  const style = type === 'day first' || type === 'month first' ? type : evidence.style;
  const bad = filled.filter(({ text }) => Number.isNaN(readDate(text, style)));
  const good = filled.length - bad.length;
  if (good === 0 || (type === null && !mostly(bad.length, filled.length))) return null;
  const warnings = [
    ...badCells(common.name, bad, known.length, 'date'),
    ...(evidence.ambiguous && type !== 'day first' && type !== 'month first'
      ? [
          `'${texts[0]}' is read with the ${style === 'day first' ? 'day' : 'month'} first; if it is the other, say so (type '${style === 'day first' ? 'month first' : 'day first'}').`,
        ]
      : []),
  ];
  const how = style === 'time' ? 'a time of day' : 'a date';
  return {
    ...common,
    kind: 'date',
    use: useOf(context),
    missing: common.missing + known.length - good,
    absent: absentWords(known),
    date: style,
    calendar: style === 'time' ? [] : calendarParts(texts.map((text) => readDate(text, style))),
    done:
      context.role === 'target'
        ? 'predicted as days since 1970'
        : `used as ${how}: its place in time and in the calendar`,
    warnings,
  };
}

function category(common: Common, known: readonly Known[], context: ColumnContext): ColumnReading {
  const { distinct, name } = common;
  const words = known.reduce((sum, { text }) => sum + text.split(/\s+/).length, 0) / known.length;
  const unique = known.length > 10 && distinct > 0.8 * known.length;
  const warnings = textAmongNumbers(name, known, context);
  if (context.role === 'target') {
    for (const word of absentWords(known))
      warnings.push(
        `'${known.find(({ text }) => text.toLowerCase() === word)!.text}' is taken as a class of its own.`,
      );
    return {
      ...common,
      kind: 'category',
      use: 'target',
      done: `predicted as one of ${distinct} classes`,
      warnings,
    };
  }
  if (unique && context.type !== 'category')
    return {
      ...common,
      kind: words >= 4 ? 'text' : 'names',
      use: 'left out',
      done:
        words >= 4 ? 'left out: free text' : 'left out: nearly every row has a different value, like a name',
      warnings:
        context.type === null ? [`column ${name} is not used. Type 'category' uses it all the same.`] : [],
    };
  return {
    ...common,
    kind: 'category',
    use: 'feature',
    done: `used as a category of ${distinct} levels`,
    warnings,
  };
}

/** What to say of a column that is taken as levels although most of its cells are numbers. */
function textAmongNumbers(name: string, known: readonly Known[], { type, role }: ColumnContext): string[] {
  if (type === 'category') return [];
  const text = known.filter((cell) => numeralParts(cell.text) === null);
  if (text.length === 0 || 2 * text.length >= known.length) return [];
  const what = role === 'target' ? 'the target' : 'column';
  return [
    `${what} '${name}' has text ('${text[0]!.text.slice(0, 40)}' in row ${text[0]!.row + 1}) among its numbers, so they are taken as ${role === 'target' ? 'classes' : 'levels'}; mend it, or give it the type 'number'.`,
  ];
}

/** Whole numbers that count the rows: left out where the name says so, told otherwise. */
function rowNumbers(reading: ColumnReading, cells: readonly Cell[]): ColumnReading {
  const { name, number: format } = reading;
  if (!format || reading.missing > 0 || cells.length < 5) return reading;
  const values = cells.map((cell) => readNumeral(textOf(cell), format));
  const counts = values.every((value, i) => i === 0 || value === values[i - 1]! + 1);
  const isName = ROW_NAMES.test(name) || ROW_NAMES.test(name.toLowerCase());
  const whole = values.every((value) => Number.isInteger(value));
  if (isName && whole && reading.distinct === cells.length)
    return { ...reading, kind: 'names', use: 'left out', done: 'left out: a number that names the row' };
  if (!counts) return reading;
  const last = values[values.length - 1]!;
  return {
    ...reading,
    warnings: [
      ...reading.warnings,
      `column ${name} counts the rows from ${values[0]} to ${last}. If that is only a row number, drop it.`,
    ],
  };
}
