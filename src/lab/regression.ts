import type { Engine } from '../index.js';
export function startRegression(
  _section: HTMLElement,
  _engine: Engine,
  _failed: (error: unknown) => void,
): void {}
