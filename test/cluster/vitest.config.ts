import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// Tests with real servers, one file after the other: they start Redis, Postgres, Slurm and a server with the interface of S3.
const build = fileURLToPath(new URL('../../build', import.meta.url));
export default defineConfig({
  resolve: {
    alias: [
      { find: /^infinite-width$/, replacement: `${build}/index.js` },
      { find: /^#build\/(.*)$/, replacement: `${build}/$1` },
    ],
  },
  test: {
    root: fileURLToPath(new URL('../..', import.meta.url)),
    include: ['test/cluster/*.cluster.ts'],
    fileParallelism: false,
    testTimeout: 180_000,
    hookTimeout: 60_000,
  },
});
