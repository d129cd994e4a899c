// Image data sets by path: a folder as published, or one IDX or CIFAR file (with the labels that lie beside it).
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { imageFilesOf, readImages, type ImageFile, type ImageSet, type Split } from '../data/images.js';
import { UNPACKED_BYTES } from '../data/unpack.js';
import { UsageError } from './errors.js';
import { readBytes } from './files.js';

const IMAGE_FILE = /(ubyte|idx\d?|\.bin)(\.gz)?$/;

/** Whether `path` may hold images: a folder, or a file by its name. */
export async function isImagePath(path: string): Promise<boolean> {
  return IMAGE_FILE.test(path) || ((await stat(path).catch(() => null))?.isDirectory() ?? false);
}

/**
 * The images at `path`: a folder with the files of MNIST, Fashion-MNIST, CIFAR-10 or CIFAR-100 under their published names
 * (plain or gzipped), of which `split` is read, or one file. Pixels 0..255. With `limit` the first images only.
 */
export async function readImageSet(
  path: string,
  {
    split = 'train',
    limit,
    memoryBytes = UNPACKED_BYTES,
  }: { split?: Split; limit?: number | undefined; memoryBytes?: number } = {},
): Promise<ImageSet> {
  return readImages(await imageFiles(path, split), {
    memoryBytes,
    ...(limit === undefined ? {} : { limit }),
  });
}

/** The same images part by part, one CIFAR batch after the other: no more than a part is in memory. */
export async function* imageParts(path: string, split: Split): AsyncGenerator<ImageSet> {
  const files = await imageFiles(path, split);
  if (files.some(({ name }) => basename(name).includes('labels'))) yield readImages(files);
  else for (const file of files) yield readImages([file]);
}

async function imageFiles(path: string, split: Split): Promise<ImageFile[]> {
  const folder = (await stat(path).catch(() => null))?.isDirectory() ?? false;
  const names = folder ? imageFilesOf(await readdir(path), split) : await withLabels(path);
  if (names.length === 0) {
    throw new UsageError(
      `${path}: expected the ${split} files of MNIST (train-images-idx3-ubyte, ...), CIFAR-10 (data_batch_1.bin, ...) or CIFAR-100 (train.bin), got none of them. Name the file itself.`,
    );
  }
  const at = (name: string): string => join(folder ? path : dirname(path), name);
  return names.map((name) => ({ name: at(name), read: () => readBytes(at(name)) }));
}

/** An IDX file of images and, if it lies beside it, that of its labels. */
async function withLabels(path: string): Promise<string[]> {
  const name = basename(path);
  const labels = name.replace('images', 'labels').replace('idx3', 'idx1');
  if (labels === name) return [name];
  const beside: readonly string[] = await readdir(dirname(path)).catch((): string[] => []);
  const found = [labels, `${labels}.gz`, labels.replace(/\.gz$/, '')].find((other) => beside.includes(other));
  return found === undefined ? [name] : [name, found];
}
