// The tests with real servers (test/cluster), all on this machine's loopback:  node .ci/cluster.mjs [test files]
// Installs what is missing of Debian's redis-server, postgresql, slurm-wlm and munge, and of PyPI's moto and zarr.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fail, root, setup } from './setup.mjs';

const run = (command, args, options = {}) =>
  spawnSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'], ...options }).status === 0;
const has = (...paths) => paths.some((path) => existsSync(path));

function installServers() {
  const missing = [
    ...(has('/usr/bin/redis-server') ? [] : ['redis-server']),
    ...(has('/usr/lib/postgresql') ? [] : ['postgresql']),
    ...(has('/usr/sbin/slurmctld') ? [] : ['slurm-wlm']),
    ...(has('/usr/sbin/munged') ? [] : ['munge']),
    ...(has('/usr/bin/ip', '/usr/sbin/ip', '/bin/ip', '/sbin/ip') ? [] : ['iproute2']),
  ];
  if (missing.length > 0) {
    process.stderr.write(`setup: installing ${missing.join(', ')}\n`);
    const install = () => run('apt-get', ['install', '-y', '--no-install-recommends', ...missing]);
    if (!(install() || (run('apt-get', ['update']) && install())))
      fail(`the tests with servers need root on Debian and the packages ${missing.join(', ')}.`);
  }
  if (run('python3', ['-c', 'import moto.server, zarr'], { stdio: 'ignore' })) return;
  process.stderr.write('setup: installing moto and zarr for Python\n');
  if (!run('python3', ['-m', 'pip', 'install', '-q', 'moto[server]', 'zarr']))
    fail(
      "the tests with servers need Python's moto[server] and zarr: python3 -m pip install 'moto[server]' zarr.",
    );
}

if (process.getuid?.() !== 0)
  fail('the tests with servers need root: they start servers, mounts and network namespaces.');
setup();
installServers();
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
const config = join(root, 'test', 'cluster', 'vitest.config.ts');
const { status } = spawnSync(
  process.execPath,
  [vitest, 'run', '--config', config, ...process.argv.slice(2)],
  {
    cwd: root,
    stdio: 'inherit',
  },
);
process.exit(status === 0 ? 0 : 1);
