// What ships is smaller than what is developed with: the JavaScript is minified file by file (docs stay in the
// .d.ts files), and declarations that cannot be reached from the entry are left out. npm runs this before packing and again after, to put the readable files back.
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
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const build = fileURLToPath(new URL('../build', import.meta.url));
const kept = join(build, '.readable');
const list = (folder, ending) =>
  readdirSync(folder, { recursive: true }).filter(
    (path) => path.endsWith(ending) && !path.startsWith('.readable'),
  );

/** Declarations that nobody who imports the package can reach. */
function unreachable() {
  const seen = new Set();
  const visit = (path) => {
    if (seen.has(path) || !existsSync(join(build, path))) return;
    seen.add(path);
    const text = readFileSync(join(build, path), 'utf8');
    for (const [, target] of text.matchAll(/(?:from|import\()\s*'(\.[^']+)\.js'/g)) {
      visit(join(dirname(path), `${target}.d.ts`));
    }
  };
  visit('index.d.ts');
  visit(join('platform', 'browser.d.ts')); // what package.json "imports" names
  return list(build, '.d.ts').filter((path) => !seen.has(path));
}

async function shrink() {
  const { transform } = await import('esbuild');
  restore();
  for (const path of list(build, '.js')) {
    const file = join(build, path);
    const { code } = await transform(readFileSync(file, 'utf8'), {
      format: 'esm',
      target: 'es2023',
      minify: true,
      legalComments: 'none',
    });
    keep(path, copyFileSync);
    writeFileSync(`${file}.tmp`, code);
    renameSync(`${file}.tmp`, file); // whoever reads the build meanwhile sees one or the other, whole
  }
  for (const path of unreachable()) keep(path, renameSync);
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
