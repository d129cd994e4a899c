// Servers and workers of the tests, on ports of the loopback that nobody else has.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const main: string = fileURLToPath(new URL('../../build/cli/main.js', import.meta.url));
export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
export const PASSWORD = 'secret';

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export async function until(
  what: string,
  test: () => boolean | Promise<boolean>,
  seconds = 60,
): Promise<void> {
  for (const end = Date.now() + 1000 * seconds; Date.now() < end; await sleep(50)) if (await test()) return;
  throw new Error(`waited ${seconds} s for ${what}`);
}

const ended = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;
export const gone = (child: ChildProcess): Promise<void> => until('the end of a process', () => ended(child));

export class Redis {
  readonly port: number;
  readonly folder: string;
  #child: ChildProcess | null = null;
  constructor(folder: string, port: number) {
    this.folder = folder;
    this.port = port;
    mkdirSync(folder, { recursive: true });
  }
  static async start(folder: string): Promise<Redis> {
    const redis = new Redis(folder, await freePort());
    await redis.start();
    return redis;
  }
  get url(): string {
    return `redis://127.0.0.1:${this.port}/test`;
  }
  async start(): Promise<void> {
    const keep = [
      '--appendonly',
      'yes',
      '--appendfsync',
      'everysec',
      '--save',
      '',
      '--maxmemory-policy',
      'noeviction',
    ];
    const where = [
      '--port',
      String(this.port),
      '--bind',
      '127.0.0.1',
      '--dir',
      this.folder,
      '--requirepass',
      PASSWORD,
    ];
    this.#child = spawn('redis-server', [...where, ...keep], { stdio: 'ignore' });
    await until('Redis', () => this.cli('ping').includes('PONG'));
  }
  cli(...args: string[]): string {
    return spawnSync('redis-cli', ['-p', String(this.port), '-a', PASSWORD, '--no-auth-warning', ...args], {
      encoding: 'utf8',
    }).stdout;
  }
  async kill(): Promise<void> {
    this.#child!.kill('SIGKILL');
    await gone(this.#child!);
  }
  stop(): Promise<void> {
    return this.kill();
  }
}

/** Lets other users into a folder of ours. */
function openTo(folder: string): void {
  for (let path = folder; path !== tmpdir() && path !== '/'; path = join(path, '..')) chmodSync(path, 0o755);
}

const as = (user: string): string[] => ['--reuid', user, '--regid', user, '--clear-groups'];

export class Postgres {
  readonly port: number;
  readonly #bin: string;
  readonly #data: string;
  constructor(folder: string, port: number) {
    this.port = port;
    const versions = readdirSync('/usr/lib/postgresql');
    this.#bin = join('/usr/lib/postgresql', versions.at(-1)!, 'bin');
    this.#data = join(folder, 'data');
    mkdirSync(folder, { recursive: true });
    openTo(folder);
    chmodSync(folder, 0o777);
    this.#run('initdb', '-D', this.#data, '-A', 'trust', '-U', 'iw');
  }
  get url(): string {
    return `postgres://iw@127.0.0.1:${this.port}/postgres?schema=iw`;
  }
  #run(program: string, ...args: string[]): void {
    const { status, stderr } = spawnSync('setpriv', [...as('postgres'), join(this.#bin, program), ...args], {
      encoding: 'utf8',
      cwd: '/',
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    if (status !== 0) throw new Error(`${program}: ${stderr}`);
  }
  start(): void {
    const options = `-p ${this.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=`;
    this.#run('pg_ctl', '-D', this.#data, '-w', '-l', join(this.#data, 'log'), '-o', options, 'start');
  }
  /** As a crash: no checkpoint is written. */
  stop(): void {
    this.#run('pg_ctl', '-D', this.#data, '-m', 'immediate', 'stop');
  }
}

/** A server with the interface of S3; returns the environment for its clients. */
export async function startS3(
  bucket: string,
): Promise<{ env: Record<string, string>; stop(): Promise<void> }> {
  const port = await freePort();
  const child = spawn('moto_server', ['-H', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' });
  const url = `http://127.0.0.1:${port}`;
  await until('moto', () =>
    fetch(url).then(
      () => true,
      () => false,
    ),
  );
  await fetch(`${url}/${bucket}`, { method: 'PUT' });
  const env = {
    AWS_ENDPOINT_URL: url,
    AWS_ACCESS_KEY_ID: 'a',
    AWS_SECRET_ACCESS_KEY: 'b',
    AWS_REGION: 'us-east-1',
  };
  return { env, stop: async () => (child.kill('SIGKILL'), gone(child)) };
}

export interface Said {
  readonly time: number;
  readonly pid: number;
  readonly what: string;
  readonly detail?: string;
}

/** Worker processes with one log. */
export class Workers {
  readonly log: string;
  readonly #args: readonly string[];
  readonly #env: Record<string, string>;
  readonly list: ChildProcess[] = [];
  constructor(log: string, args: readonly string[], env: Record<string, string> = {}) {
    this.log = log;
    this.#args = args;
    this.#env = env;
    writeFileSync(log, '');
  }
  start(count = 1): ChildProcess {
    for (let i = 0; i < count; i++) this.list.push(this.#spawn());
    return this.list.at(-1)!;
  }
  #spawn(): ChildProcess {
    return spawn(
      process.execPath,
      [main, 'work', ...this.#args, '--child', '--log', this.log, '--quiet', '--workers', '1'],
      {
        stdio: ['ignore', 'ignore', process.env['SHOW'] ? 'inherit' : 'ignore'],
        env: { ...process.env, INFINITE_WIDTH_QUEUE_PASSWORD: PASSWORD, ...this.#env },
      },
    );
  }
  /** Ends one with -9 and starts another in its place. */
  kill(i: number): void {
    this.list[i]!.kill('SIGKILL');
    this.list[i] = this.#spawn();
  }
  said(what?: string): Said[] {
    const lines = readFileSync(this.log, 'utf8')
      .split('\n')
      .filter((line) => line.endsWith('}'));
    const all = lines.map((line) => JSON.parse(line) as Said);
    return what === undefined ? all : all.filter((event) => event.what === what);
  }
  async stop(): Promise<void> {
    for (const child of this.list) child.kill('SIGKILL');
    await Promise.all(this.list.map(gone));
  }
}

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command line. */
export function cli(
  args: readonly string[],
  env: Record<string, string> = {},
): { child: ChildProcess; end: Promise<Ended> } {
  const child = spawn(process.execPath, [main, ...args], {
    env: { ...process.env, INFINITE_WIDTH_QUEUE_PASSWORD: PASSWORD, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (part: Buffer) => (stdout += part.toString()));
  child.stderr.on('data', (part: Buffer) => (stderr += part.toString()));
  const end = new Promise<Ended>((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })));
  return { child, end };
}

/** Munge, a controller and three node daemons of Slurm. */
export class Slurm {
  readonly #conf: string;
  readonly #folder: string;
  readonly #munge: string;
  constructor(folder: string, [controller, ...nodes]: readonly number[]) {
    this.#folder = folder;
    this.#conf = join(folder, 'slurm.conf');
    this.#munge = join(folder, 'munge');
    for (const name of ['state', 'log', 'munge', 'spool/n1', 'spool/n2', 'spool/n3'])
      mkdirSync(join(folder, name), { recursive: true });
    const at = (name: string): string => join(folder, name);
    writeFileSync(
      this.#conf,
      `ClusterName=iw
SlurmctldHost=${hostname()}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=${at('munge/socket')}
CredType=cred/munge
SlurmctldPort=${controller}
SlurmctldPidFile=${at('ctld.pid')}
SlurmdPidFile=${at('d-%n.pid')}
SlurmdSpoolDir=${at('spool/%n')}
StateSaveLocation=${at('state')}
SlurmctldLogFile=${at('log/ctld.log')}
SlurmdLogFile=${at('log/d-%n.log')}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,batch_sched_delay=1
ReturnToService=2
MpiDefault=none
SlurmdTimeout=10
SlurmctldTimeout=30
InactiveLimit=0
KillWait=2
MinJobAge=300
SwitchType=switch/none
${nodes.map((port, i) => `NodeName=n${i + 1} NodeHostname=${hostname()} NodeAddr=127.0.0.1 Port=${port} CPUs=1 RealMemory=1000 State=UNKNOWN`).join('\n')}
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
`,
    );
  }
  async start(): Promise<void> {
    const key = join(this.#munge, 'key');
    writeFileSync(key, Buffer.alloc(1024, 7), { mode: 0o400 });
    spawnSync('chown', ['-R', 'munge:munge', this.#munge]);
    openTo(this.#folder);
    const files = ['socket', 'pid', 'log', 'seed'].map((name) => join(this.#munge, name));
    const munged = [
      `--socket=${files[0]}`,
      `--pid-file=${files[1]}`,
      `--log-file=${files[2]}`,
      `--seed-file=${files[3]}`,
    ];
    this.#must('setpriv', ...as('munge'), '/usr/sbin/munged', '--force', `--key-file=${key}`, ...munged);
    await sleep(500);
    this.#must('/usr/sbin/slurmctld', '-i');
    for (const node of ['n1', 'n2', 'n3']) this.#must('/usr/sbin/slurmd', '-N', node);
    await until('the nodes of Slurm', () => this.run('sinfo', '-h', '-o', '%T %D').stdout.includes('idle 3'));
  }
  run(program: string, ...args: string[]): { stdout: string; stderr: string; status: number | null } {
    return spawnSync(program, args, {
      encoding: 'utf8',
      cwd: this.#folder,
      env: { ...process.env, SLURM_CONF: this.#conf },
    });
  }
  #must(program: string, ...args: string[]): void {
    const { status, stderr } = spawnSync(program, args, {
      encoding: 'utf8',
      cwd: '/',
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, SLURM_CONF: this.#conf },
      timeout: 20_000,
    });
    if (status !== 0) throw new Error(`${program}: ${status} ${stderr}`);
  }
  stop(): void {
    for (const file of ['d-n1.pid', 'd-n2.pid', 'd-n3.pid', 'ctld.pid', 'munge/pid']) {
      try {
        process.kill(Number(readFileSync(join(this.#folder, file), 'utf8')), 'SIGKILL');
      } catch {
        // it has ended
      }
    }
  }
}
