// What ships is smaller than what is developed with: the JavaScript is minified file by file (a user's bundler still drops
// what is not used), the command line is one file, kernels are a few, and all types are one, with their docs. npm runs this
// before packing and again after, to put the readable files back.
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
const list = (folder, ending) =>
  readdirSync(folder, { recursive: true }).filter(
    (path) => path.endsWith(ending) && !path.startsWith('.readable'),
  );

/** All types that a user can reach, in one file: index.d.ts. What "imports" in package.json names stays as it is. */
async function rollTypes() {
  const [{ rollup }, { dts }] = await Promise.all([import('rollup'), import('rollup-plugin-dts')]);
  const bundle = await rollup({ input: join(build, 'index.d.ts'), plugins: [dts()], external: [/^#/] });
  const { output } = await bundle.generate({ format: 'es' });
  const stay = new Set([join('platform', 'browser.d.ts'), join('platform', 'port.d.ts')]);
  for (const path of list(build, '.d.ts')) if (!stay.has(path)) keep(path, renameSync);
  const { default: ts } = await import('typescript');
  writeFileSync(join(build, 'index.d.ts'), smallerTypes(ts, output[0].code));
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

/** Folders that are used whole or not at all: what only the command line uses, and the kernels of nets. */
const WHOLE = [['cli', 'demo', 'study'], ['kernel']];
const MAIN = join('cli', 'main.js');
/** Of this folder nothing is there but while packing. */
const SHARED = 'shared';
const IMPORT = /\b(?:from|import)\s*\(?\s*['"](\.[^'"]+)['"]/g;

/** Their modules as few files: those that others import, and what these share. Others stay where they are. */
async function rollWhole({ build: bundle }, folders) {
  const files = list(build, '.js');
  const inside = (path) => folders.includes(path.split(sep)[0]);
  const imported = files
    .filter((path) => !inside(path))
    .flatMap((path) =>
      [...readFileSync(join(build, path), 'utf8').matchAll(IMPORT)].map(([, to]) => join(dirname(path), to)),
    );
  const entries = [...new Set([MAIN, ...imported])].filter(inside);
  const others = {
    name: 'others',
    setup: ({ onResolve }) =>
      onResolve({ filter: /^\./ }, ({ path, resolveDir, kind }) => {
        const to = relative(build, join(resolveDir, path));
        return kind === 'entry-point' || inside(to) ? undefined : { path: `build:${to}`, external: true };
      }),
  };
  const { outputFiles } = await bundle({
    absWorkingDir: build,
    entryPoints: entries.map((path) => `./${path}`),
    outdir: build,
    outbase: build,
    chunkNames: `${SHARED}/[hash]`,
    bundle: true,
    splitting: entries.length > 1,
    write: false,
    format: 'esm',
    target: 'es2023',
    packages: 'external',
    plugins: [others],
  });
  for (const path of files) if (inside(path)) keep(path, renameSync);
  for (const { path, text } of outputFiles) {
    const to = (_, file) => {
      const from = relative(dirname(path), join(build, file)).split(sep).join('/');
      return `"${from.startsWith('.') ? from : `./${from}`}"`;
    };
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text.replace(/"build:([^"]+)"/g, to));
  }
}

async function shrink() {
  const esbuild = await import('esbuild');
  const { transform } = esbuild;
  restore();
  for (const folders of WHOLE) await rollWhole(esbuild, folders);
  for (const path of list(build, '.js')) {
    const file = join(build, path);
    const { code } = await transform(readFileSync(file, 'utf8'), {
      format: 'esm',
      target: 'es2023',
      minify: true,
      legalComments: 'none',
    });
    if (code.trim() === '') {
      keep(path, renameSync); // types only: nothing imports it at run time
      continue;
    }
    if (!existsSync(join(kept, path)) && !path.startsWith(SHARED + sep)) keep(path, copyFileSync);
    writeFileSync(`${file}.tmp`, code);
    renameSync(`${file}.tmp`, file); // whoever reads the build meanwhile sees one or the other, whole
  }
  await rollTypes();
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
  rmSync(join(build, SHARED), { recursive: true, force: true });
  if (!existsSync(kept)) return;
  for (const path of readdirSync(kept, { recursive: true })) {
    if (/\.(js|d\.ts)$/.test(path)) renameSync(join(kept, path), join(build, path));
  }
  rmSync(kept, { recursive: true });
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  if (process.argv[2] === 'shrink') await shrink();
  else restore();
}
