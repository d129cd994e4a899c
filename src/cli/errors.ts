import { CommanderError } from 'commander';
import { StoreError } from '../store/errors.js';
import { NumericalError, UnsupportedError } from '../wasm/engine.js';

export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;

/** Wrong usage or input: exit code 2. The message names the rule, the value and the remedy. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const FILE_ERRORS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or folder',
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  EROFS: 'the file system is read-only',
  EISDIR: 'this is a folder, a file was expected',
  ENOTDIR: 'a part of the path is not a folder',
  EEXIST: 'exists already and is not a folder',
  ENOSPC: 'no space left on the device',
  ENAMETOOLONG: 'the name is too long',
};

/** One line for people. */
export function messageOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && 'path' in error) {
    const reason = FILE_ERRORS[String(error.code)];
    if (reason) return `${String(error.path)}: ${reason}`;
  }
  const message = error instanceof Error ? error.message || error.name : String(error);
  // What was given may hold anything; a terminal must not obey it.
  return printable(message.split('\n', 1)[0]!).replaceAll('\t', '\\u0009');
}

/** Text whose control characters are spelt out; line ends and tabs stay. */
export function printable(text: string): string {
  return text.replace(/[^\P{Cc}\n\t]/gu, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** 2 when the caller can repair it by giving other arguments or files, 1 for everything else. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
  if (error instanceof UsageError || error instanceof StoreError) return EXIT_USAGE;
  if (error instanceof NumericalError || error instanceof UnsupportedError) return EXIT_FAILED;
  if (isBadInput(error)) return EXIT_USAGE;
  return error instanceof Error && 'code' in error && String(error.code) in FILE_ERRORS
    ? EXIT_USAGE
    : EXIT_FAILED;
}

// Our argument checks read 'function: rule'; what the JS engine throws about a bug of ours does not.
function isBadInput(error: unknown): boolean {
  const ours = error instanceof RangeError || error instanceof TypeError || error instanceof SyntaxError;
  return ours && /^[^\n]{1,200}?: /.test(error.message);
}
