// The bench in headless Chromium: the page /lab/bench.html of `infinite-width lab`. Run after `npm run build`:
//   node bench/browser.mjs [filter] [samples] [--json] [--screenshot file.png]
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright';

const cli = fileURLToPath(new URL('../build/cli/main.js', import.meta.url));
const [words, flags] = [[], new Map()];
for (let i = 2; i < process.argv.length; i++) {
  const word = process.argv[i];
  if (word === '--screenshot') flags.set('screenshot', process.argv[++i]);
  else if (word === '--json') flags.set('json', true);
  else words.push(word);
}
const [filter = '', samples = '5'] = words;

const lab = spawn(process.execPath, [cli, 'lab', '--port', '0', '--json'], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
const { url } = JSON.parse(await new Promise((resolve) => lab.stdout.once('data', resolve)));
const executablePath =
  process.env.CHROMIUM ?? ['/usr/bin/chromium', '/usr/bin/google-chrome'].find((path) => existsSync(path));
const browser = await chromium.launch({
  ...(executablePath ? { executablePath } : {}),
  args: ['--no-sandbox'],
});
try {
  const page = await browser.newPage({ viewport: { width: 1100, height: 1400 } });
  page.on('pageerror', (error) => process.stderr.write(`${error.message}\n`));
  await page.goto(`${url}lab/bench.html#${new URLSearchParams({ filter, samples })}`);
  const status = page.locator('#status');
  await status
    .filter({ hasText: /^Done|Error/ })
    .or(page.locator('#status.error'))
    .waitFor({ timeout: 600_000 });
  if (flags.has('screenshot')) await page.screenshot({ path: flags.get('screenshot') });
  if (await page.locator('#status.error').count()) throw new Error(await status.textContent());
  const report = decodeURIComponent(
    (await page.locator('#save').getAttribute('href')).replace(/^[^,]*,/, ''),
  );
  if (flags.has('json')) process.stdout.write(`${report}\n`);
  else
    process.stdout.write(
      `${JSON.parse(report).machine.runtime}\n${await page.locator('#table').textContent()}\n`,
    );
} finally {
  await browser.close();
  lab.kill();
}
