// The packed package, installed into a scratch project and used there as people use it.
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build as esbuild } from 'esbuild';
import { chromium, type Browser } from 'playwright';
import { build as vite } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { JOURNEY } from './journey.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
let scratch: string;
let expected: string;
let packed: { size: number; files: { path: string }[] };

function run(command: string, args: readonly string[], cwd = scratch): string {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} exited with ${status}: ${stderr}`);
  return stdout.trim();
}

beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'iw-package-'));
  run(process.execPath, [join('.ci', 'build.mjs')], root); // does nothing when all is fresh
  // One pack for all tests, by the steps of prepack but of a copy: packing swaps the files of build/, which other tests read.
  const copy = join(scratch, 'copy');
  mkdirSync(copy);
  for (const path of ['package.json', 'README.md', 'LICENSE', 'build', join('.ci', 'pack.mjs')])
    cpSync(join(root, path), join(copy, path), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'), 'junction');
  run(process.execPath, [join('.ci', 'pack.mjs'), 'shrink'], copy);
  [packed] = JSON.parse(
    run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', scratch], copy),
  );
  rmSync(copy, { recursive: true });
  const { name, version, dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  // The dependencies come from this checkout: no network, and exactly the pinned versions.
  const local = (dependency: string) => `file:${join(root, 'node_modules', dependency)}`;
  writeFileSync(
    join(scratch, 'package.json'),
    JSON.stringify({
      private: true,
      type: 'module',
      dependencies: { [name]: `file:${name}-${version}.tgz` },
      overrides: Object.fromEntries(Object.keys(dependencies).map((item) => [item, local(item)])),
    }),
  );
  run('npm', ['install', '--offline', '--omit=optional', '--no-audit', '--no-fund', '--ignore-scripts']);
  writeFileSync(join(scratch, 'journey.js'), JOURNEY);
  writeFileSync(join(scratch, 'node.js'), print('Number(process.argv[2])'));
  expected = run(process.execPath, ['node.js', '0']);
}, 120_000);
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const print = (workers: string): string =>
  `import { journey } from './journey.js';\nconsole.log(await journey(${workers}));\n`;
const page = (script: string): string =>
  `<!doctype html><title>running</title><script type="module" src="${script}"></script>`;
const browserMain = (workers: number): string =>
  `import { journey } from './journey.js';
journey(${workers}).then((text) => (document.title = text), (error) => (document.title = 'failed: ' + error.message));`;

// A third more than the same modules with all names cut: stack traces name functions, and workers run from one script anywhere.
it('takes at most 750 KB and holds the build, the README and the licence only', () => {
  const paths = packed.files.map(({ path }) => path);
  const shipped = /^build\/|^(package\.json|README\.md|LICENSE)$/;
  expect(paths.filter((path) => !shipped.test(path) || /\/\./.test(path))).toEqual([]);
  expect(paths).toContain('build/data/digits.binary.js');
  expect(packed.size).toBeLessThanOrEqual(750_000);
});

describe('plain Node', () => {
  it('runs without the optional packages, with and without workers', () => {
    expect(existsSync(join(scratch, 'node_modules', 'vega'))).toBe(false);
    expect(Object.keys(JSON.parse(expected)).length).toBeGreaterThan(3);
    expect(run(process.execPath, ['node.js', '2'])).toBe(expected);
  });

  it('has a command line', () => {
    const bin = join('node_modules', '.bin', 'infinite-width');
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    expect(run(bin, ['--version'])).toBe(version);
    expect(run(bin, ['--help'])).toContain('Examples:');
  });

  it('writes the kernels as a file, which an engine runs on', () => {
    run(join('node_modules', '.bin', 'infinite-width'), ['kernels', '--out', 'simd.wasm']);
    const script = `import { readFileSync } from 'node:fs';
import { createEngine, tensor } from 'infinite-width';
import { matmul } from 'infinite-width/linalg';
const engine = await createEngine({ wasm: new WebAssembly.Module(readFileSync('simd.wasm')) });
const { data } = await matmul(engine, tensor([[1, 2], [3, 4]]), tensor([[1, 0], [2, 1]]));
console.log(engine.variant, ...data);`;
    writeFileSync(join(scratch, 'raw.js'), script);
    expect(run(process.execPath, ['raw.js'])).toBe('simd 5 2 11 4');
  });
});

describe('types', () => {
  const user = (text: string): string => {
    writeFileSync(join(scratch, 'user.ts'), text);
    const options = [
      '--strict',
      '--exactOptionalPropertyTypes',
      '--module',
      'nodenext',
      '--target',
      'es2023',
    ];
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    const lib = 'es2023,dom,dom.iterable,esnext.disposable';
    const args = [tsc, '--ignoreConfig', '--noEmit', '--lib', lib, ...options, 'user.ts'];
    const { status, stdout } = spawnSync(process.execPath, args, { cwd: scratch, encoding: 'utf8' });
    return status === 0 ? '' : stdout;
  };
  const call = (
    option: string,
  ): string => `import { createEngine, kernel, type Tensor } from 'infinite-width';
