import { folderStore } from './folder.js';
import { s3Store } from './s3.js';
import type { Store } from './store.js';

/**
 * The store at a folder or at `s3://bucket/prefix` (keys and server from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
 * AWS_REGION and AWS_ENDPOINT_URL).
 *
 *     const store = await openStore('s3://kernels/run-7');
 *     await store.get('/run.json');
 */
export async function openStore(address: string): Promise<Store> {
  return address.startsWith('s3://') ? s3Store(address) : folderStore(address);
}
