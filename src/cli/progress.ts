// Progress on stderr: one redrawn line on a terminal, a few plain lines anywhere else.

const WIDTH = 24;
const REDRAW_MS = 80;
const PLAIN_MS = 5000;

export interface Progress {
  /** Starts (or renames) the running step; `total` in units of `update`. */
  start(label: string, total: number): void;
  /** Units done so far, and a short note on what is running now. */
  update(done: number, note?: string): void;
  /** Ends the running step. */
  finish(note?: string): void;
  /** A line of its own, above the bar. */
  log(line: string): void;
}

interface Sink {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** `12 s`, `3 min 20 s`, `2 h 05 min`. */
export function duration(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
  return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, '0')} min`;
}

export function createProgress(sink: Sink, now: () => number = (): number => performance.now()): Progress {
  const live = sink.isTTY === true;
  let step: { label: string; total: number; begun: number; done: number; note: string } | null = null;
  let shown = 0;
  const clear = (): void => void (live && sink.write('\r\x1b[2K'));

  const timeLeft = (): string => {
    const { done, total, begun } = step!;
    const spent = (now() - begun) / 1000;
    return done > 0 && spent > 1 ? `${duration((spent / done) * (total - done))} left` : '';
  };
  const draw = (): void => {
    const { label, done, total, note } = step!;
    const part = total > 0 ? Math.min(1, done / total) : 0;
    const filled = Math.round(part * WIDTH);
    const bar = live ? `${'█'.repeat(filled)}${'░'.repeat(WIDTH - filled)} ` : '';
    const words = [`${bar}${String(Math.floor(part * 100)).padStart(3)}%`, label, note, timeLeft()];
    const line = words.filter(Boolean).join('  ');
    if (live) sink.write(`\r\x1b[2K${line.slice(0, (sink.columns ?? 100) - 1)}`);
    else sink.write(`${line}\n`);
    shown = now();
  };

  return {
    start(label, total) {
      if (step) this.finish();
      step = { label, total, begun: now(), done: 0, note: '' };
      shown = now();
      if (live) draw();
    },
    update(done, note = '') {
      if (!step) return;
      step.done = done;
      step.note = note;
      if (now() - shown >= (live ? REDRAW_MS : PLAIN_MS)) draw();
    },
    finish(note = '') {
      if (!step) return;
      clear();
      const spent = duration((now() - step.begun) / 1000);
      sink.write(`${[`done  ${step.label}`, note, spent].filter(Boolean).join('  ')}\n`);
      step = null;
    },
    log(line) {
      clear();
      sink.write(`${line}\n`);
      if (live && step) draw();
    },
  };
}

/** Says nothing: for `--quiet`. */
export const silent: Progress = { start() {}, update() {}, finish() {}, log() {} };
