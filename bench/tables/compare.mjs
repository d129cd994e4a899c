// How good is the automatic default of `fit` on tables nobody tuned for?
//   node bench/tables/compare.mjs [folder]      default: test/predict/data and the embedded digits
// The folder holds <name>.csv and tables.json: [{ name, target, task, folds, reference: { svc, rf, hgb } }], `folds` one
// digit per row. Prints one line per table: mean over folds of accuracy or R^2, calibration or coverage, reference.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crossValidate, createEngine, loadDigits, parseTable } from '../../build/index.js';

const folder = process.argv[2] ?? new URL('../../test/predict/data', import.meta.url).pathname;
const list = JSON.parse(readFileSync(join(folder, 'tables.json'), 'utf8'));
const engine = await createEngine({ variant: 'simd' });

async function tableOf({ name }) {
  if (name !== 'digits') return parseTable(readFileSync(join(folder, `${name}.csv`), 'utf8'), { name });
  const { x, labels } = await loadDigits();
  const columns = [...Array.from({ length: 64 }, (_, k) => `p${k}`), 'class'];
  const rows = Array.from(labels.data, (label, i) => [...x.data.subarray(i * 64, (i + 1) * 64), `c${label}`]);
  return { columns, rows };
}

const percent = (value) => (100 * value).toFixed(1);
console.log('| table | rows x columns | score | SVC | forest | boosting | calibration | CPU s |');
console.log('|---|---|---|---|---|---|---|---|');
for (const entry of list) {
  const table = await tableOf(entry);
  const { target, task, categorical = [], folds, reference = {} } = entry;
  const before = process.cpuUsage();
  const foldOf = Array.from(folds, Number);
  const types = Object.fromEntries(categorical.map((name) => [name, 'category']));
  const { metrics, meanScore } = await crossValidate(engine, table, { target, task, types, foldOf });
  const { user, system } = process.cpuUsage(before);
  const calibration =
    metrics.task === 'classification'
      ? `ECE ${metrics.calibrationError.toFixed(3)}`
      : metrics.coverage.map(({ share }) => percent(share)).join(' / ');
  const { svc = NaN, rf = NaN, hgb = NaN } = reference;
  const cells = [meanScore, svc, rf, hgb].map((value) => (Number.isNaN(value) ? '-' : value.toFixed(4)));
  console.log(
    `| ${entry.name} | ${table.rows.length} x ${table.columns.length - 1} | ${cells.join(' | ')} | ${calibration} | ${((user + system) / 1e6).toFixed(1)} |`,
  );
}
engine.dispose();
