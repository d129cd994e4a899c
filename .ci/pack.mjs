// What ships is smaller than what is developed with: the JavaScript is minified file by file (a user's bundler still drops
// what is not used), and all types are in one file, with their docs. npm runs this before packing and again after, to put
// the readable files back.
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

/** All types that a user can reach, in one file: index.d.ts. What "imports" in package.json names stays as it is. */
async function rollTypes() {
  const [{ rollup }, { dts }] = await Promise.all([import('rollup'), import('rollup-plugin-dts')]);
  const bundle = await rollup({ input: join(build, 'index.d.ts'), plugins: [dts()], external: [/^#/] });
  const { output } = await bundle.generate({ format: 'es' });
  const stay = new Set([join('platform', 'browser.d.ts'), join('platform', 'port.d.ts')]);
  for (const path of list(build, '.d.ts')) if (!stay.has(path)) keep(path, renameSync);
  writeFileSync(join(build, 'index.d.ts'), output[0].code);
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
