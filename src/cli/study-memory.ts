// Finished units, checkpoints and unfinished kernels of a study, in its output folder.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { kernel } from '../kernel/index.js';
import type { StudyMemory } from '../papers/parametrization/index.js';
import { digest } from '../store/digest.js';
import { version } from '../version.js';
import { readTensor } from './files.js';
import { writeKernel } from './kernel-file.js';
import { openRuns } from './runs.js';
import type { Context } from './verb.js';

/** Entries of inputs times rows from which a kernel goes to disk tile by tile. */
const LARGE = 3e7;

/** Names carry a mark of `settings`: other settings find nothing. What cannot be read is reported and made again. */
export async function folderMemory(
  out: string,
  settings: unknown,
  checkpointSeconds: number,
  context: Context,
): Promise<StudyMemory> {
  const runs = await openRuns(out, context);
  const mark = digest(JSON.stringify([version, settings])).slice(0, 16);
  const kernels: string[] = [];
  return {
    checkpointSeconds,
    load: (name) => runs.load(`${name}-${mark}`),
    async keep(name, value) {
      await runs.keep(`${name}-${mark}`, value);
      // The kernels of a finished unit have served; a checkpoint still needs them.
      if (!name.endsWith('-checkpoint')) for (const file of kernels.splice(0)) await removeKernel(file);
    },
    drop: (name) => runs.drop(`${name}-${mark}`),
    async ntk(engine, net, x1, x2, signal) {
      const file = join(runs.folder, `ntk-${digest(JSON.stringify(net), x1, x2).slice(0, 32)}.npy`);
      const large = x1.data.length * (x2 ?? x1).shape[0]! > LARGE;
      const options = { get: 'ntk', ...(signal ? { signal } : {}) } as const;
      if (!large) return (await kernel(engine, net, x1, x2, options)).ntk.data as Float64Array;
      kernels.push(file);
      const done = await readTensor(file).catch(() => null);
      if (done) return done.data as Float64Array;
      await writeKernel(
        engine,
        { net, x1, x2, get: ['ntk'], out: file, resume: true, options: signal ? { signal } : {} },
        () => ({ net }),
      );
      return (await readTensor(file)).data as Float64Array;
    },
  };
}

async function removeKernel(file: string): Promise<void> {
  await rm(file, { force: true });
  await rm(file.replace(/npy$/, 'json'), { force: true });
}
