// Finished units, checkpoints and unfinished kernels of a study as files of its output folder.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { kernel } from '../kernel/index.js';
import type { StudyMemory } from '../papers/parametrization/index.js';
import { makeFolder, readTensor } from './files.js';
import { keptFiles } from './kept.js';
import { digest, writeKernel } from './kernel-store.js';

/** Entries of inputs times rows from which a kernel goes to disk tile by tile. */
const LARGE = 3e7;

/** Names carry a mark of `settings`: other settings find nothing. A file that cannot be read is reported and made again. */
export async function folderMemory(
  out: string,
  settings: unknown,
  { checkpointSeconds, warn }: { checkpointSeconds: number; warn: (line: string) => void },
): Promise<StudyMemory> {
  const folder = join(out, 'runs');
  await makeFolder(folder);
  const mark = digest(JSON.stringify(settings)).slice(0, 16);
  const files = keptFiles(folder, warn);
  const kernels: string[] = [];
  return {
    checkpointSeconds,
    load: (name) => files.load(`${name}-${mark}`),
    async keep(name, value) {
      await files.keep(`${name}-${mark}`, value);
      // The kernels of a finished unit have served; a checkpoint still needs them.
      if (!name.endsWith('-checkpoint')) for (const file of kernels.splice(0)) await removeKernel(file);
    },
    drop: (name) => files.drop(`${name}-${mark}`),
    async ntk(engine, net, x1, x2, signal) {
      const out = join(folder, `ntk-${digest(JSON.stringify(net), x1, x2)}.npy`);
      const large = x1.data.length * (x2 ?? x1).shape[0]! > LARGE;
      const options = { get: 'ntk', ...(signal ? { signal } : {}) } as const;
      if (!large) return (await kernel(engine, net, x1, x2, options)).ntk.data as Float64Array;
      kernels.push(out);
      const done = await readTensor(out).catch(() => null);
      if (done) return done.data as Float64Array;
      const run = { net, x1, x2, get: ['ntk'], identity: {}, out, resume: true } as const;
      await writeKernel(engine, { ...run, options: signal ? { signal } : {} }, () => ({ net }));
      return (await readTensor(out)).data as Float64Array;
    },
  };
}

async function removeKernel(file: string): Promise<void> {
  await rm(file, { force: true });
  await rm(file.replace(/npy$/, 'json'), { force: true });
}
