// A kernel matrix as a heat map, its samples ordered by class where classes are known.
import { basename, extname } from 'node:path';
import { heatMap, type Figure } from '../report/index.js';
import type { Tensor } from '../math/index.js';
import { renderSvg } from '../report/svg.js';
import { UsageError } from './errors.js';
import { writeFileAtomic } from './files.js';

/** Cells per side above which neighbours are averaged. */
const MOST = 96;

/** Figure of a symmetric or rectangular kernel (n1, n2); entries divided by sqrt(K_ii K_jj) where `correlation`. */
export function kernelFigure(
  name: string,
  kernel: Tensor,
  { labels, correlation }: { readonly labels: Tensor | null; readonly correlation: boolean },
): Figure {
  const [n1, n2] = kernel.shape as [number, number];
  const order = (n: number): number[] => {
    const all = Array.from({ length: n }, (_, i) => i);
    return labels && n === labels.shape[0]
      ? all.sort((a, b) => labels.data[a]! - labels.data[b]! || a - b)
      : all;
  };
  const [rows, columns] = [order(n1), order(n2)];
  const side = Math.min(MOST, n1);
  const across = Math.min(MOST, n2);
  const z = new Float64Array(side * across);
  const counts = new Float64Array(side * across);
  for (let i = 0; i < n1; i++) {
    for (let j = 0; j < n2; j++) {
      const [a, b] = [rows[i]!, columns[j]!];
      const scale = correlation ? Math.sqrt(kernel.data[a * n2 + a]! * kernel.data[b * n2 + b]!) : 1;
      const at = Math.floor((i * side) / n1) * across + Math.floor((j * across) / n2);
      z[at]! += scale > 0 ? kernel.data[a * n2 + b]! / scale : 0;
      counts[at]!++;
    }
  }
  const centres = (cells: number, n: number): number[] =>
    Array.from({ length: cells }, (_, i) => ((i + 0.5) * n) / cells);
  const ordered = labels ? 'Samples ordered by class' : 'Samples in their order';
  const averaged =
    Math.max(n1, n2) > MOST
      ? `; cells are means over ${Math.ceil(Math.max(n1 / side, n2 / across))} neighbours`
      : '';
  const axis = labels ? 'sample, ordered by class' : 'sample';
  return heatMap({
    name,
    title: `${name.toUpperCase()}${correlation ? ', as correlation' : ''}`,
    caption: `${ordered}${averaged}${labels ? `. Classes start at ${starts(labels).join(', ')}.` : '.'}`,
    x: { label: axis, values: centres(across, n2) },
    y: { label: axis, values: centres(side, n1) },
    z: z.map((sum, i) => sum / counts[i]!),
    zLabel: correlation ? 'K / sqrt(K K)' : 'kernel',
    width: 420,
    height: Math.round((420 * n1) / n2),
  });
}

/** The first sample of every class, in the order of the figure. */
function starts({ data }: Tensor): number[] {
  const sorted = Array.from(data).sort((a, b) => a - b);
  return sorted.flatMap((label, i) => (i === 0 || label !== sorted[i - 1] ? [i] : []));
}

/** Beside the file `out`: the Vega-Lite document and the SVG (where vega is installed) of every kernel; their names. */
export async function writeKernelFigures(
  out: string,
  kernels: readonly (readonly [string, Tensor])[],
  how: Parameters<typeof kernelFigure>[2],
): Promise<string[]> {
  const stem = out.slice(0, -extname(out).length);
  const files: string[] = [];
  const write = async (name: string, text: string): Promise<void> => {
    await writeFileAtomic(name, text);
    files.push(name);
  };
  for (const [name, kernel] of kernels) {
    if (kernel.shape.length !== 2)
      throw new UsageError(
        `--figure: expected a matrix, got shape (${kernel.shape.join(', ')}). ${basename(out)} is written.`,
      );
    const { spec } = kernelFigure(name, kernel, how);
    await write(`${stem}-${name}.json`, `${JSON.stringify(spec, null, 1)}\n`);
    const svg = await renderSvg(spec);
    if (svg !== null) await write(`${stem}-${name}.svg`, svg);
  }
  return files;
}
