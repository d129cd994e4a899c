// The whole suite, in Node and in headless Chromium:  node .ci/test.mjs [--no-browser] [test files]
import { spawnSync } from 'node:child_process';
import { accessSync, constants, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fail, root, setup } from './setup.mjs';

const PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/usr/bin/google-chrome-stable',
  '/snap/bin/chromium',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
];
const runnable = (path) => {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};

async function findChromium() {
  const wish = process.env['CHROMIUM'];
  if (wish) {
    if (!runnable(wish)) fail(`CHROMIUM=${wish} cannot be run. Point it to a Chromium or Chrome binary.`);
    return wish;
  }
  const { chromium } = await import('playwright');
  return [...PLACES, chromium.executablePath()].find(runnable) ?? installChromium();
}

function installChromium() {
  const root = process.getuid?.() === 0;
  if (root && runnable('/usr/bin/apt-get')) {
    process.stderr.write('setup: installing the Debian package chromium\n');
    const apt = (...args) =>
      spawnSync('apt-get', args, { stdio: ['ignore', 'ignore', 'inherit'] }).status === 0;
    const install = () => apt('install', '-y', '--no-install-recommends', 'chromium');
    if (install() || (apt('update') && install())) {
      const found = PLACES.find(runnable);
      if (found) return found;
    }
  }
  fail(
    'no Chromium found for the browser half of the tests. Do one of:\n' +
      '  apt-get install chromium            (Debian, as root)\n' +
      '  npx playwright install chromium     (any system)\n' +
      '  CHROMIUM=/path/to/chrome npm test   (one you have)\n' +
      '  npm test -- --no-browser            (leave the browser half out)',
  );
}

setup();
const args = process.argv.slice(2);
const browser = !args.includes('--no-browser');
const chromium = browser ? await findChromium() : null;
const folder = mkdtempSync(join(tmpdir(), 'infinite-width-test-'));
const report = join(folder, 'report.json');
const result = spawnSync(
  process.execPath,
  [
    join(root, 'node_modules', 'vitest', 'vitest.mjs'),
    'run',
    ...(browser ? [] : ['--project', 'node']),
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...args.filter((arg) => arg !== '--no-browser'),
  ],
  {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...(chromium ? { CHROMIUM: chromium } : {}) },
  },
);
let counts = { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0 };
try {
  counts = JSON.parse(readFileSync(report, 'utf8'));
} catch {
  // vitest broke before it could report: its exit code says so below
}
rmSync(folder, { recursive: true, force: true });
const broken = result.status !== 0 && counts.numFailedTests === 0;
if (broken) process.stderr.write('error: the test run broke outside of a test; see the messages above.\n');
if (!browser) process.stderr.write('note: the browser half was left out (--no-browser).\n');
if (counts.numPendingTests > 0) process.stderr.write(`note: ${counts.numPendingTests} skipped.\n`);
process.stdout.write(`${counts.numPassedTests} passed, ${counts.numFailedTests + (broken ? 1 : 0)} failed\n`);
process.exit(result.status === 0 ? 0 : 1);
