// What goes wrong with a store, in one line that names it.

/** A store that cannot be read or written, or holds what it should not. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
}

/** A value whose checksum is not that of its bytes, or that has another form than it should. */
export class DamagedError extends StoreError {
  readonly key: string;
  constructor(store: string, key: string, why: string) {
    super(
      `store: ${store}${key} is damaged (${why}). 'infinite-width verify --repair' deletes it, a resumed run makes it again.`,
    );
    this.key = key;
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'no space left; free some and resume',
  EDQUOT: 'the quota is used up; free some and resume',
  EROFS: 'the file system is read-only',
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  ENOENT: 'the folder is not there any more',
  ENOTDIR: 'a part of the path is not a folder',
  EIO: 'the disk failed to read or write',
  ECONNREFUSED: 'nobody answers at this address',
};

export function messageOfStore(name: string, what: string, error: unknown): string {
  const { code, cause, message } = error as NodeJS.ErrnoException & { cause?: { code?: string } };
  const reason = REASONS[String(code ?? cause?.code)] ?? message;
  return `store: ${what} in ${name} failed: ${reason}.`;
}
