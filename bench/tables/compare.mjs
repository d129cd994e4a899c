// How good is the automatic default of `fit` on tables nobody tuned for, beside well-known methods at their defaults?
//   node bench/tables/compare.mjs [FOLDER] [GROUP ...]      default: the five tables of the tests
// FOLDER is what `prepare.py` writes. One line per table: the score (mean over folds of accuracy or R^2) and the loss (log
// loss in nats, or the interval score at 90 % in standard deviations of the target) of every method, ours first; then
// calibration: the expected error of probabilities, or the coverage of 90 % intervals in each third of the predictions.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadDigits } from '../../build/data/index.js';
import { createEngine } from '../../build/index.js';
import { crossValidate, parseTable } from '../../build/predict/index.js';

const [given, ...groups] = process.argv.slice(2);
const folder = given ?? new URL('../../test/predict/data', import.meta.url).pathname;
const list = JSON.parse(readFileSync(join(folder, 'tables.json'), 'utf8'));
const engine = await createEngine({ variant: 'simd' });
const METHODS = ['linear', 'svc', 'forest', 'boosting', 'lightgbm', 'catboost'];

async function tableOf({ name }) {
  if (name !== 'digits') return parseTable(readFileSync(join(folder, `${name}.csv`), 'utf8'), { name });
  const { x, labels } = await loadDigits();
  const columns = [...Array.from({ length: 64 }, (_, k) => `p${k}`), 'class'];
  const rows = Array.from(labels.data, (label, i) => [...x.data.subarray(i * 64, (i + 1) * 64), `c${label}`]);
  return { columns, rows };
}

/** Interval score at 90 % (Gneiting and Raftery 2007) over the deviation, and coverage in thirds of the predictions. */
function intervalsOf({ mean, intervals }, truth) {
  const { low, high } = intervals.find(({ level }) => level === 0.9);
  const y = truth.map(Number);
  const average = y.reduce((a, b) => a + b, 0) / y.length;
  const deviation = Math.sqrt(y.reduce((sum, value) => sum + (value - average) ** 2, 0) / (y.length - 1));
  const score = y.map((v, i) => high[i] - low[i] + 20 * (Math.max(low[i] - v, 0) + Math.max(v - high[i], 0)));
  const order = [...y.keys()].sort((a, b) => mean[a] - mean[b]);
  const thirds = [0, 1, 2].map((k) => {
    const part = order.slice(Math.floor((k * y.length) / 3), Math.floor(((k + 1) * y.length) / 3));
    return part.filter((i) => y[i] >= low[i] && y[i] <= high[i]).length / part.length;
  });
  return { loss: score.reduce((a, b) => a + b, 0) / y.length / deviation, thirds };
}

const show = (value) => (value === undefined ? '-' : value.toFixed(3));
const ranks = { score: [], loss: [] };
const rankOf = (own, others, better) =>
  1 + others.filter((other) => other !== undefined && better(other, own)).length;
console.log(`| table | rows x columns | ours | ${METHODS.join(' | ')} | calibration | chosen | CPU s |`);
console.log(`|---|---|---|${METHODS.map(() => '---|').join('')}---|---|---|`);
for (const entry of list) {
  if (groups.length > 0 && !groups.includes(entry.group) && !groups.includes(entry.name)) continue;
  const table = await tableOf(entry);
  const { target, task, categorical = [], folds, reference = {} } = entry;
  const before = process.cpuUsage();
  const foldOf = Array.from(folds, Number);
  const types = Object.fromEntries(categorical.map((name) => [name, 'category']));
  const found = await crossValidate(engine, table, { target, task, types, foldOf });
  const { metrics, meanScore, prediction, truth } = found;
  const { user, system } = process.cpuUsage(before);
  const { loss, thirds } =
    task === 'classification' ? { loss: metrics.logLoss } : intervalsOf(prediction, truth);
  const others = METHODS.map((method) => reference[method] ?? []);
  const [scores, losses] = [0, 1].map((k) => others.map((pair) => pair[k]));
  ranks.score.push(rankOf(meanScore, scores, (other, own) => other > own + 0.0005));
  ranks.loss.push(rankOf(loss, losses, (other, own) => other < own - 0.0005));
  const calibration =
    task === 'classification' ? `ECE ${metrics.calibrationError.toFixed(3)}` : thirds.map(show).join(' / ');
  const cells = [[meanScore, loss], ...others].map(([a, b]) => `${show(a)}, ${show(b)}`);
  console.log(
    `| ${entry.name} | ${table.rows.length} x ${table.columns.length - 1} | ${cells.join(' | ')} | ${calibration} | ${found.chosen ?? ''} | ${((user + system) / 1e6).toFixed(1)} |`,
  );
}
const mean = (values) => (values.reduce((a, b) => a + b, 0) / values.length).toFixed(2);
console.log(
  `\nMean rank of ours among ${METHODS.length + 1}: ${mean(ranks.score)} by score, ${mean(ranks.loss)} by loss`,
);
engine.dispose();
