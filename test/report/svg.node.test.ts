import { lineFigure } from 'infinite-width';
import { renderSvg } from '#build/report/svg.js';
import { expect, it } from 'vitest';

it('draws a figure without a browser, with every name in the legend', async () => {
  const panel = {
    x: { label: 'width', scale: 'log' as const },
    y: { label: 'loss (nats)' },
    series: [
      { name: 'mean-field', x: [1, 10], y: [1, 2], low: [0.5, 1.5], high: [1.5, 2.5] },
      { name: 'NTK', x: [1, 10], y: [2, 1], points: true },
    ],
    rules: [{ axis: 'y' as const, value: 1.2, label: 'chance' }],
  };
  const svg = await renderSvg(lineFigure({ name: 'f', title: 'Two limits', panels: [panel] }).spec);
  for (const word of ['Two limits', 'mean-field', 'NTK', 'chance', 'loss (nats)', 'width']) {
    expect(svg).toContain(`>${word}<`);
  }
  expect(svg).not.toContain('NaN');
  expect(svg!.length).toBeLessThan(40_000);
});