import { dense, relu, serial } from 'infinite-width/layers';
const engine = await createEngine();
const { ntk } = await kernel(engine, serial(dense(8), relu(), dense(1)), [[1, 2]], null, { ${option} });
export const result: Tensor = ntk;
`;

  it('hold in a strict project, library files checked too', () => {
    expect(user(call("dtype: 'f32'"))).toBe('');
  });

  it('refuse what the documents do not know', () => {
    expect(user(call("dtype: 'f16'"))).toMatch(/TS2322.*"f16"/);
  });
});

describe('bundles', () => {
  let browser: Browser;
  beforeAll(async () => {
    const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
    browser = await chromium.launch({
      ...(existsSync(executablePath) ? { executablePath } : {}),
      args: ['--no-sandbox'],
    });
  });
  afterAll(() => browser.close());

  /** The title a page ends with, served from `folder`. */
  async function titleOf(folder: string): Promise<string> {
    const server = await serve(folder);
    const tab = await browser.newPage();
    try {
      await tab.goto(`http://127.0.0.1:${(server.address() as { port: number }).port}/`);
      await tab.waitForFunction(() => document.title !== 'running', undefined, { timeout: 60_000 });
      return await tab.title();
    } finally {
      await tab.close();
      server.close();
    }
  }

  it('a bundle holds what is used of a room', async () => {
    /** Bytes of what a page loads at its start: kernels, worker and data are files of their own, fetched when wanted. */
    const size = async (text: string): Promise<number> => {
      writeFileSync(join(scratch, 'part.js'), text);
      const { metafile } = await esbuild({
        entryPoints: [join(scratch, 'part.js')],
        outdir: join(scratch, 'parts'),
        bundle: true,
        splitting: true,
        minify: true,
        metafile: true,
        platform: 'browser',
        format: 'esm',
        write: false,
        logLevel: 'error',
      });
      const { outputs } = metafile!;
      const first = Object.keys(outputs).find((path) => outputs[path]!.entryPoint?.endsWith('part.js'))!;
      const loaded = new Set<string>();
      const visit = (path: string): void => {
        if (loaded.has(path)) return;
        loaded.add(path);
        for (const { path: next, kind } of outputs[path]!.imports)
          if (kind === 'import-statement') visit(next);
      };
      visit(first);
      return [...loaded].reduce((sum, path) => sum + outputs[path]!.bytes, 0);
    };
    const one = await size("import { classify } from 'infinite-width';\nconsole.log(classify('0', '0'));\n");
    const factor = await size(
      "import { cholesky, createEngine } from 'infinite-width/linalg';\nconsole.log(await cholesky(await createEngine(), [[4]]));\n",
    );
    const layers = await size("import { dense } from 'infinite-width/layers';\nconsole.log(dense(1));\n");
    const all = await size("import * as all from 'infinite-width';\nconsole.log(all);\n");
    expect(one).toBeLessThan(30_000); // `classify` knows nets of any depth, optimisers and the rules of both
    expect(factor).toBeLessThan(50_000);
    expect(layers).toBeLessThan(125_000); // a builder checks its fields by the registry, which holds every layer whole
    expect(all).toBeGreaterThan(250_000);
  });

  it('esbuild for Node: one file', async () => {
    writeFileSync(join(scratch, 'bundle-main.js'), print('0'));
    await esbuild({
      entryPoints: [join(scratch, 'bundle-main.js')],
      outfile: join(scratch, 'bundled', 'node.mjs'),
      bundle: true,
      platform: 'node',
      format: 'esm',
      logLevel: 'error',
    });
    expect(run(process.execPath, ['bundled/node.mjs'])).toBe(expected);
  });

  it('esbuild for browsers: one file, no Node modules in it', async () => {
    const folder = join(scratch, 'bundled', 'web');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(scratch, 'web-main.js'), browserMain(0));
    writeFileSync(join(folder, 'index.html'), page('./main.js'));
    const result = await esbuild({
      entryPoints: [join(scratch, 'web-main.js')],
      outfile: join(folder, 'main.js'),
      bundle: true,
      platform: 'browser',
      format: 'esm',
      logLevel: 'error',
    });
    expect(result.warnings).toEqual([]);
    expect(readFileSync(join(folder, 'main.js'), 'utf8')).not.toMatch(/from ?"node:/);
    expect(await titleOf(folder)).toBe(expected);
  });

  it('esbuild for browsers: one file, with workers from inside it', async () => {
    const folder = join(scratch, 'bundled', 'web-workers');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(scratch, 'web-main.js'), browserMain(2));
    writeFileSync(join(folder, 'index.html'), page('./main.js'));
    const outfile = join(folder, 'main.js');
    const options = { bundle: true, platform: 'browser', format: 'esm', logLevel: 'error' } as const;
    await esbuild({ ...options, entryPoints: [join(scratch, 'web-main.js')], outfile });
    expect(await titleOf(folder)).toBe(expected);
  });

  it.each([0, 2])('a Vite build, %i workers', async (workers) => {
    const folder = join(scratch, `vite-${workers}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'journey.js'), JOURNEY);
    writeFileSync(join(folder, 'main.js'), browserMain(workers));
    writeFileSync(join(folder, 'index.html'), page('./main.js'));
    await vite({ root: folder, base: './/', logLevel: 'error', configFile: false });
    expect(await titleOf(join(folder, 'dist'))).toBe(expected);
  });
});

const TYPES: Readonly<Record<string, string>> = { '.html': 'text/html', '.js': 'text/javascript' };

function serve(folder: string): Promise<Server> {
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    const file = join(folder, path === '/' ? 'index.html' : path);
    if (!existsSync(file)) return void response.writeHead(404).end();
    response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream' });
    response.end(readFileSync(file));
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}
