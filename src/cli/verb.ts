// What every verb shares: common options, the engine, progress, Ctrl-C, output and errors.
import { setMaxListeners } from 'node:events';
import { InvalidArgumentError, type Command } from 'commander';
import { jsonText } from '../report/result.js';
import { createEngine, NumericalError, type Engine, type Variant } from '../wasm/engine.js';
import type { ClusterOptions } from './cluster.js';
import { messageOf, printable } from './errors.js';
import { createProgress, silent, type Progress } from './progress.js';

export interface CommonOptions {
  readonly json?: boolean;
  readonly debug?: boolean;
  readonly quiet?: boolean;
  readonly workers: number | 'auto';
  readonly variant: Variant | 'auto';
  /** GiB. */
  readonly memory: number;
}

export interface Context {
  readonly signal: AbortSignal;
  readonly progress: Progress;
  readonly options: CommonOptions;
  /** `--memory` in bytes. */
  readonly memoryBytes: number;
  /**
   * The engine the options ask for, made on first use and disposed when the verb ends. 'here': with workers of this process,
   * whatever the queue.
   */
  engine(where?: 'here'): Promise<Engine>;
  /** What Ctrl-C says is kept, e.g. 'the finished rows in out/rows.jsonl'. */
  keeps(what: string): void;
  /** Runs when the verb ends, however it does, the last one first. */
  atEnd(work: () => Promise<void>): void;
}

/** What a verb has to say: `json` is printed with `--json`, `text` without. */
export interface Outcome {
  readonly json: unknown;
  readonly text?: string;
  /** Why the numbers are only part of what was asked for; they are printed, then the verb fails with this. */
  readonly failure?: string;
}

/** Adds a verb with the options all verbs share; `examples` close its `--help`. */
export function verb(
  program: Command,
  name: string,
  description: string,
  examples: readonly string[] = [],
): Command {
  const command = program.command(name).description(description);
  command
    .option('--workers <count>', "worker threads; 'auto': one per core", workers, 'auto')
    .option('--variant <name>', 'kernels: simd (equal bits everywhere), relaxed or auto', variant, 'simd')
    .option('--memory <GiB>', 'what one operation may hold', realNumber(2 ** -10, 2 ** 10), 1)
    .option('--json', 'print one JSON document on stdout')
    .option('--quiet', 'no progress on stderr')
    .option('--debug', 'show stack traces');
  if (examples.length > 0) {
    command.addHelpText('after', `\nExamples:\n${examples.map((line) => `  ${line}`).join('\n')}`);
  }
  return command;
}

/**
 * Wraps a verb's body for `.action(...)`: gives it a context, prints its outcome, stops it on Ctrl-C.
 * Positional arguments come first in `body`'s second parameter.
 */
export function perform<O extends object>(
  body: (options: O & CommonOptions, context: Context, args: readonly string[]) => Promise<Outcome | void>,
): (...actionArgs: unknown[]) => Promise<void> {
  return async (...actionArgs) => {
    const command = actionArgs.at(-1) as Command;
    const options = command.optsWithGlobals() as O & CommonOptions;
    const stop = new AbortController();
    setMaxListeners(0, stop.signal); // every waiting job listens for the stop
    let kept = 'nothing';
    let engine = null as Promise<Engine> | null;
    const memoryBytes = Math.round(options.memory * 2 ** 30);
    const endings: (() => Promise<void>)[] = [];
    const progress = options.quiet ? silent : createProgress(process.stderr);
    const onSignal = (signal: NodeJS.Signals): void => {
      if (stop.signal.aborted) process.exit(1); // the second time: at once
      stop.abort(new Error(`stopped by ${signal === 'SIGINT' ? 'Ctrl-C' : signal}; kept: ${kept}`));
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
    try {
      const outcome = await body(
        options,
        {
          signal: stop.signal,
          progress,
          options,
          memoryBytes,
          engine: (where) => (engine ??= makeEngine(options, memoryBytes, where)),
          keeps: (what) => void (kept = what),
          atEnd: (work) => void endings.unshift(work),
        },
        command.args,
      );
      if (outcome) print(outcome, options.json === true);
      if (outcome?.failure !== undefined) throw new NumericalError(outcome.failure);
    } catch (error) {
      // Whatever broke because of the stop is reported as the stop.
      throw stop.signal.aborted ? stop.signal.reason : error;
    } finally {
      for (const end of endings) await end().catch((error: Error) => progress.log(messageOf(error)));
      (await engine?.catch(() => null))?.dispose();
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    }
  };
}

/** On this machine, or on the workers of a queue where the verb allows it. */
async function makeEngine(
  options: CommonOptions & ClusterOptions,
  memoryBytes: number,
  where?: 'here',
): Promise<Engine> {
  const { workers, variant } = options;
  const isFar = options.queue !== undefined || options.store !== undefined || options.priority !== undefined;
  const pool =
    isFar && where !== 'here' ? await (await import('./cluster.js')).poolOf(options, variant) : null;
  return createEngine({ workers, variant, memoryBytes, ...(pool ? { pool } : {}) });
}

function print(outcome: Outcome, json: boolean): void {
  const text = json ? jsonText(outcome.json, 2).trimEnd() : printable(outcome.text ?? '');
  if (text) process.stdout.write(`${text}\n`);
}

function workers(text: string): number | 'auto' {
  if (text === 'auto') return text;
  return wholeNumber(0, 256)(text);
}

function variant(text: string): Variant | 'auto' {
  return oneOf('simd', 'relaxed', 'auto')(text);
}

/** Parsers for commander options: the error names the rule and the value. */
export function wholeNumber(min = 0, max: number = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = /^[+-]?\d+$/.test(text.trim()) ? Number(text) : NaN;
    if (!(value >= min && value <= max)) {
      const upper = max === Number.MAX_SAFE_INTEGER ? '' : ` and <= ${max}`;
      throw new InvalidArgumentError(`Expected a whole number >= ${min}${upper}.`);
    }
    return value;
  };
}

/** A decimal number, `inf`, or a fraction such as `-1/2`. */
export function realNumber(min: number = -Infinity, max: number = Infinity): (text: string) => number {
  return (text) => {
    const value = parseNumber(text);
    if (Number.isNaN(value) || value < min || value > max) {
      const range =
        min === -Infinity && max === Infinity
          ? ''
          : max === Infinity
            ? ` >= ${min}`
            : ` from ${min} to ${max}`;
      throw new InvalidArgumentError(`Expected a number${range}.`);
    }
    return value;
  };
}

export function oneOf<T extends string>(...choices: readonly T[]): (text: string) => T {
  return (text) => {
    const found = choices.find((choice) => choice === text);
    if (found === undefined) throw new InvalidArgumentError(`Expected one of ${choices.join(', ')}.`);
    return found;
  };
}

/** A comma-separated list, each entry read by `item`. */
export function listOf<T>(item: (text: string) => T): (text: string) => T[] {
  return (text) => text.split(',').map((part) => item(part.trim()));
}

function parseNumber(text: string): number {
  const trimmed = text.trim();
  if (/^[+]?(inf|infinity)$/i.test(trimmed)) return Infinity;
  const [, over, under] = /^([+-]?[\d.]+)\/([\d.]+)$/.exec(trimmed) ?? [];
  if (over !== undefined && under !== undefined) return Number(over) / Number(under);
  return trimmed === '' ? NaN : Number(trimmed);
}
