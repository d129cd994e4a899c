// The bench page: the cases of `infinite-width bench` in this browser. #filter=...&samples=... in the address starts a run.
import { benchCases } from '../speed/index.js';
import { measureAll, rooflines, type MeasureOptions } from '../speed/measure.js';
import { benchTable, type BenchReport } from '../speed/report.js';
import { createEngine, version } from '../root.js';

const find = <E extends HTMLElement>(id: string): E => document.querySelector<E>(`#${id}`)!;
const [status, output, save] = [find('status'), find('table'), find<HTMLAnchorElement>('save')];
const [filter, samples] = [find<HTMLInputElement>('filter'), find<HTMLInputElement>('samples')];
const say = (text: string): void => void (status.textContent = text);

/** Clocks of browsers tick in steps of up to 0.1 ms when the page is isolated: samples are long enough for that. */
const SAMPLE_MS = 30;

async function run(): Promise<void> {
  const pattern = new RegExp(filter.value);
  const cases = benchCases.filter(({ name }) => pattern.test(name));
  if (cases.length === 0) throw new RangeError(`No case matches ${filter.value}.`);
  const engine = await createEngine({ variant: 'auto' });
  try {
    const how: MeasureOptions = {
      ...{ clock: () => performance.now(), samples: Number(samples.value) || 5, sampleMs: SAMPLE_MS },
      onDone: ({ name }, done, total) => say(`${done} of ${total}: ${name}`),
    };
    say('Measuring the limits of this machine…');
    await new Promise((resolve) => setTimeout(resolve, 50));
    const report: BenchReport = {
      ...{ kind: 'infinite-width bench', version, date: new Date().toISOString() },
      machine: { cores: navigator.hardwareConcurrency, runtime: navigator.userAgent },
      ...{ variant: engine.variant, rooflines: rooflines(engine, how) },
      cases: await measureAll(engine, cases, how),
    };
    const limits = Object.entries(report.rooflines).map(([name, rate]) => `${name} ${rate.toFixed(1)}`);
    output.textContent = `Limits in 10^9/s: ${limits.join(', ')}\n\n${benchTable(report)}`;
    save.href = `data:application/json,${encodeURIComponent(JSON.stringify(report))}`;
    save.hidden = false;
    say(`Done: ${cases.length} cases, kernels '${engine.variant}'.`);
  } finally {
    engine.dispose();
  }
}

const start = (): void => {
  status.classList.remove('error');
  run().catch((error: unknown) => {
    say(error instanceof Error ? error.message : String(error));
    status.classList.add('error');
  });
};
find<HTMLFormElement>('form').addEventListener('submit', (event) => {
  event.preventDefault();
  start();
});
const asked = new URLSearchParams(location.hash.slice(1));
filter.value = asked.get('filter') ?? filter.value;
samples.value = asked.get('samples') ?? samples.value;
if (asked.size > 0) start();
else say(`infinite-width ${version}: ${benchCases.length} cases.`);
