// Dates and times as people write them. A date is read as days since 1970-01-01 (with the time of day as a fraction),
// a time of day as hours.

/** How the dates of one column are written. */
export type DateStyle =
  'year first' | 'day first' | 'month first' | 'month name' | 'month' | 'quarter' | 'time';

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const NAMES = String.raw`(?<name>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?`;
const CLOCK = String.raw`(?<hour>\d{1,2}):(?<minute>\d{2})(?::(?<second>\d{2}(?:[.,]\d+)?))?\s*(?<half>[ap]\.?m\.?)?`;
const TAIL = String.raw`(?:[T,\s]\s*${CLOCK}\s*(?<zone>Z|UTC|[+-]\d{2}:?\d{2})?)?$`;
const pattern = (body: string): RegExp => new RegExp(`^${body}${TAIL}`, 'i');

const PATTERNS: Readonly<Record<Exclude<DateStyle, 'time'>, readonly RegExp[]>> = {
  'year first': [pattern(String.raw`(?<year>\d{4})(?<mark>[-/.])(?<month>\d{1,2})\k<mark>(?<day>\d{1,2})`)],
  'day first': [
    pattern(String.raw`(?<day>\d{1,2})(?<mark>[-/.])(?<month>\d{1,2})\k<mark>(?<year>\d{4}|\d{2})`),
  ],
  'month first': [
    pattern(String.raw`(?<month>\d{1,2})(?<mark>[-/.])(?<day>\d{1,2})\k<mark>(?<year>\d{4}|\d{2})`),
  ],
  'month name': [
    pattern(String.raw`(?<day>\d{1,2})\.?[-\s]${NAMES}[-\s](?<year>\d{4}|\d{2})`),
    pattern(String.raw`${NAMES}\s(?<day>\d{1,2})(?:st|nd|rd|th)?,?\s(?<year>\d{4})`),
    pattern(String.raw`${NAMES}[-\s](?<year>\d{4})`),
  ],
  month: [/^(?<year>\d{4})-(?<month>\d{2})$/],
  quarter: [/^(?<year>\d{4})[-\s]?Q(?<quarter>[1-4])$/i],
};
const TIME = new RegExp(`^${CLOCK}$`, 'i');

/** The styles, the safest first. */
export const DATE_STYLES: readonly DateStyle[] = [
  ...(Object.keys(PATTERNS) as Exclude<DateStyle, 'time'>[]),
  'time',
];

/** Days since 1970 (or, for `time`, hours since midnight) of a cell; NaN where it has not that style or no such day exists. */
export function readDate(cell: string, style: DateStyle): number {
  const text = cell.trim();
  if (style === 'time') return hours(TIME.exec(text)?.groups);
  for (const expression of PATTERNS[style]) {
    const groups = expression.exec(text)?.groups;
    if (groups) return day(groups);
  }
  return NaN;
}

type Groups = Readonly<Record<string, string | undefined>>;

function hours(groups: Groups | undefined): number {
  if (!groups) return NaN;
  const { hour = '', minute = '', second = '0', half } = groups;
  const twelve = half !== undefined;
  let h = Number(hour);
  if (twelve && (h < 1 || h > 12)) return NaN;
  if (twelve) h = (h % 12) + (half.toLowerCase().startsWith('p') ? 12 : 0);
  const [m, s] = [Number(minute), Number(second.replace(',', '.'))];
  return h > 24 || m > 59 || s >= 61 || (h === 24 && (m > 0 || s > 0)) ? NaN : h + m / 60 + s / 3600;
}

function day(groups: Groups): number {
  const { year = '', month, name, quarter, day: dayText = '1', zone } = groups;
  const y = year.length === 2 ? Number(year) + (Number(year) < 70 ? 2000 : 1900) : Number(year);
  const m = name
    ? MONTHS.indexOf(name.slice(0, 3).toLowerCase())
    : quarter
      ? 3 * (Number(quarter) - 1)
      : Number(month) - 1;
  const d = Number(dayText);
  const date = new Date(Date.UTC(2000, m, d));
  date.setUTCFullYear(y, m, d);
  if (date.getUTCMonth() !== m || date.getUTCDate() !== d) return NaN;
  const clock = groups['hour'] === undefined ? 0 : hours(groups);
  return date.getTime() / 86_400_000 + (clock - offset(zone)) / 24;
}

/** Hours by which a zone is ahead of UTC. */
function offset(zone: string | undefined): number {
  const found = /^([+-])(\d{2}):?(\d{2})$/.exec(zone ?? '');
  if (!found) return 0;
  const size = Number(found[2]) + Number(found[3]) / 60;
  return found[1] === '-' ? -size : size;
}

/** What the cells of a column say about its date format. */
export interface DateEvidence {
  readonly style: DateStyle;
  /** Places of cells that are no date in that style. */
  readonly bad: readonly number[];
  /** The day could as well be the month, in every cell. */
  readonly ambiguous: boolean;
}

/** The style in which most cells are dates; null where no cell is one. */
export function dateEvidence(cells: readonly string[]): DateEvidence | null {
  const bad = DATE_STYLES.map((style) =>
    cells.flatMap((cell, i) => (Number.isNaN(readDate(cell, style)) ? [i] : [])),
  );
  const least = Math.min(...bad.map((list) => list.length));
  if (least === cells.length) return null;
  let at = bad.findIndex((list) => list.length === least);
  const month = DATE_STYLES.indexOf('month first');
  const ambiguous = DATE_STYLES[at] === 'day first' && bad[month]!.length === least;
  // 3/4/2024 is written month first where slashes are usual, 3.4.2024 day first.
  if (ambiguous && cells.some((cell) => cell.includes('/'))) at = month;
  return { style: DATE_STYLES[at]!, bad: bad[at]!, ambiguous };
}

/** The parts of a moment that repeat: place in the year and in the day (0 to 1), and the day of the week (0: Monday). */
export function calendar(days: number): { year: number; day: number; weekday: number } {
  const whole = Math.floor(days);
  const date = new Date(whole * 86_400_000);
  const first = new Date(0);
  first.setUTCFullYear(date.getUTCFullYear(), 0, 1);
  const next = new Date(0);
  next.setUTCFullYear(date.getUTCFullYear() + 1, 0, 1);
  const length = (next.getTime() - first.getTime()) / 86_400_000;
  const passed = days - first.getTime() / 86_400_000;
  return { year: passed / length, day: days - whole, weekday: (((whole + 3) % 7) + 7) % 7 };
}

/** A part of a date that repeats. */
export type CalendarPart = 'season' | 'weekday' | 'hour';

/** The parts that say more than the place in time: the season from ten months on, the weekday from two weeks on. */
export function calendarParts(days: readonly number[]): CalendarPart[] {
  const known = days.filter((value) => !Number.isNaN(value));
  const span =
    known.reduce((a, b) => Math.max(a, b), -Infinity) - known.reduce((a, b) => Math.min(a, b), Infinity);
  const weekdays = new Set(known.map((value) => calendar(value).weekday)).size;
  const hours = new Set(known.map((value) => calendar(value).day)).size;
  return [
    ...(span >= 300 ? (['season'] as const) : []),
    ...(span >= 14 && weekdays >= 3 ? (['weekday'] as const) : []),
    ...(hours >= 3 ? (['hour'] as const) : []),
  ];
}
