// What every command needs first: the right Node, installed packages, a fresh build. Plain Node, no dependencies.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

export function fail(message) {
  process.stderr.write(`error: ${message}\n`);
  process.exit(1);
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    fail(
      `Node 20.19 or later is needed, this is ${process.versions.node}. Install a newer one: https://nodejs.org`,
    );
  }
}

const json = (...path) => JSON.parse(readFileSync(join(root, ...path), 'utf8'));

/** The first package that is missing or of another version than package.json pins. */
function wrongPackage() {
  const { dependencies, devDependencies } = json('package.json');
  return Object.entries({ ...dependencies, ...devDependencies }).find(([name, version]) => {
    try {
      return json('node_modules', name, 'package.json').version !== version;
    } catch {
      return true;
    }
  })?.[0];
}

function install() {
  const missing = wrongPackage();
  if (!missing) return;
  process.stderr.write(`setup: npm ci (${missing} is missing or of another version)\n`);
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error'];
  const npm = process.env['npm_execpath'];
  const options = { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] };
  const result = npm?.endsWith('.js')
    ? spawnSync(process.execPath, [npm, ...args], options)
    : spawnSync('npm', args, { ...options, shell: process.platform === 'win32' });
  if (result.error) fail(`npm could not be started (${result.error.message}). Install npm, then try again.`);
  if (result.status !== 0 || wrongPackage()) {
    fail('npm ci did not install everything. The first set-up needs the network; see the messages above.');
  }
}

function build() {
  const result = spawnSync(process.execPath, [join(root, '.ci', 'build.mjs')], {
    cwd: root,
    stdio: 'inherit',
  });
  if (result.status !== 0) fail('the build failed; see the messages above.');
}

/** Installs and builds what is missing or stale; does nothing, quickly, when all is there. Needs no network then. */
export function setup() {
  checkNode();
  install();
  build();
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) setup();
