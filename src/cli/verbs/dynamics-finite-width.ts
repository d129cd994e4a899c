// `dynamics finite-width`: how far the kernels of a dense net are from infinite width.
import type { Command } from 'commander';
import { finiteWidthCorrections, planFiniteWidth, sufficientWidth } from '../../finite-width/index.js';
import type { NetDocument } from '../../net/index.js';
import { formatTable, lineFigure, type Series, type Table } from '../../report/index.js';
import { readJson, readTensor } from '../files.js';
import { withReport } from '../report.js';
import { realNumber, verb } from '../verb.js';
import { performReport } from './dynamics-shared.js';

export function registerFiniteWidth(parent: Command): void {
  verb(
    parent,
    'finite-width',
    'how far the kernels of a dense net are from infinite width, to first order in 1/width',
    ['infinite-width dynamics finite-width --net net.json --x x.npy --tolerance 0.05'],
  )
    .requiredOption('--net <file>', 'Net document (JSON): dense layers in NTK parametrisation')
    .requiredOption('--x <file>', 'samples (n, features): a handful, work grows as n^4')
    .option('--tolerance <t>', 'also say how wide is wide enough for this deviation', realNumber(0))
    .option('--out <dir>', 'folder for result.json, the figure and report.html')
    .action(
      performReport<{ net: string; x: string; tolerance?: number; out?: string }>(
        async (options, context) => {
          const net = (await readJson(options.net)) as NetDocument;
          const x = await readTensor(options.x, context);
          const engine = await context.engine();
          const { integrals, bytes } = planFiniteWidth(net, x.shape[0] ?? 0);
          context.progress.start('1/width', 1);
          context.progress.log(`${integrals} integrals, ${Math.ceil(bytes / 2 ** 20)} MiB`);
          const run = {
            signal: context.signal,
            onProgress: ({ done, total }: { done: number; total: number }) =>
              context.progress.update(done / total),
          };
          const layers = (await finiteWidthCorrections(engine, net, x, { ...run, perLayer: true })).layers!;
          const wide =
            options.tolerance === undefined
              ? null
              : await sufficientWidth(engine, net, x, { ...run, tolerance: options.tolerance });
          context.progress.finish();
          const rows = layers.map(
            ({ samples: n, nngp, ntk, nngpShift, ntkShift, nngpVariance, ntkVariance, fourPoint }, l) => {
              const size = (values: ArrayLike<number>): number => Math.hypot(...Array.from(values));
              const spread = (values: ArrayLike<number>): number =>
                Math.sqrt(Array.from(values).reduce((sum, v) => sum + Math.max(v, 0), 0));
              let connected = 0;
              for (let a = 0; a < n; a++)
                connected = Math.max(
                  connected,
                  Math.abs(fourPoint(a, a, a, a)) / nngp.data[a * (n + 1)]! ** 2,
                );
              return {
                layer: l + 1,
                nngpShift: size(nngpShift.data) / size(nngp.data),
                nngpSpread: spread(nngpVariance.data) / size(nngp.data),
                ntkShift: size(ntkShift.data) / size(ntk.data),
                ntkSpread: spread(ntkVariance.data) / size(ntk.data),
                connected,
              };
            },
          );
          const table: Table = {
            name: 'finite-width',
            title: 'Deviation of random nets from infinite width, relative (Frobenius norms)',
            columns: [
              'dense layer',
              'NNGP shift',
              'NNGP spread',
              'NTK shift',
              'NTK spread',
              'four-point / K^2',
            ],
            rows: rows.map((row) => [
              row.layer,
              row.nngpShift,
              row.nngpSpread,
              row.ntkShift,
              row.ntkSpread,
              row.connected,
            ]),
          };
          const last = layers.at(-1)!;
          const text = [
            formatTable(table),
            ...(wide
              ? [
                  `wide enough for ${options.tolerance}: ${wide.widths.join(', ')} (${wide.factor.toPrecision(3)} times the widths given)`,
                ]
              : []),
          ];
          const settings = { tolerance: options.tolerance ?? null };
          const l = rows.map(({ layer }) => layer);
          const line = (name: string, of: (row: (typeof rows)[number]) => number): Series => ({
            name,
            x: l,
            y: rows.map(of),
            points: true,
          });
          return withReport(
            options.out,
            {
              kind: 'finite-width',
              title: 'Distance from infinite width',
              variant: engine.variant,
              settings,
            },
            {
              json: { widths: last.widths, expansion: last.expansion, layers: rows, sufficient: wide },
              text: text.join('\n'),
            },
            () => [
              lineFigure({
                name: 'finite-width',
                title: 'How random the kernels of the net are, layer by layer',
                caption:
                  'Root mean square over random nets of the kernel minus its mean, and of the mean minus the limit, over the limit.',
                panels: [
                  {
                    x: { label: 'dense layer', ticks: l },
                    y: { label: 'relative deviation' },
                    series: [
                      line('NTK spread', (row) => row.ntkSpread),
                      line('NTK shift', (row) => row.ntkShift),
                      line('NNGP spread', (row) => row.nngpSpread),
                      line('NNGP shift', (row) => row.nngpShift),
                    ],
                    ...{ width: 420, height: 260 },
                  },
                ],
              }),
            ],
            [table],
          );
        },
      ),
    );
}
