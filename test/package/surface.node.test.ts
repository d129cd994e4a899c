// The public surface: which names are where, and that the root stays small.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const { exports } = JSON.parse(read('package.json')) as { exports: Record<string, { default: string }> };
const subpaths = Object.keys(exports).filter((path) => path !== './package.json');
const namesOf = async (path: string): Promise<string[]> => {
  const module = (await import(pathToFileURL(join(root, exports[path]!.default)).href)) as object;
  return Object.keys(module).sort();
};

it('is what api.txt says', async () => {
  let text = '';
  for (const path of subpaths)
    text += `infinite-width${path.slice(1)}\n${(await namesOf(path)).map((name) => `  ${name}\n`).join('')}`;
  await expect(text).toMatchFileSnapshot('api.txt');
});

it('has a root of nouns and main verbs, no layer builders and no generic names', async () => {
  const names = await namesOf('.');
  const builders = await namesOf('./layers');
  expect(names.length).toBeLessThanOrEqual(40);
  expect(names.filter((name) => builders.includes(name)).sort()).toEqual(['parseNet', 'toJson']);
});

/** Imports packages of servers, so browsers' tests cannot have it. */
const NODE_ALONE = './cluster';

it('has subpaths in the order of the alphabet, all of which tests see', () => {
  const rooms = subpaths.slice(1);
  expect(subpaths[0]).toBe('.');
  expect(rooms).toEqual([...rooms].sort());
  const barrel = read('src/index.ts');
  for (const path of subpaths.filter((name) => name !== NODE_ALONE))
    expect(barrel).toContain(`'${exports[path]!.default.replace('./build/', './')}'`);
});
