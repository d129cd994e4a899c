// The examples of README and docs as a reader copies them: code runs from top to bottom of its page, commands in one folder.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Command } from 'commander';
import { createEngine, createModel, tensor, writeNpy, type Tensor } from 'infinite-width';
import { LAYERS } from '#build/layers/registry.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const main = join(root, 'build', 'cli', 'main.js');
let folder: string;

interface Block {
  readonly language: string;
  readonly text: string;
}

async function blocksOf(page: string): Promise<Block[]> {
  const text = await readFile(join(root, page), 'utf8');
  return [...text.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(([, language, body]) => ({
    language: language!,
    text: body!,
  }));
}

/** What node prints; an error where it fails. */
const node = (args: readonly string[]): Promise<string> =>
  new Promise((resolve, reject) => {
    execFile(process.execPath, args, { cwd: folder }, (error, stdout, stderr) =>
      error ? reject(new Error(`${args.join(' ')}: ${stderr || error.message}`)) : resolve(stdout),
    );
  });

const waves = (...shape: number[]): Tensor<Float64Array> =>
  tensor(
    Float64Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(1.7 * i * i + 1)),
    shape,
  );

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'iw-docs-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What a page takes from its reader, and sizes that only time is saved by changing. */
interface Page {
  readonly page: string;
  readonly given?: string;
  readonly smaller?: readonly (readonly [string, string])[];
}
const array = (name: string, n: number, ...shape: number[]): string =>
  `globalThis.${name} = tensor(Float64Array.from({ length: ${[n, ...shape].reduce((a, b) => a * b)} }, (_, i) => Math.sin(i * i)), [${[n, ...shape]}]);`;
const pages: readonly Page[] = [
  { page: 'README.md' },
  { page: 'docs/kernels.md' },
  {
    page: 'docs/convolutional-kernels.md',
    given: `globalThis.engine = await createEngine(); ${array('images', 3, 6, 6, 3)}`,
  },
  {
    page: 'docs/finite-nets.md',
    given: `${array('x', 20, 64)} ${array('x2', 6, 64)} ${array('y2', 6, 10)}
      globalThis.y = tensor(Float64Array.from({ length: 200 }, (_, i) => Number(i % 11 === 0)), [20, 10]);`,
  },
  {
    page: 'docs/predictions.md',
    given: `${array('xTrain', 12, 4)} ${array('yTrain', 12, 1)} ${array('xTest', 5, 4)}
      globalThis.csvText = 'rooms,price\\n1,2\\n2,3\\n3,5\\n4,6\\n5,8\\n6,9\\n';
      globalThis.rows = parseTable('rooms\\n2.5\\n7\\n');
      globalThis.localStorage = { setItem: (_, text) => loadModel(globalThis.engine ?? { workers: 0 }, text) };`,
  },
  {
    page: 'docs/scaling.md',
    smaller: [
      ['widths: [1024], seeds: 3, epochs: 100', 'widths: [256], seeds: 2, epochs: 5'],
      ['data, epochs: 100', 'data, particles: 256, epochs: 5'],
      ["qTilde: '1/2' } }", "qTilde: '1/2' }, widths: [64, 128, 256] }"],
    ],
  },
  { page: 'docs/bench.md', smaller: [['9000', '700']] },
  { page: 'docs/beyond-the-limit.md' },
];

/** The files behind the package's root and its subpaths. */
const EXPORTS = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).exports as Record<
  string,
  { readonly default: string }
>;
const PUBLIC = Object.values(EXPORTS).flatMap((entry) => entry.default ?? []);

