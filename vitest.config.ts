import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';

// Tests import what ships: `infinite-width` and `#build/...` are the compiled files, in both engines.
const build = fileURLToPath(new URL('./build', import.meta.url));
const resolve = {
  alias: [
    { find: /^infinite-width$/, replacement: `${build}/index.js` },
    { find: /^#build\/(.*)$/, replacement: `${build}/$1` },
  ],
};
// Shared memory between page and workers exists only on cross-origin isolated pages.
const headers = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};
const chromium =
  process.env['CHROMIUM'] ??
  ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) =>
    existsSync(path),
  );
// *.node.test.ts needs files, processes or Node-only modules; everything else runs in both engines.
const include = ['test/**/*.test.ts'];

export default defineConfig({
  test: {
    projects: [
      { resolve, test: { name: 'node', environment: 'node', include, testTimeout: 120_000 } },
      {
        resolve,
        server: { headers },
        test: {
          name: 'browser',
          include,
          exclude: ['test/**/*.node.test.ts'],
          testTimeout: 120_000,
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({
              launchOptions: { ...(chromium ? { executablePath: chromium } : {}), args: ['--no-sandbox'] },
            }),
            instances: [{ browser: 'chromium' }],
          },
        },
      },
    ],
  },
});
