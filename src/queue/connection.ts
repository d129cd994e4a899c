// Where the queue is: Redis (or Valkey) or Postgres, both through BullMQ. Its packages are loaded when a queue is used.
import { StoreError } from '../store/errors.js';
import { optionalPackage } from '../store/optional.js';
import type * as bullmq from 'bullmq';

export type Bull = typeof bullmq;

/** What BullMQ's classes are made with. */
export interface QueueAddress {
  /** Without the password, for messages. */
  readonly shown: string;
  readonly bull: Bull;
  readonly options: { readonly connection: bullmq.ConnectionOptions; readonly prefix?: string };
  /** Further arguments of the constructors: the backend, where it is not Redis. */
  readonly backend: readonly [];
}

export const QUEUE = 'jobs';
const PREFIX = 'infinite-width';

/**
 * `redis://` or `rediss://user@host:port/prefix`, or `postgres://user@host:port/database?schema=name`. The password may stand in
 * the address or, unseen by others, in the variable INFINITE_WIDTH_QUEUE_PASSWORD.
 */
export async function queueAddress(text: string): Promise<QueueAddress> {
  const url = URL.canParse(text) ? new URL(text) : null;
  const kind = url?.protocol.slice(0, -1);
  if (!url || !['redis', 'rediss', 'postgres', 'postgresql'].includes(kind!))
    throw new StoreError(
      `queue: expected redis://HOST:PORT/PREFIX, rediss://... or postgres://HOST:PORT/DATABASE, got ${text.replace(/\/\/[^@/]*@/, '//')}.`,
    );
  const password =
    url.password !== '' ? decodeURIComponent(url.password) : process.env['INFINITE_WIDTH_QUEUE_PASSWORD'];
  const shown = `${url.protocol}//${url.username ? `${url.username}@` : ''}${url.host}${url.pathname}`;
  const bull = await optionalPackage<typeof bullmq>('bullmq', 'queue');
  const username = decodeURIComponent(url.username);
  if (kind!.startsWith('postgres')) {
    await optionalPackage('pg', 'queue');
    const connection = {
      ...{ host: url.hostname, port: Number(url.port || 5432), database: url.pathname.slice(1) || username },
      ...(username ? { user: username } : {}),
      ...(password === undefined ? {} : { password }),
      ...(url.searchParams.get('sslmode') === 'require' ? { ssl: true } : {}),
      ...{ schema: url.searchParams.get('schema') ?? 'infinite_width', max: 3, migrate: true },
    };
    // Its types are those of Redis unless the backend is known when it is compiled.
    const backend = [bull.createPostgresBackend] as unknown as readonly [];
    return { shown, bull, options: { connection: connection as never }, backend };
  }
  await optionalPackage('ioredis', 'queue');
  const connection = {
    ...{ host: url.hostname, port: Number(url.port || 6379) },
    ...(username ? { username } : {}),
    ...(password === undefined ? {} : { password }),
    ...(kind === 'rediss' ? { tls: {} } : {}),
    maxRetriesPerRequest: null,
    retryStrategy: (turn: number) => Math.min(turn * 100, 2000),
  };
  return { shown, bull, options: { connection, prefix: url.pathname.slice(1) || PREFIX }, backend: [] };
}