/** Blocks inside one another, so that names of earlier ones hold and may be used again; library names need no import. */
function program(blocks: readonly Block[], { given = '', smaller = [] }: Page): string {
  const modules = PUBLIC.map((path) => `await import(${JSON.stringify(pathToFileURL(join(root, path)))})`);
  let code = blocks
    .map(({ text }) => text.replace(/^import .*?from 'infinite-width[^']*'.*?$/gms, ''))
    .join('\n{\n');
  for (const [large, small] of smaller) {
    expect(code).toContain(large);
    code = code.replaceAll(large, small);
  }
  return `Object.assign(globalThis, ${modules.join(', ')});
    ${given}
    await (async () => {{ ${code} ${'}'.repeat(blocks.length)}})();
    process.exit();`;
}

describe('code', () => {
  it.each(pages)('of $page runs', async (page) => {
    const blocks = (await blocksOf(page.page)).filter(({ language }) => /^[jt]s$/.test(language));
    expect(blocks.length).toBeGreaterThan(0);
    const file = join(folder, 'page.mjs');
    await writeFile(file, program(blocks, page));
    const printed = await node([file]);
    const promised = page.page === 'README.md' ? '776 of 797 right; first test image: 1 ± 0.037\n' : null;
    if (promised) expect(printed).toBe(promised);
  });

  it('imports what there is', async () => {
    for (const { page } of pages)
      for (const { text } of await blocksOf(page))
        for (const [, names, path] of text.matchAll(/^import \{([^}]*)\} from 'infinite-width([^']*)'/gm)) {
          const file = EXPORTS[`.${path!}`]?.default;
          expect(file, `${page} imports infinite-width${path!}`).toBeTruthy();
          const module = (await import(/* @vite-ignore */ pathToFileURL(join(root, file!)).href)) as object;
          for (const name of names!.split(',').map((part) => part.trim()))
            if (name) expect(Object.keys(module), `${page} imports ${name} from ${path!}`).toContain(name);
        }
  });
});

