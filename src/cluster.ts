/**
 * Engines whose jobs run on other machines: through a queue (Redis or Postgres) and a store (a folder or an S3 bucket). For Node
 * only; `import { queuePool } from 'infinite-width/cluster'`.
 * @module
 */
export * from './queue/index.js';
