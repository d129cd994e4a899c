import { spawn, type ChildProcess } from 'node:child_process';
import { request } from 'node:http';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser } from 'playwright';
import { afterAll, beforeAll, expect, it } from 'vitest';

const MAIN = fileURLToPath(new URL('../../build/cli/main.js', import.meta.url));
let child: ChildProcess;
let url: string;
let browser: Browser;

beforeAll(async () => {
  child = spawn(process.execPath, [MAIN, 'lab', '--port', '0', '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  url = await new Promise<string>((resolve, reject) => {
    child.stdout!.once('data', (text: Buffer) => resolve(JSON.parse(text.toString()).url));
    child.once('exit', (code) => reject(new Error(`lab ended with ${code}`)));
  });
  const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
  browser = await chromium.launch({
    ...(existsSync(executablePath) ? { executablePath } : {}),
    args: ['--no-sandbox'],
  });
});
afterAll(async () => {
  await browser?.close();
  child?.kill();
});

it('serves the build and nothing else', async () => {
  expect((await fetch(url)).headers.get('content-security-policy')).toContain("default-src 'none'");
  expect(await (await fetch(`${url}wasm/pool.js`)).text()).toContain('class Pool');
  for (const path of ['package.json', '..%2fpackage.json', '%2e%2e/package.json', 'lab', 'no.js', '%ff']) {
    expect((await fetch(url + path)).status).toBe(404);
  }
});

it('answers GET and HEAD to this machine only', async () => {
  const status = (method: string, host: string): Promise<number> =>
    new Promise((resolve, reject) =>
      request(url, { method, headers: { host } }, (answer) => resolve(answer.resume().statusCode!))
        .once('error', reject)
        .end(),
    );
  expect(await status('HEAD', 'localhost:9000')).toBe(200);
  expect(await status('GET', 'evil.example')).toBe(403);
  expect(await status('GET', 'localhost.evil.example')).toBe(403);
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS'])
    expect(await status(method, '127.0.0.1')).toBe(405);
});

it('computes in the page: a limit, finite nets beside it, and what a click in the plane means', async () => {
  const page = await browser.newPage();
  const troubles: string[] = [];
  page.on('pageerror', (error) => troubles.push(error.message));
  page.on('console', (message) => message.type() === 'error' && troubles.push(message.text()));
  page.on('request', (request) => request.url().startsWith(url) || troubles.push(request.url()));
  await page.goto(url);
  await page.waitForFunction(() => document.querySelector('#status')!.textContent!.includes('workers'));
  await page.locator('#regression .band').waitFor({ state: 'attached' });
  await page.locator('#regression .thin.c2').nth(5).waitFor({ state: 'attached', timeout: 60_000 });
  expect(await page.locator('#plane [data-card] h3').textContent()).toBe('Mean field');
  const plane = page.locator('#plane [data-plane]');
  await plane.locator('.spot').nth(1).click();
  expect(await page.locator('#plane [data-card] h3').textContent()).toBe('NTK');
  expect(troubles).toEqual([]);
});

it('ends with Ctrl-C, as it should', async () => {
  child.kill('SIGINT');
  expect(await new Promise((resolve) => child.once('exit', resolve))).toBe(0);
});
