// Draws figures without a browser. Only the CLI imports this file: vega is an optional dependency.
import type { VegaLiteSpec } from './figure.js';

/** The figure as SVG text, or `null` when vega and vega-lite are not installed. */
export async function renderSvg(spec: VegaLiteSpec): Promise<string | null> {
  const tools = await load();
  if (!tools) return null;
  const { vega, lite } = tools;
  const compiled = lite.compile(spec as unknown as Parameters<typeof lite.compile>[0]).spec;
  const view = new vega.View(vega.parse(compiled), { renderer: 'none', logLevel: vega.Error });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}

interface Tools {
  readonly vega: typeof import('vega');
  readonly lite: typeof import('vega-lite');
}

let tools: Promise<Tools | null> | null = null;

function load(): Promise<Tools | null> {
  return (tools ??= Promise.all([import('vega'), import('vega-lite')]).then(
    ([vega, lite]) => {
      measureText(vega);
      return { vega, lite };
    },
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ERR_MODULE_NOT_FOUND') return null;
      throw error;
    },
  ));
}

// Without a canvas vega takes every character as 0.8 em wide, which pushes labels and legends apart.
// Advance widths of Helvetica in 1/1000 em, from the space (32) to the tilde (126).
const WIDTHS =
  '278278355556556889667191333333389584278333278278556556556556556556556556556556278278584584584556' +
  '1015667667722722667611778722278500667556833722778667778722667611722667944667667611278278278469556' +
  '333556556500556556278556556222222500222833556556556556333500278556500722500500500334260334584';
const ADVANCE: readonly number[] = splitWidths();

function splitWidths(): number[] {
  const widths: number[] = [];
  for (let at = 0; at < WIDTHS.length;) {
    const length = widths.length === 32 ? 4 : 3; // only '@' is wider than 999
    widths.push(Number(WIDTHS.slice(at, at + length)));
    at += length;
  }
  return widths;
}

function measureText(vega: Tools['vega']): void {
  const metrics = (vega as unknown as { textMetrics: { width: (item: TextItem, text: unknown) => number } })
    .textMetrics;
  metrics.width = (item, text) => {
    const bold = item.fontWeight === 'bold' || Number(item.fontWeight) >= 600 ? 1.06 : 1;
    let sum = 0;
    for (const char of String(text ?? '')) sum += ADVANCE[char.charCodeAt(0) - 32] ?? 600;
    return (sum / 1000) * (item.fontSize ?? 11) * bold;
  };
}

interface TextItem {
  readonly fontSize?: number;
  readonly fontWeight?: string | number;
}
