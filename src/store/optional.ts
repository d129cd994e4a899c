// Packages that only some users need: they are asked for by a name that bundlers do not follow.
import { StoreError } from './errors.js';

/** The package, or a StoreError of `who` that says how to get it. */
export async function optionalPackage<T>(name: string, who: 'queue' | 'store'): Promise<T> {
  try {
    return (await import(/* @vite-ignore */ /* webpackIgnore: true */ name)) as T;
  } catch (error) {
    throw new StoreError(
      `${who}: the package ${name} is needed and cannot be loaded (${(error as Error).message.split('\n', 1)[0]}). Run npm install ${name}.`,
    );
  }
}
