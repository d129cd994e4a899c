// Labelled inputs that tell their owner when they change.

export interface RangeOptions {
  readonly label: string;
  readonly values: readonly number[];
  readonly start: number;
  readonly show?: (value: number) => string;
}

/** A slider over a list of values; returns what gives the chosen one. */
export function range(
  parent: Element,
  { label, values, start, show = String }: RangeOptions,
  changed: () => void,
): () => number {
  const input = document.createElement('input');
  input.type = 'range';
  input.min = '0';
  input.max = String(values.length - 1);
  input.value = String(values.indexOf(start));
  const output = document.createElement('output');
  const value = (): number => values[Number(input.value)]!;
  const update = (): void => void (output.value = show(value()));
  update();
  input.addEventListener('input', () => {
    update();
    changed();
  });
  const box = document.createElement('label');
  const line = document.createElement('span');
  line.append(`${label} `, output);
  box.append(line, input);
  parent.append(box);
  return value;
}

export function choice(
  parent: Element,
  label: string,
  options: readonly string[],
  changed: () => void,
): () => string {
  const select = document.createElement('select');
  for (const option of options) select.append(new Option(option));
  select.addEventListener('change', changed);
  const box = document.createElement('label');
  box.append(label, select);
  parent.append(box);
  return () => select.value;
}

export function button(parent: Element, label: string, pressed: () => void): void {
  const element = document.createElement('button');
  element.type = 'button';
  element.textContent = label;
  element.addEventListener('click', pressed);
  parent.append(element);
}

/** Runs `task` after a pause in the calls, and again after the last call while it ran. */
export function settled(
  task: (signal: AbortSignal) => Promise<void>,
  failed: (error: unknown) => void,
): () => void {
  let running = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  return () => {
    running.abort();
    running = new AbortController();
    const { signal } = running;
    clearTimeout(timer);
    timer = setTimeout(() => {
      task(signal).catch((error: unknown) => {
        if (!signal.aborted) failed(error);
      });
    }, 60);
  };
}
