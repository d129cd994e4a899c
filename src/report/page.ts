// One HTML file with everything in it: no scripts, no network.
import type { Figure } from './figure.js';
import { jsonText, type Result } from './result.js';
import { formatNumber, type Table } from './table.js';
import { INK } from './theme.js';

export interface ReportPage {
  readonly title: string;
  /** One or two sentences under the title. */
  readonly lead?: string;
  readonly result: Result;
  /** Figures with their SVG; without one the page says how to get it. */
  readonly figures: readonly (Figure & { readonly svg?: string })[];
  readonly tables: readonly Table[];
  /** Sources of the data, and their licences. */
  readonly credits?: readonly string[];
}

/** The page as text. It opens offline and prints well. */
export function reportPage({ title, lead, result, figures, tables, credits = [] }: ReportPage): string {
  const { version, variant, seed, settings } = result.provenance;
  const facts = [
    `infinite-width ${version}`,
    `kernels ${variant}`,
    ...(seed === undefined ? [] : [`seed ${seed}`]),
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>${escape(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<header><h1>${escape(title)}</h1>${lead ? `<p class="lead">${escape(lead)}</p>` : ''}<p class="facts">${facts.map(escape).join(' · ')}</p></header>
<main>
${tables.map(tableHtml).join('\n')}
${figures.map(figureHtml).join('\n')}
<details><summary>Settings</summary><pre>${escape(jsonText(settings).trim())}</pre></details>
</main>
${credits.length ? `<footer>${credits.map((credit) => `<p>${escape(credit)}</p>`).join('')}</footer>` : ''}
<script type="application/json" id="result">${jsonText(result, 0).trim().replaceAll('<', '\\u003c')}</script>
</body>
</html>
`;
}

function figureHtml({ name, title, caption, svg }: Figure & { svg?: string }, index: number): string {
  const picture = svg
    ? inlineSvg(svg, title, `f${index}-`)
    : `<p class="missing">Not drawn: the optional packages vega and vega-lite are not installed. The figure is in ${escape(name)}.vl.json.</p>`;
  return `<figure id="${escape(name)}">${picture}<figcaption><b>Figure ${index + 1}.</b> ${escape(caption ?? title)}</figcaption></figure>`;
}

/** The page's colours instead of ink on white, names for screen readers, ids that differ between figures. */
function inlineSvg(svg: string, title: string, prefix: string): string {
  const size = /width="(\d+(?:\.\d+)?)"/.exec(svg)?.[1];
  return svg
    .replace(/<\?xml[^>]*>|<!DOCTYPE[^>]*>/g, '')
    .replace(/<rect width="[\d.]+" height="[\d.]+" fill="white"\s*(?:\/>|><\/rect>)/, '')
    .replaceAll(INK, 'currentColor')
    .replace(/\b(id="|url\(#|href="#)/g, `$1${prefix}`)
    .replace(
      '<svg ',
      // a function: signs such as $& in a title are not patterns
      () => `<svg role="img" aria-label="${escape(title)}" ${size ? `style="max-width:${size}px" ` : ''}`,
    );
}

function tableHtml({ title, columns, rows, note }: Table): string {
  const right = columns.map((_, i) => rows.length > 0 && rows.every((row) => typeof row[i] === 'number'));
  const cell = (tag: string, text: string, i: number): string =>
    `<${tag}${right[i] ? ' class="number"' : ''}>${escape(text)}</${tag}>`;
  const body = rows.map(
    (row) =>
      `<tr>${row.map((item, i) => cell('td', typeof item === 'number' ? formatNumber(item) : item, i)).join('')}</tr>`,
  );
  return `<section class="table"><h2>${escape(title)}</h2><div class="scroll"><table><thead><tr>${columns.map((column, i) => cell('th', column, i)).join('')}</tr></thead><tbody>${body.join('')}</tbody></table></div>${note ? `<p class="note">${escape(note)}</p>` : ''}</section>`;
}

const escape = (text: string): string =>
  text.replace(/[&<>"]/g, (char) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[char]!);

const STYLE = `
:root{color-scheme:light dark;--paper:#fff;--ink:#1c1c1c;--soft:#5c5c5c;--line:#dcdcdc}
@media(prefers-color-scheme:dark){:root{--paper:#16181b;--ink:#e8e6e3;--soft:#a5a29d;--line:#383b40}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:62rem;padding:2.5rem 1.25rem 4rem;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,"Segoe UI",Helvetica,Arial,sans-serif}
h1{font-size:1.75rem;line-height:1.2;margin:0 0 .5rem}
h2{font-size:1.05rem;margin:2.25rem 0 .6rem}
.lead{max-width:46rem;margin:.25rem 0}
.facts,.note,footer,figcaption{color:var(--soft);font-size:.875rem}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}
th{font-weight:600;text-align:left;border-bottom:1.5px solid var(--ink)}
th,td{padding:.3rem .9rem .3rem 0;white-space:nowrap}
td{border-bottom:1px solid var(--line)}
.number{text-align:right}
figure{margin:2.5rem 0}
figure svg{width:100%;height:auto;display:block}
figcaption{max-width:46rem;margin-top:.5rem}
details{margin-top:2.5rem}
pre{overflow-x:auto;font-size:.8rem}
footer{margin-top:2rem;border-top:1px solid var(--line)}
@media print{body{max-width:none;padding:0}figure,section{break-inside:avoid}}
`;
