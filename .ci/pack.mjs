// What ships is smaller than what is developed with: the modules of a folder become one file (a user's bundler still drops what
// is not used of it), minified; so do all types, with their docs. npm runs this before packing and again after, to put the
// readable files back.
//   node .ci/pack.mjs shrink | restore
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const build = fileURLToPath(new URL('../build', import.meta.url));
const kept = join(build, '.readable');
const made = join(kept, 'made.json');
const list = (folder, ending) =>
  readdirSync(folder, { recursive: true }).filter(
    (path) => path.endsWith(ending) && !path.startsWith('.readable'),
  );

/** The root and the subpaths of the package. */
const PUBLIC = Object.values(
  JSON.parse(readFileSync(join(build, '..', 'package.json'), 'utf8')).exports,
).flatMap(({ default: path = '' }) => path.replace(/^\.\/build\/(.+)\.js$/, '$1') || []);
/** What is loaded by name: the library, workers, the command line, the pages of the lab. */
const ENTRIES = [...PUBLIC, 'jobs/worker', 'cli/main', 'lab/main', 'lab/bench'];
/** What only entries use is part of them; the last one because it imports packages that need not be there. */
const OF_ENTRIES = ['jobs/', 'cli/', 'demo/', 'papers/parametrization/', 'lab/', 'report/svg.js'];

/** The code of every file that ships, by path: the entries, one file per folder of the library, inlined binaries. */
async function rollModules() {
  const { rollup } = await import('rollup');
  const bundle = await rollup({
    input: Object.fromEntries(ENTRIES.map((entry) => [entry, join(build, `${entry}.js`)])),
    external: (name) => !/^[./]/.test(name) && !name.startsWith(build),
    treeshake: { moduleSideEffects: false },
    onLog: (level, log) => {
      if (log.code !== 'THIS_IS_UNDEFINED') throw new Error(`${level}: ${log.message}`); // helpers of `using`
    },
  });
  const { output } = await bundle.generate({
    format: 'es',
    hoistTransitiveImports: false,
    manualChunks: (path) => {
      const name = relative(build, path).split(sep).join('/');
      const apart = isBinary(path) || OF_ENTRIES.some((start) => name.startsWith(start));
      if (apart || !name.includes('/')) return undefined;
      const folder = name.split('/')[0];
      return folder === 'platform' ? 'platform/all' : folder; // a folder deep, as what it starts: ../jobs/worker.js
    },
    entryFileNames: '[name].js',
    chunkFileNames: ({ name, facadeModuleId: path }) =>
      isBinary(path) ? relative(build, path).split(sep).join('/') : `${name}.js`,
  });
  return output.map(({ fileName, code }) => [fileName, code]);
}

const isBinary = (path) => path?.endsWith('.binary.js') || path?.endsWith(`${sep}binary.js`);

/**
 * Without comments and with short local names; functions, classes and whatever a module shares keep their names, and a
 * statement its line, so that a stack trace says where it happened and prints one short line. Calls that make the constants of a module are marked as free of side effects, which package.json says of every
 * module: without the marks a bundler that needs one function of a folder would keep them all.
 */
async function minified(ts, code) {
  const calls = new Set();
  const visit = (node) => {
    if (ts.isFunctionLike(node) || ts.isClassLike(node)) return;
    if (ts.isCallExpression(node) || ts.isNewExpression(node)) calls.add(node.getStart());
    ts.forEachChild(node, visit);
  };
  for (const statement of ts.createSourceFile('module.js', code, ts.ScriptTarget.Latest, true).statements) {
    if (!ts.isVariableStatement(statement)) continue;
    for (const { initializer } of statement.declarationList.declarations) if (initializer) visit(initializer);
  }
  let marked = code;
  for (const at of [...calls].sort((a, b) => b - a)) {
    marked = `${marked.slice(0, at)}/*@__PURE__*/${marked.slice(at)}`;
  }
  const { minify } = await import('terser');
  const result = await minify(marked, {
    module: true,
    ecma: 2020,
    compress: {
      passes: 2,
      toplevel: false,
      keep_fnames: true,
      keep_classnames: true,
      sequences: false,
      inline: 1,
    },
    mangle: { toplevel: false, keep_fnames: true, keep_classnames: true },
    format: { comments: /@license/, preserve_annotations: true, beautify: true, indent_level: 0 },
  });
  return result.code;
}

