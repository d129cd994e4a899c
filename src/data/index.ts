/**
 * Data in and out: npy, npz, CSV, IDX, CIFAR, kernel files, the embedded digits and synthetic sets.
 * @module
 */
export { readNpy, writeNpy } from './npy.js';
export { readNpz, writeNpz, type Npz, type ReadNpzOptions } from './npz.js';
export { loadKernel, saveKernel, type KernelProvenance, type SavedKernel } from './kernel-file.js';
export { readCsv, writeCsv, type Csv, type CsvOptions } from './csv.js';
export { readIdx } from './idx.js';
export { readCifar, type LabelledImages } from './cifar.js';
export {
  imageFilesOf,
  readImages,
  standardizeImages,
  type ImageFile,
  type ImageSet,
  type Split,
} from './images.js';
export { loadDigits, type Digits } from './digits.js';
export { xorMixture, type XorOptions } from './synthetic.js';
