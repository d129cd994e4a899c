// Node, Deno and Bun give their built-in modules at run time, so that no bundler meets a `node:` import and the same files
// serve every place: bundles for either side, import maps, server frameworks.

interface Builtins {
  'node:os': typeof import('node:os');
  'node:worker_threads': typeof import('node:worker_threads');
}

/** A built-in module of Node; null in browsers. */
export function builtin<N extends keyof Builtins>(name: N): Builtins[N] | null {
  const { process } = globalThis as { process?: NodeJS.Process };
  if (!process?.versions?.node) return null;
  return (process.getBuiltinModule?.(name) as Builtins[N] | undefined) ?? null;
}