/** All types that a user can reach: a file for every public one, and what they share. */
async function rollTypes() {
  const [{ rollup }, { dts }] = await Promise.all([import('rollup'), import('rollup-plugin-dts')]);
  const input = Object.fromEntries(PUBLIC.map((entry) => [entry, join(build, `${entry}.d.ts`)]));
  const external = (name) => !/^[./]/.test(name) && !name.startsWith(build);
  const bundle = await rollup({ input, plugins: [dts()], external });
  const { output } = await bundle.generate({
    format: 'es',
    entryFileNames: '[name].d.ts',
    chunkFileNames: 'types/[name].d.ts',
  });
  for (const path of list(build, '.d.ts')) keep(path, renameSync);
  const { default: ts } = await import('typescript');
  for (const { fileName, code } of output) {
    mkdirSync(dirname(join(build, fileName)), { recursive: true });
    writeFileSync(join(build, fileName), smallerTypes(ts, code));
  }
  return output.map(({ fileName }) => fileName);
}

/** Members for this package alone leave; one space of indentation; a paragraph of documentation on one line. */
function smallerTypes(ts, text) {
  const internal = [];
  const visit = (node) => {
    const isMember = ts.isClassElement(node) || ts.isTypeElement(node);
    if (isMember && ts.getJSDocTags(node).some(({ tagName }) => tagName.text === 'internal')) {
      internal.push([node.getFullStart(), node.end]);
    } else ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile('index.d.ts', text, ts.ScriptTarget.Latest, true));
  let code = text;
  for (const [start, end] of internal.reverse()) code = code.slice(0, start) + code.slice(end);
  return code
    .replace(/^ {4,}/gm, (indent) => ' '.repeat(indent.length / 4))
    .replace(/\/\*\*[^]*?\*\//g, (comment) =>
      comment.replace(/\n\s*\* (?![-@|]|\s)/g, ' ').replace(/^\/\*\* +/, '/** '),
    );
}

async function shrink() {
  const { default: ts } = await import('typescript');
  restore();
  const files = await rollModules();
  const codes = await Promise.all(files.map(async ([path, code]) => [path, await minified(ts, code)]));
  mkdirSync(kept);
  writeFileSync(made, JSON.stringify(files.map(([path]) => path)));
  const written = new Set(files.map(([path]) => join(path)));
  for (const path of list(build, '.js')) keep(path, written.has(path) ? copyFileSync : renameSync);
  for (const [path, code] of codes) {
    const file = join(build, path);
    writeFileSync(`${file}.tmp`, code);
    renameSync(`${file}.tmp`, file); // whoever reads the build meanwhile sees one or the other, whole
  }
  const types = await rollTypes();
  writeFileSync(made, JSON.stringify([...files.map(([path]) => path), ...types]));
}

function keep(path, move) {
  const [file, copy] = [join(build, path), join(kept, path)];
  const { atime, mtime } = statSync(file);
  mkdirSync(dirname(copy), { recursive: true });
  move(file, copy);
  utimesSync(copy, atime, mtime); // the build looks at times
}

/** Puts the readable files back; nothing to do when they are in place. */
export function restore() {
  if (!existsSync(kept)) return;
  for (const path of existsSync(made) ? JSON.parse(readFileSync(made, 'utf8')) : [])
    if (!existsSync(join(kept, path))) rmSync(join(build, path), { force: true });
  for (const path of readdirSync(kept, { recursive: true })) {
    if (/\.(js|d\.ts)$/.test(path)) renameSync(join(kept, path), join(build, path));
  }
  rmSync(kept, { recursive: true });
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  if (process.argv[2] === 'shrink') await shrink();
  else restore();
}
