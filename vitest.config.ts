import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';

// Tests import what ships: `infinite-width` (all public names) and `#build/...` are the compiled files, in both engines.
const build = fileURLToPath(new URL('./build', import.meta.url));
const resolve = {
  alias: [
    {
      find: /^infinite-width$/,
      replacement: `${build}/index.js`,
    },
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
// *.node.test.ts needs files, processes or Node-only modules, or trains many nets whose statistics it compares with theory:
// those numbers have the same bits in every engine (golden.test.ts has some of each kind). Everything else runs in both.
const include = ['test/**/*.test.ts'];

export default defineConfig({
  test: {
    // One engine after the other, each with all cores; else the one that needs longer ends on one core.
    maxWorkers: availableParallelism(),
    projects: [
      {
        resolve,
        test: {
          ...{ name: 'node', environment: 'node', include, testTimeout: 120_000 },
          sequence: { groupOrder: 1 },
        },
      },
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
