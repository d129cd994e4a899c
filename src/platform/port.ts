/** The two ends of a worker, the same in Node and in browsers. */
export interface Port {
  post(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  onMessage(handler: (message: unknown) => void): void;
  /** The worker has failed or ended, by itself or from outside; a message that cannot be read counts as a failure. */
  onError(handler: (error: Error) => void): void;
  /** Whether this worker alone may keep a Node process alive (no effect in browsers). A new one may not. */
  hold(alive: boolean): void;
  close(): void;
}
