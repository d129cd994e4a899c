// Small SVG charts: axes, curves, bands, and where a click landed.

type Attributes = Readonly<Record<string, string | number>>;

export function draw(parent: Element, name: string, attributes: Attributes, text = ''): SVGElement {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  if (text) element.textContent = text;
  parent.append(element);
  return element;
}

export interface ChartAxis {
  readonly label: string;
  readonly domain: readonly [number, number];
  readonly log?: boolean;
}

export interface ChartOptions {
  readonly x: ChartAxis;
  readonly y: ChartAxis;
  readonly width?: number;
  readonly height?: number;
}

const MARGIN = { top: 12, right: 16, bottom: 42, left: 56 };

/** An emptied chart with its axes drawn. Curves go into `plot`, clipped to the plotting area. */
export class Chart {
  readonly svg: SVGSVGElement;
  readonly plot: SVGElement;
  readonly x: (value: number) => number;
  readonly y: (value: number) => number;
  readonly #options: ChartOptions;
  readonly #width: number;
  readonly #height: number;
  #legendAt: number;

  constructor(svg: SVGSVGElement, options: ChartOptions) {
    const { width = 860, height = 360 } = options;
    this.svg = svg;
    this.#options = options;
    this.#width = width;
    this.#height = height;
    this.#legendAt = MARGIN.left + 12;
    svg.replaceChildren();
    svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
    this.x = scale(options.x, MARGIN.left, width - MARGIN.right);
    this.y = scale(options.y, height - MARGIN.bottom, MARGIN.top);
    this.#axes();
    const clip = `clip-${svg.closest('section')?.id ?? 'chart'}-${Chart.#count++}`;
    const shape = draw(draw(svg, 'clipPath', { id: clip }), 'rect', {
      x: MARGIN.left,
      y: MARGIN.top,
      width: width - MARGIN.left - MARGIN.right,
      height: height - MARGIN.top - MARGIN.bottom,
    });
    shape.setAttribute('fill', 'none');
    this.plot = draw(svg, 'g', { 'clip-path': `url(#${clip})` });
  }
  static #count = 0;

  curve(x: ArrayLike<number>, y: ArrayLike<number>, className: string): void {
    draw(this.plot, 'path', { d: this.#path(x, y), class: `curve stroked ${className}` });
  }

  band(x: ArrayLike<number>, low: ArrayLike<number>, high: ArrayLike<number>, className: string): void {
    const back = this.#path(Array.from(x).reverse(), Array.from(low).reverse()).replace('M', 'L');
    draw(this.plot, 'path', { d: `${this.#path(x, high)}${back}Z`, class: `band filled ${className}` });
  }

  /** Adds an entry to the legend above the plot. */
  legend(name: string, className: string): void {
    const y = MARGIN.top + 6;
    draw(this.svg, 'line', {
      x1: this.#legendAt,
      x2: this.#legendAt + 18,
      y1: y,
      y2: y,
      class: `curve stroked ${className}`,
    });
    draw(this.svg, 'text', { x: this.#legendAt + 24, y: y + 4, class: 'label' }, name);
    this.#legendAt += 24 + name.length * 6.6 + 22;
  }

  /** The data coordinates of a click. */
  at(event: MouseEvent): readonly [number, number] {
    const box = this.svg.getBoundingClientRect();
    const px = ((event.clientX - box.left) / box.width) * this.#width;
    const py = ((event.clientY - box.top) / box.height) * this.#height;
    const { x, y } = this.#options;
    const part = (px - MARGIN.left) / (this.#width - MARGIN.left - MARGIN.right);
    const up = (this.#height - MARGIN.bottom - py) / (this.#height - MARGIN.top - MARGIN.bottom);
    return [x.domain[0] + part * (x.domain[1] - x.domain[0]), y.domain[0] + up * (y.domain[1] - y.domain[0])];
  }

  #path(x: ArrayLike<number>, y: ArrayLike<number>): string {
    let path = '';
    for (let i = 0; i < x.length; i++) {
      const [px, py] = [this.x(x[i]!), this.y(y[i]!)];
      if (!Number.isFinite(px) || !Number.isFinite(py)) continue;
      path += `${path ? 'L' : 'M'}${px.toFixed(1)},${Math.max(-1e4, Math.min(1e4, py)).toFixed(1)}`;
    }
    return path;
  }

  #axes(): void {
    const { x, y } = this.#options;
    const [left, right] = [MARGIN.left, this.#width - MARGIN.right];
    const [top, bottom] = [MARGIN.top, this.#height - MARGIN.bottom];
    for (const tick of ticks(x)) {
      draw(this.svg, 'line', { x1: this.x(tick), x2: this.x(tick), y1: top, y2: bottom, class: 'grid' });
      draw(this.svg, 'text', { x: this.x(tick), y: bottom + 17, 'text-anchor': 'middle' }, label(tick));
    }
    for (const tick of ticks(y)) {
      draw(this.svg, 'line', { x1: left, x2: right, y1: this.y(tick), y2: this.y(tick), class: 'grid' });
      draw(this.svg, 'text', { x: left - 8, y: this.y(tick) + 4, 'text-anchor': 'end' }, label(tick));
    }
    draw(this.svg, 'path', { d: `M${left},${top}V${bottom}H${right}`, class: 'axis' });
    draw(this.svg, 'text', { x: (left + right) / 2, y: this.#height - 6, 'text-anchor': 'middle' }, x.label);
    const middle = (top + bottom) / 2;
    draw(
      this.svg,
      'text',
      { x: 14, y: middle, 'text-anchor': 'middle', transform: `rotate(-90 14 ${middle})` },
      y.label,
    );
  }
}

function scale(
  { domain: [from, to], log }: ChartAxis,
  start: number,
  end: number,
): (value: number) => number {
  const map = log ? Math.log : Number;
  const [a, b] = [map(from), map(to)];
  return (value) => start + ((map(value) - a) / (b - a)) * (end - start);
}

function ticks({ domain: [from, to], log }: ChartAxis): number[] {
  if (log) {
    const steps = Math.log10(to / from) < 1.7 ? [1, 2, 5] : [1];
    const powers = Array.from({ length: 40 }, (_, i) => i - 20);
    return powers
      .flatMap((power) => steps.map((step) => Number(`${step}e${power}`)))
      .filter((tick) => tick >= from * 0.999 && tick <= to * 1.001);
  }
  const rough = (to - from) / 6;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size >= rough)!;
  const first = Math.ceil(from / step - 1e-9);
  return Array.from({ length: Math.floor(to / step + 1e-9) - first + 1 }, (_, i) => (first + i) * step);
}

const label = (tick: number): string => String(Number(tick.toPrecision(6))).replace('-', '−');
