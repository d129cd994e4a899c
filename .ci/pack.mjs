// What ships is smaller than what is developed with: the JavaScript is minified file by file (a user's bundler still drops
// what is not used), the command line is one file, and so are all types, with their docs. npm runs this before packing and
// again after, to put the readable files back.
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

/** Folders that only the command line uses. */
const PROGRAM = ['cli', 'demo', 'study'];

/** The command line as one file that imports the library beside it. */
async function rollProgram({ build: bundle }) {
  const main = join(build, 'cli', 'main.js');
  const inside = (path) => PROGRAM.includes(relative(build, path).split(sep)[0]);
  const library = {
    name: 'library',
    setup: ({ onResolve }) =>
      onResolve({ filter: /^\./ }, ({ path, resolveDir }) => {
        const file = join(resolveDir, path);
        const from = relative(dirname(main), file).split(sep).join('/');
        return inside(file) ? { path: file } : { path: from, external: true };
      }),
  };
  const { outputFiles } = await bundle({
    entryPoints: [main],
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2023',
    packages: 'external',
    plugins: [library],
  });
  for (const path of list(build, '.js')) if (inside(join(build, path))) keep(path, renameSync);
  writeFileSync(main, outputFiles[0].contents);
}

async function shrink() {
  const esbuild = await import('esbuild');
  const { transform } = esbuild;
  restore();
  await rollProgram(esbuild);
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
    if (!existsSync(join(kept, path))) keep(path, copyFileSync);
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
