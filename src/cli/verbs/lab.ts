import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { UsageError } from '../errors.js';
import { perform, verb, wholeNumber } from '../verb.js';

interface LabOptions {
  readonly port: number;
}

const BUILD = fileURLToPath(new URL('build/', import.meta.resolve('infinite-width/package.json')));
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
};
const SECURITY: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; worker-src 'self'; connect-src 'self'; img-src 'self' data:",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-cache',
};

export function registerLab(program: Command): void {
  verb(program, 'lab', 'serve the interactive page on this machine', [
    'infinite-width lab',
    'infinite-width lab --port 9000',
  ])
    .option('--port <number>', 'port on 127.0.0.1; 0: any free one', wholeNumber(0, 65535), 8642)
    .action(
      perform<LabOptions>(async ({ port, json }, { signal }) => {
        const server = await listen(port);
        const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
        process.stdout.write(
          json ? `${JSON.stringify({ url })}\n` : `The lab is at ${url} - Ctrl-C ends it.\n`,
        );
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
        server.closeAllConnections();
        server.close();
      }),
    );
}

function listen(port: number): Promise<Server> {
  const server = createServer((request, response) => {
    void answer(request).then(({ status, type, body }) => {
      const allow = status === 405 ? { allow: 'GET, HEAD' } : {};
      response.writeHead(status, { 'content-type': type, ...allow, ...SECURITY }).end(body);
    });
  });
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'EADDRINUSE' || error.code === 'EACCES'
          ? new UsageError(
              `lab: port ${port} cannot be used (${error.code}). Pass another one with --port, or --port 0.`,
            )
          : error,
      ),
    );
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string | Uint8Array;
}

/** Other names would let a page elsewhere read this server through a name that it points here (DNS rebinding). */
const HOST = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i;

async function answer({ method, headers, url = '/' }: IncomingMessage): Promise<Answer> {
  const refused = (status: number, body: string): Answer => ({ status, type: 'text/plain', body });
  if (!HOST.test(headers.host ?? '')) return refused(403, 'the lab answers to localhost and 127.0.0.1 only');
  if (method !== 'GET' && method !== 'HEAD') return refused(405, 'the lab answers GET and HEAD only');
  const missing = refused(404, 'not found');
  const path = pathOf(url);
  if (path === null) return missing;
  const file = normalize(join(BUILD, path === '/' ? 'lab/index.html' : path));
  const type = TYPES[extname(file)];
  if (!type || !file.startsWith(BUILD.endsWith(sep) ? BUILD : BUILD + sep)) return missing;
  try {
    return { status: 200, type, body: await readFile(file) };
  } catch {
    return missing;
  }
}

function pathOf(url: string): string | null {
  try {
    return decodeURIComponent(new URL(url, 'http://localhost').pathname);
  } catch {
    return null; // a malformed escape
  }
}
