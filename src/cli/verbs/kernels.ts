import { relative } from 'node:path';
import type { Command } from 'commander';
import { kernelBytes, supportedVariants } from '../../wasm/engine.js';
import { outputFile, writeFileAtomic } from '../files.js';
import { perform, verb } from '../verb.js';

interface KernelsOptions {
  readonly out: string;
}

/** The package carries its kernels inside JavaScript modules; some hosts (edge runtimes) import `.wasm` files only. */
export function registerKernels(program: Command): void {
  verb(program, 'kernels', 'write the WebAssembly module as a file, for createEngine({ wasm })', [
    'infinite-width kernels --out simd.wasm',
    'infinite-width kernels --variant relaxed --out relaxed.wasm',
  ])
    .requiredOption('--out <file>', 'the file to write')
    .action(
      perform<KernelsOptions>(async (options) => {
        const file = await outputFile(options.out);
        const variant = options.variant === 'auto' ? (supportedVariants().at(-1) ?? 'simd') : options.variant;
        const bytes = await kernelBytes(variant);
        await writeFileAtomic(file, bytes);
        return {
          json: { file, variant, bytes: bytes.length },
          text: `${relative('.', file)}: the ${variant} kernels, ${bytes.length} bytes.`,
        };
      }),
    );
}
