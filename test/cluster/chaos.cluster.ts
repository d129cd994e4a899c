// Workers and servers killed at random: every tile is computed once, and once more for every kill that hit it; bits are those of
// one process.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { account, alone, chunksOf, problemIn, TILES } from './problem.js';
import { cli, Postgres, freePort, Redis, sleep, Workers, type Ended } from './servers.js';

let folder: string;
let problem: string[];
let want: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'iw-chaos-'));
  problem = problemIn(folder, 16);
  want = await alone(folder, problem);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Random numbers that are the same in every run. */
function dice(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48271) % 2147483647) / 2147483647;
}

interface Chaos {
  readonly out: string;
  readonly url: string;
  readonly kills: number;
  /** Between two kills, in milliseconds. */
  readonly pause: number;
  readonly crash: () => Promise<void>;
}

async function chaos({ out, url, kills, pause, crash }: Chaos): Promise<void> {
  const run = join(folder, out);
  const places = ['--queue', url, '--store', folder];
  const workers = new Workers(join(folder, `${out}.log`), [...places, '--lock', '3']);
  const roll = dice(kills);
  try {
    workers.start(3);
    const driver = cli(['kernel', ...problem, ...places, '--out', run]);
    let ended = null as Ended | null;
    void driver.end.then((how) => (ended = how));
    let killed = 0;
    while (!ended && killed < kills) {
      await sleep(pause * (0.5 + roll()));
      const busy = workers.list
        .map((_, i) => i)
        .filter((i) => workers.said('ready').some(({ pid }) => pid === workers.list[i]!.pid));
      if (busy.length === 0) continue;
      workers.kill(busy[Math.floor(roll() * busy.length)]!);
      if (++killed === kills >> 1) await crash();
    }
    const { code, stderr } = await driver.end;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(killed).toBe(kills);
    expect(chunksOf(run)).toBe(want);
    // One tile is computed by the driver, for its time.
    const { starts, expected } = account(workers.said(), TILES - 1);
    expect(starts).toBe(expected);
    expect(workers.said('failed')).toEqual([]);
  } finally {
    await workers.stop();
  }
}

it('Redis: 20 workers killed, and Redis itself', async () => {
  const redis = await Redis.start(join(folder, 'redis'));
  try {
    const crash = async (): Promise<void> => {
      await redis.kill();
      await sleep(1000);
      await redis.start();
    };
    await chaos({ out: 'redis.zarr', url: redis.url, kills: 20, pause: 400, crash });
  } finally {
    await redis.stop();
  }
});

it('Postgres: 5 workers killed, and the server stopped at once', async () => {
  const postgres = new Postgres(join(folder, 'postgres'), await freePort());
  postgres.start();
  try {
    const crash = async (): Promise<void> => {
      postgres.stop();
      await sleep(1000);
      postgres.start();
    };
    await chaos({ out: 'postgres.zarr', url: postgres.url, kills: 5, pause: 400, crash });
  } finally {
    postgres.stop();
  }
});
