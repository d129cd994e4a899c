// Numbers as people write them in tables: 1234.5, 1,234.50, 1.234,50, 1 234,5, 1'234.5, $79,304, 12 %, (300), 5 kg, <5.

/** How the numbers of one column are written. */
export interface NumberFormat {
  readonly decimal: '.' | ',';
  /** What stands between groups of three digits; '' where nothing does. */
  readonly group: '' | ',' | '.' | ' ' | "'";
  /** What most cells carry beside the digits, e.g. `$`, `%` or `kg`; '' where nothing does. */
  readonly unit: string;
}

/** The formats that are tried, the most usual first: of equals the first one wins. */
const STYLES: readonly Omit<NumberFormat, 'unit'>[] = [
  { decimal: '.', group: '' },
  { decimal: '.', group: ',' },
  { decimal: ',', group: '' },
  { decimal: ',', group: '.' },
  { decimal: '.', group: ' ' },
  { decimal: ',', group: ' ' },
  { decimal: '.', group: "'" },
];

const CURRENCY = String.raw`(?:[$€£¥₹₽₩]|US\$|USD|EUR|GBP|CHF|JPY|CNY|INR|AUD|CAD|SEK|NOK|DKK|PLN|Rs\.?|kr\.?)`;
const UNIT = String.raw`(?:%|‰|°[CF]?|${CURRENCY}|[A-Za-zµ²³/]{1,5})`;
const CELL = new RegExp(
  String.raw`^(?<open>\()?(?<bound>[<>≤≥~])?\s*(?<sign>[+\-−])?\s*(?<before>${CURRENCY})?\s*(?<late>[+\-−])?(?<digits>[\d.,'’\s]*\d[\d.,'’\s]*?)(?<power>[eE][+-]?\d+)?\s*(?<after>${UNIT})?(?<more>\+)?(?<close>\))?$`,
);
const SPACES = /[\s\u00a0\u202f\u2009]/g;
const PLAIN = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

interface Parts {
  readonly digits: string;
  readonly power: string;
  readonly negative: boolean;
  readonly unit: string;
  /** The cell says a bound (`<5`, `10+`), not a number. */
  readonly bound: boolean;
}

/** The parts of a cell that holds one number, in whatever format; null for any other text. */
export function numeralParts(cell: string): Parts | null {
  const groups = CELL.exec(cell.trim())?.groups;
  if (!groups) return null;
  const { open, close, sign, late, bound, more, before = '', after = '', digits, power = '' } = groups;
  if (Boolean(open) !== Boolean(close) || (sign && late) || (before && after)) return null;
  const minus = [sign, late].some((mark) => mark === '-' || mark === '−');
  return {
    digits: digits!.trim().replaceAll('’', "'").replace(SPACES, ' '),
    power,
    negative: minus !== Boolean(open),
    unit: before || after,
    bound: Boolean(bound ?? more),
  };
}

/** The number of a cell under a format; NaN where the cell does not have that format. */
export function readNumeral(cell: string, { decimal, group }: Omit<NumberFormat, 'unit'>): number {
  const text = cell.trim();
  if (decimal === '.' && group === '' && PLAIN.test(text)) return finite(Number(text));
  const parts = numeralParts(text);
  if (!parts) return NaN;
  const [whole, fraction, ...rest] = parts.digits.split(decimal) as [string, ...string[]];
  if (rest.length > 0 || (fraction !== undefined && !/^\d*$/.test(fraction))) return NaN;
  const groups = group === '' ? [whole] : whole.split(group);
  if (!groups.every((part) => /^\d*$/.test(part))) return NaN;
  // Groups are of three digits, but for the first one.
  if (
    groups.length > 1 &&
    (!groups.slice(1).every((part) => part.length === 3) || !/^\d{1,3}$/.test(whole.split(group)[0]!))
  )
    return NaN;
  const value = Number(`${groups.join('') || '0'}.${fraction || '0'}${parts.power}`);
  return finite(parts.negative ? -value : value);
}

const finite = (value: number): number => (Number.isFinite(value) ? value : NaN);

/** What the cells of a column say about its number format. */
export interface NumeralEvidence {
  readonly format: NumberFormat;
  /** Places of cells that are no number under the format. */
  readonly bad: readonly number[];
  /** Another reading of the same cells gives other numbers: what a decimal point is in the rest of the table decides. */
  readonly alternative: Omit<NumberFormat, 'unit'> | null;
  /** Units other than the most usual one, e.g. a second currency. */
  readonly otherUnits: readonly string[];
  /** Cells that say a bound, like `<5`. */
  readonly bounds: number;
}

/** The format under which most cells are numbers; null where no cell is a number. */
export function numeralEvidence(cells: readonly string[]): NumeralEvidence | null {
  if (cells.length > 0 && cells.every((cell) => PLAIN.test(cell.trim()) && Number.isFinite(Number(cell))))
    return { format: { ...STYLES[0]!, unit: '' }, bad: [], alternative: null, otherUnits: [], bounds: 0 };
  const values = STYLES.map((style) => cells.map((cell) => readNumeral(cell, style)));
  const hits = values.map((list) => list.filter((value) => !Number.isNaN(value)).length);
  const most = Math.max(...hits);
  if (most === 0) return null;
  const first = hits.indexOf(most);
  const other = hits.findIndex(
    (count, k) =>
      k > first &&
      count === most &&
      values[k]!.some(
        (value, i) =>
          value !== values[first]![i] && !(Number.isNaN(value) && Number.isNaN(values[first]![i]!)),
      ),
  );
  const units = new Map<string, number>();
  let bounds = 0;
  for (const cell of cells) {
    const parts = numeralParts(cell);
    if (!parts) continue;
    units.set(parts.unit, (units.get(parts.unit) ?? 0) + 1);
    bounds += Number(parts.bound);
  }
  const [unit, ...rest] = [...units].sort((a, b) => b[1] - a[1]).map(([name]) => name);
  return {
    format: { ...STYLES[first]!, unit: unit! },
    bad: cells.flatMap((_, i) => (Number.isNaN(values[first]![i]!) ? [i] : [])),
    alternative: other < 0 ? null : STYLES[other]!,
    otherUnits: rest,
    bounds,
  };
}
