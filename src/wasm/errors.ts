/** Raised when the runtime lacks something the library cannot work without. */
export class UnsupportedError extends Error {
  override readonly name = 'UnsupportedError';
  readonly feature: string;
  constructor(feature: string, remedy = '') {
    super(`${feature} is not available here.${remedy ? ` ${remedy}` : ''}`);
    this.feature = feature;
  }
}

/** What is known about a computation that has no finite answer. */
export interface NumericalDetails {
  readonly condition?: number;
  readonly minEigenvalue?: number;
  readonly jitter?: number;
  readonly step?: number;
}

/** Raised instead of returning NaN: the message says what happened and what helps. */
export class NumericalError extends Error {
  override readonly name = 'NumericalError';
  readonly details: NumericalDetails;
  constructor(message: string, details: NumericalDetails = {}) {
    super(message);
    this.details = details;
  }
}

/** The form in which an error crosses from a worker. */
export interface PlainError {
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  readonly extra?: unknown;
}

export function toPlainError(error: unknown): PlainError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) };
  const extra =
    error instanceof NumericalError
      ? error.details
      : error instanceof UnsupportedError
        ? error.feature
        : undefined;
  return {
    name: error.name,
    message: error.message,
    ...(error.stack ? { stack: error.stack } : {}),
    ...(extra === undefined ? {} : { extra }),
  };
}

export function fromPlainError(plain: PlainError): Error {
  const error = revive(plain);
  if (plain.stack) error.stack = plain.stack;
  return error;
}

function revive({ name, message, extra }: PlainError): Error {
  switch (name) {
    case 'NumericalError':
      return new NumericalError(message, extra as NumericalDetails);
    case 'UnsupportedError': {
      const error = new UnsupportedError(String(extra));
      error.message = message;
      return error;
    }
    case 'RangeError':
      return new RangeError(message);
    case 'TypeError':
      return new TypeError(message);
    default: {
      const error = new Error(message);
      error.name = name;
      return error;
    }
  }
}
