import { availableParallelism, cpus, totalmem } from 'node:os';
import { InvalidArgumentError, type Command } from 'commander';
import { benchCases } from '../../speed/index.js';
import { measureAll, rooflines, type MeasureOptions } from '../../speed/measure.js';
import {
  asBenchReport,
  benchTable,
  compareBench,
  compareTable,
  type BenchReport,
} from '../../speed/report.js';
import { version } from '../../version.js';
import { createEngine } from '../../wasm/engine.js';
import { readJson } from '../files.js';
import { perform, verb, wholeNumber } from '../verb.js';

interface BenchOptions {
  readonly filter?: RegExp;
  readonly samples: number;
  readonly compare?: string;
}

/** CPU time of this process: other programs on the machine do not count. */
const cpuTime = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

export function registerBench(program: Command): void {
  verb(program, 'bench', "Times the kernels beside this machine's own limits.", [
    'infinite-width bench --filter "gemm f64"',
    'infinite-width bench --json > new.json',
    'infinite-width bench --compare old.json',
  ])
    .option('--filter <regex>', 'only cases whose name matches', pattern)
    .option('--samples <count>', 'samples per case', wholeNumber(3, 1001), 11)
    .option('--compare <file>', 'an earlier --json document to compare with')
    .action(
      perform<BenchOptions>(async (options, context) => {
        const old = options.compare ? asBenchReport(await readJson(options.compare), options.compare) : null;
        const cases = benchCases.filter(({ name }) => options.filter?.test(name) ?? true);
        if (cases.length === 0) throw new RangeError(`bench: no case matches ${String(options.filter)}.`);
        // Without workers: their start would take CPU time from the first samples.
        using engine = await createEngine({ variant: options.variant });
        const { progress, signal } = context;
        progress.start('bench', cases.length);
        const how: MeasureOptions = {
          clock: cpuTime,
          samples: options.samples,
          signal,
          onDone: ({ name }, done) => progress.update(done, name),
        };
        const report: BenchReport = {
          kind: 'infinite-width bench',
          version,
          date: new Date().toISOString(),
          machine: {
            cpu: cpus()[0]?.model ?? 'unknown',
            cores: availableParallelism(),
            memoryGiB: Math.round(totalmem() / 2 ** 30),
            runtime: `node ${process.versions.node}`,
          },
          variant: engine.variant,
          rooflines: rooflines(engine, how),
          cases: await measureAll(engine, cases, how),
        };
        progress.finish();
        const changes = old && compareBench(old, report);
        return {
          json: changes ? { ...report, comparedWith: old.date, changes } : report,
          text: [header(report), benchTable(report), ...(changes ? ['', compareTable(changes)] : [])].join(
            '\n',
          ),
        };
      }),
    );
}

function header({ machine, variant, rooflines: roof }: BenchReport): string {
  const limits = Object.entries(roof).map(([name, value]) => `${name} ${value.toFixed(1)}`);
  return `${machine['cpu']}, ${machine['runtime']}, ${variant}; limits in 10^9/s: ${limits.join(', ')}\n`;
}

function pattern(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch {
    throw new InvalidArgumentError('Expected a regular expression.');
  }
}