describe('commands', () => {
  /** Minutes, servers, and what other tests run. */
  const LONG =
    /infinite-width (demo|lab|bench|experiment 2|train --preset|dynamics phases|scaling (transfer|limit)|.*(--queue|k\.zarr))/;

  it('of docs/cli.md run in the order of the page', async () => {
    const blocks = await blocksOf('docs/cli.md');
    const documents = blocks.filter(({ language }) => language === 'json').map(({ text }) => text);
    const [net, run] = documents;
    await writeFile(join(folder, 'net.json'), net!);
    await writeFile(join(folder, 'run.json'), run!);
    await writeFile(join(folder, 'small.json'), net!.replace('512', '16').replace('relu', 'tanh'));
    await writeFile(join(folder, 'a.npy'), writeNpy(waves(6, 4)));
    await writeFile(join(folder, 'x.npy'), writeNpy(waves(6, 3)));
    await writeFile(join(folder, 'y.npy'), writeNpy(waves(6, 1)));
    await writeFile(
      join(folder, 'new.csv'),
      'sepal_length,sepal_width,petal_length,petal_width\n5,3,1.5,0.2\n',
    );
    await copyFile(join(root, 'test', 'predict', 'data', 'iris.csv'), join(folder, 'iris.csv'));
    const lines = blocks
      .flatMap(({ text }) => text.split('\n'))
      .filter((line) => line.startsWith('infinite-width'));
    const short = lines.filter((line) => !LONG.test(line));
    expect(short.length).toBeGreaterThan(20);
    const printed: string[] = [];
    for (const line of short)
      printed.push(await node([main, ...line.split(' ').slice(1), '--quiet', '--workers', '0']));
    const promised = blocks.find(({ text }) => text.startsWith('on rows it did not see'))!.text;
    expect(printed.some((text) => text.startsWith(promised))).toBe(true);
    expect(printed.find((text) => text.includes('catapult\t'))).toMatch(
      /^2\.1\s+catapult\s+max loss 1\.105 at step 7\s+lambda 0\.8826$/m,
    );
  });

  it('and their options are those of the program, long ones too', async () => {
    const program = new Command();
    for (const name of VERBS) {
      const module = (await import(
        /* @vite-ignore */ pathToFileURL(join(root, 'build', 'cli', 'verbs', `${name}.js`)).href
      )) as Record<string, unknown>;
      const register = module[`register${name[0]!.toUpperCase()}${name.slice(1)}`];
      (register as (program: Command) => void)(program);
    }
    let seen = 0;
    for (const page of [
      'README.md',
      ...pages.map(({ page }) => page),
      'docs/cli.md',
      'docs/hosting.md',
      'docs/lecture.md',
      'docs/studies.md',
    ]) {
      const text = await readFile(join(root, page), 'utf8');
      for (const [line] of text.matchAll(/infinite-width [a-z]+( [a-z-]+)?( --?[a-z][^\n`|]*)/g)) {
        const words = line.split(/\s+/).slice(1);
        const verb = words.slice(
          0,
          words.findIndex((word) => word.startsWith('-')),
        );
        const known = optionsOf(program, verb);
        for (const [option] of line.matchAll(/--[a-z][a-z0-9-]*/g)) expect(known, line).toContain(option);
        seen++;
      }
    }
    expect(seen).toBeGreaterThan(30);
  });
});

const VERBS =
  'demo kernel predict scaling empirical dynamics experiment bench lab kernels plan solve status submit work'.split(
    ' ',
  );

/** Long options of the command that `words` name; `train` is an experiment by another name. */
function optionsOf(program: Command, words: readonly string[]): string[] {
  let command = program;
  for (const word of words) command = command.commands.find((item) => item.name() === word) ?? command;
  expect(command, words.join(' ')).not.toBe(program);
  return command.options.map(({ long }) => long!);
}

describe('docs/nets.md', () => {
  /** Rows of the tables as cells. */
  const rowsOf = async (): Promise<string[][]> =>
    (await readFile(join(root, 'docs', 'nets.md'), 'utf8'))
      .split('\n')
      .filter((line) => line.startsWith('| `'))
      .map((line) => line.split('|').slice(1, 4));
  const quoted = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name!);

  it('names every layer, field and default', async () => {
    const text = await readFile(join(root, 'docs', 'nets.md'), 'utf8');
    const weights = /^Weights are the fields (.*)\.$/m.exec(text)![1]!;
    const found: Record<string, Record<string, unknown>> = {};
    for (const [names, fields] of await rowsOf())
      for (const name of quoted(names!)) {
        found[name] = {};
        for (const [, field, value] of fields!
          .replace('weights', weights)
          .matchAll(/`(\w+)`(?: \(([^)]*)\))?/g))
          found[name][field!] = value;
      }
    const want = Object.entries(LAYERS).map(([name, { fields }]) => [
      name,
      Object.fromEntries(
        Object.entries(fields).map(([field, { fallback }]) => {
          const value = JSON.stringify(fallback?.({ filter: [3], window: [3] }))?.replaceAll(',', ', ');
          return [field, value === '[1]' && field === 'strides' ? 'ones' : value];
        }),
      ),
    ]);
    expect(found).toEqual(Object.fromEntries(want));
  });

  it('says what every activation is', async () => {
    await using engine = await createEngine({ variant: 'simd', workers: 0 });
    const x = tensor(Float64Array.of(-7.3, -3, -1.7, -0.4, 0, 0.2, 0.9, 1, 2.5, 6.4), [10, 1]);
    const given = {
      alpha: 0.3,
      a: 1.3,
      b: -0.7,
      c: 0.4,
      gamma: 0.6,
      degree: 3,
      coefficients: [0.5, -1, 0.25],
    };
    const helpers = {
      ...{ erf, He: hermite, factorial: (n: number): number => (n > 1 ? n * helpers.factorial(n - 1) : 1) },
      sum: (list: readonly number[], term: (a: number, i: number) => number): number =>
        list.reduce((total, a, i) => total + term(a, i), 0),
    };
    const checked = [];
    for (const [names, fields, meaning] of await rowsOf()) {
      const formulas = quoted(meaning!).filter((text) => /\bx\b/.test(text));
      const [name] = quoted(names!);
      if (formulas.length === 0) continue;
      for (const [i, formula] of formulas.entries()) {
        const values = Object.fromEntries(
          quoted(fields!).map((field) => [field, given[field as 'a'] ?? i === 1]),
        );
        const phi = new Function(
          'Math',
          'helpers',
          'values',
          'x',
          `with (Math) with (helpers) with (values) return ${formula};`,
        );
        using model = createModel(engine, [{ layer: name!, ...values }], { inputShape: [1] });
        const got = model.forward(x).data;
        x.data.forEach((value, j) => {
          const want = phi(Math, helpers, values, value) as number;
          expect(Math.abs(got[j]! - want), `${name} at ${value}: ${got[j]}, not ${want}`).toBeLessThan(
            1e-12 * Math.max(1, Math.abs(want)),
          );
        });
      }
      checked.push(name);
    }
    expect(checked.length).toBe(30);
  });
});

/** The probabilists' Hermite polynomial. */
const hermite = (n: number, x: number): number =>
  n < 2 ? x ** n : x * hermite(n - 1, x) - (n - 1) * hermite(n - 2, x);

/** 2 / sqrt(pi) times the integral of e^(-t^2), by its series of positive terms. */
function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let [term, total] = [x, x];
  for (let n = 1; n < 200; n++) total += term *= (2 * x * x) / (2 * n + 1);
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * total;
}
