// A store in a bucket with the interface of S3: writing an object is atomic there, `If-None-Match: *` lets the first writer
// win. Requests are signed by aws4fetch; keys come from the usual variables of the environment.
import { StoreError } from './errors.js';
import { optionalPackage } from './optional.js';
import { checkKey, told, type Key, type Store } from './store.js';

export interface S3Options {
  /** The server; default that of AWS for the region (also AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL). */
  readonly endpoint?: string;
  readonly region?: string;
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
  readonly sessionToken?: string;
}

const environment = (): Readonly<Record<string, string | undefined>> =>
  typeof process === 'undefined' ? {} : process.env;

/** A store at `s3://bucket/prefix`. UnsupportedError-like StoreError where aws4fetch is not installed. */
export async function s3Store(address: string, options: S3Options = {}): Promise<Store> {
  const [, bucket, prefix = ''] = /^s3:\/\/([^/]+)\/?(.*?)\/?$/.exec(address) ?? [];
  if (!bucket) throw new StoreError(`store: expected s3://BUCKET/PREFIX, got ${address}.`);
  const env = environment();
  const region = options.region ?? env['AWS_REGION'] ?? env['AWS_DEFAULT_REGION'] ?? 'us-east-1';
  const endpoint =
    options.endpoint ??
    env['AWS_ENDPOINT_URL_S3'] ??
    env['AWS_ENDPOINT_URL'] ??
    `https://s3.${region}.amazonaws.com`;
  const accessKeyId = options.accessKeyId ?? env['AWS_ACCESS_KEY_ID'];
  const secretAccessKey = options.secretAccessKey ?? env['AWS_SECRET_ACCESS_KEY'];
  if (!accessKeyId || !secretAccessKey)
    throw new StoreError(
      `store: ${address} needs keys. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and AWS_ENDPOINT_URL for another server than AWS.`,
    );
  const { AwsClient } = await optionalPackage<typeof import('aws4fetch')>('aws4fetch', 'store');
  const sessionToken = options.sessionToken ?? env['AWS_SESSION_TOKEN'];
  const client = new AwsClient({
    ...{ accessKeyId, secretAccessKey, service: 's3', region, retries: 5 },
    ...(sessionToken ? { sessionToken } : {}),
  });
  const base = `${endpoint.replace(/\/$/, '')}/${bucket}`;
  const path = (key: Key): string => {
    checkKey(key);
    return `${base}${prefix ? `/${prefix}` : ''}${key.split('/').map(encodeURIComponent).join('/')}`;
  };
  const ask = async (what: string, url: string, init: RequestInit, fine: readonly number[]) =>
    told(address, what, async () => {
      const answer = await client.fetch(url, init);
      if (answer.ok || fine.includes(answer.status)) return answer;
      throw new Error(`${answer.status} ${codeOf(await answer.text())}`);
    });
  const put = (key: Key, value: Uint8Array, headers: Record<string, string>) =>
    ask(`writing ${key}`, path(key), { method: 'PUT', body: value as never, headers }, [412]);
  return {
    name: address,
    async get(key) {
      const answer = await ask(`reading ${key}`, path(key), {}, [404]);
      return answer.status === 404 ? undefined : new Uint8Array(await answer.arrayBuffer());
    },
    has: async (key) => (await ask(`looking for ${key}`, path(key), { method: 'HEAD' }, [404])).ok,
    set: async (key, value) => void (await put(key, value, {})),
    create: async (key, value) => (await put(key, value, { 'if-none-match': '*' })).ok,
    delete: async (key) => void (await ask(`deleting ${key}`, path(key), { method: 'DELETE' }, [404])),
    async *list(from) {
      const start = `${prefix ? `${prefix}/` : ''}${from.slice(1)}`;
      for (let next = ''; ;) {
        const query = new URLSearchParams({ 'list-type': '2', prefix: start });
        if (next) query.set('continuation-token', next);
        const page = await (await ask(`listing ${from}`, `${base}?${query}`, {}, [])).text();
        for (const [, name] of page.matchAll(/<Key>([^<]*)<\/Key>/g))
          yield `/${plain(name!).slice(prefix ? prefix.length + 1 : 0)}`;
        next = plain(/<NextContinuationToken>([^<]*)</.exec(page)?.[1] ?? '');
        if (!next) return;
      }
    },
  };
}

/** The code in an error of S3. */
const codeOf = (xml: string): string => /<Code>([^<]*)</.exec(xml)?.[1] ?? xml.slice(0, 100);

const plain = (xml: string): string =>
  xml
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&quot;/g, '"')
    .replace(/&#(\d+);/g, (_, code: string) => String.fromCodePoint(Number(code)))
    .replace(/&amp;/g, '&');
