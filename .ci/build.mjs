// Builds build/ from assembly/ and src/. Each step runs only when its inputs are newer than its outputs.
//   node .ci/build.mjs [--fast] [--force]     --fast: the simd kernels only (development)
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { constants, gunzipSync, gzipSync } from 'node:zlib';
import { compact } from './compact.mjs';
import { restore } from './pack.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const fast = process.argv.includes('--fast');
const force = process.argv.includes('--force');
const at = (...parts) => join(root, ...parts);

function newest(path) {
  if (!existsSync(path)) return 0;
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return readdirSync(path).reduce((max, name) => Math.max(max, newest(join(path, name))), stat.mtimeMs);
}
const stale = (output, ...inputs) =>
  force || !existsSync(output) || Math.max(...inputs.map(newest)) > statSync(output).mtimeMs;

function run(label, command, args) {
  process.stderr.write(`build: ${label}\n`);
  const result = spawnSync(process.execPath, [at('node_modules', ...command), ...args], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (result.status !== 0) process.exit(1);
}

/** Bytes as an ES module (base64 of gzip), so that every bundler carries them without configuration. */
function inline(bytes, to, options = {}) {
  mkdirSync(dirname(to), { recursive: true });
  const packed = gzipSync(bytes, { level: 9, ...options }).toString('base64');
  writeFileSync(to, `export default ${JSON.stringify(packed)};\n`);
}

/**
 * A table of whole numbers 0..255, one byte each, column after column: entries of a column resemble each other, so a code
 * per stretch of it (short blocks, few matches) packs a seventh smaller than row after row.
 */
function bytesOfTable(file) {
  const lines = gunzipSync(readFileSync(file)).toString().trim().split('\n');
  const rows = lines.map((line) => line.split(',').map(Number));
  const numbers = rows[0].flatMap((_, column) => rows.map((row) => row[column]));
  if (numbers.some((value) => !(Number.isInteger(value) && value >= 0 && value <= 255))) {
    throw new RangeError(`${file}: every entry must be a whole number from 0 to 255`);
  }
  return Uint8Array.from(numbers);
}

/**
 * The compiler translates, wasm-opt optimises: without the inlining that asc's own settings allow the kernels are 4 kB smaller
 * and as fast. --low-memory-unused holds because addresses start at asconfig's memoryBase.
 */
function compileKernels(variant, wasm) {
  run(
    `kernels (${variant})`,
    ['assemblyscript', 'bin', 'asc.js'],
    ['--config', 'asconfig.json', '--target', variant],
  );
  const features = ['simd', 'relaxed-simd', 'bulk-memory', 'bulk-memory-opt', 'sign-ext', 'mutable-globals'];
  const enabled = [...features, 'nontrapping-float-to-int'].map((feature) => `--enable-${feature}`);
  const inlining = ['--one-caller-inline-max-function-size=500', '--flexible-inline-max-function-size=0'];
  const passes = ['-mvp', ...enabled, '-O3', '-O3', ...inlining, '--low-memory-unused', wasm, '-o', wasm];
  run(`kernels (${variant}), optimised`, ['binaryen', 'bin', 'wasm-opt'], passes);
  writeFileSync(wasm, compact(readFileSync(wasm)));
}

/**
 * Both variants in one stream, slice by slice: a function of one stands near its like of the other, and the code finds
 * it there (50 kB instead of 79). Three 32-bit numbers first: bytes of each, slices. `src/wasm/core.ts` reads it.
 */
function interleaved(files, slices = 30) {
  const modules = files.map((file) => (existsSync(file) ? readFileSync(file) : Buffer.alloc(0)));
  const part = (bytes, i) => Math.floor((bytes.length * i) / slices);
  const parts = Array.from({ length: slices }, (_, i) =>
    modules.map((bytes) => bytes.subarray(part(bytes, i), part(bytes, i + 1))),
  );
  const head = Uint32Array.of(...modules.map((bytes) => bytes.length), slices);
  return Buffer.concat([new Uint8Array(head.buffer), ...parts.flat()]);
}

/** Licence comments stay: they are why the package may be carried along. */
async function vendor(declaration, to) {
  const { build } = await import('esbuild');
  const stdin = { contents: readFileSync(declaration, 'utf8'), resolveDir: root };
  await build({ stdin, outfile: to, bundle: true, format: 'esm', minify: true, lineLimit: 160 });
}

/** Names stay readable: they are what a stack trace of a failed job shows. */
async function workerScript() {
  const { build } = await import('esbuild');
  const { outputFiles } = await build({
    entryPoints: [at('build', 'jobs', 'worker.js')],
    bundle: true,
    write: false,
    format: 'iife',
    minifyWhitespace: true,
    minifySyntax: true,
    lineLimit: 160,
    external: ['*/worker.binary.js'], // the script itself; workers start none
  });
  return outputFiles[0].contents;
}

const COLUMNS = { memLevel: 5, strategy: constants.Z_RLE };
const script = fileURLToPath(import.meta.url);
restore(); // a packing that was interrupted

const kernels = ['simd', 'relaxed'].map((variant) => at('build', 'kernels', `${variant}.wasm`));
for (const wasm of fast ? kernels.slice(0, 1) : kernels) {
  const variant = basename(wasm, '.wasm');
  if (stale(wasm, at('assembly'), at('asconfig.json'), at('.ci', 'compact.mjs'), script)) {
    compileKernels(variant, wasm);
  }
}
const binary = at('build', 'wasm', 'binary.js');
if (stale(binary, ...kernels, script)) inline(interleaved(kernels), binary);
for (const name of existsSync(at('src', 'data')) ? readdirSync(at('src', 'data')) : []) {
  const module = at('build', 'data', `${name.replace(/\.csv\.gz$/, '')}.binary.js`);
  const table = at('src', 'data', name);
  if (name.endsWith('.csv.gz') && stale(module, table, script)) inline(bytesOfTable(table), module, COLUMNS);
}
// A stamp of our own: `tsc --noEmit` touches tsc's.
const stamp = at('build', '.stamp');
if (stale(stamp, at('src'), at('tsconfig.json'), at('package.json'))) {
  run('typescript', ['typescript', 'bin', 'tsc'], ['-p', 'tsconfig.json']);
  writeFileSync(stamp, '');
}
// Packages that are no ES modules, as ES modules: import maps, plain pages and development servers take them as they are.
for (const file of readdirSync(at('src', 'vendor'))) {
  const name = file.replace(/\.d\.ts$/, '');
  const module = at('build', 'vendor', `${name}.js`);
  if (stale(module, at('src', 'vendor', file), at('package-lock.json'), script)) {
    await vendor(at('src', 'vendor', file), module);
  }
}
// The worker once more, as one script in a module, for places where a worker cannot be fetched by its address.
const worker = at('build', 'platform', 'worker.binary.js');
if (stale(worker, stamp, script)) inline(await workerScript(), worker);
for (const name of readdirSync(at('src', 'lab')).filter((file) => /\.(html|css)$/.test(file))) {
  const page = at('build', 'lab', name);
  mkdirSync(dirname(page), { recursive: true });
  if (stale(page, at('src', 'lab', name))) copyFileSync(at('src', 'lab', name), page);
}
