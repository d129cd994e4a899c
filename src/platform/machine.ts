import { builtin } from './builtin.js';

/** Cores this process or page may use. */
export function cores(): number {
  return builtin('node:os')?.availableParallelism?.() ?? globalThis.navigator?.hardwareConcurrency ?? 1;
}

/**
 * Bytes of memory of this machine, or of the part of it this process may use. Pages are not told what the machine has:
 * there it is 64 GiB, more than any gets.
 */
export function machineMemory(): number {
  const system = builtin('node:os');
  return system ? Math.min(system.totalmem(), process.constrainedMemory?.() || Infinity) : 2 ** 36;
}
