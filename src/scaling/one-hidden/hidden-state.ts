// Everything training changes in a one-hidden-layer net, out of wasm memory and back, bit by bit.
import type { HiddenNet } from './hidden-net.js';
import type { RunCheckpoint } from './run.js';

/** RangeError unless a state holds `length` numbers of `dtype` under a name. */
export function checkState(
  state: RunCheckpoint['state'],
  name: string,
  length: number,
  dtype: 'f32' | 'f64',
): void {
  const found = state[name];
  const Values = dtype === 'f32' ? Float32Array : Float64Array;
  if (found instanceof Values && found.length === length) return;
  const got = found ? `${found.length} of ${found.constructor.name}` : 'none';
  throw new RangeError(
    `train: the checkpoint is of another run: expected ${length} ${dtype} numbers "${name}", got ${got}. Delete it to start again.`,
  );
}

/** With `moments` those of a normalised optimiser too. */
export function saveState(net: HiddenNet, moments: boolean): RunCheckpoint['state'] {
  const { heap } = net.core;
  const Values = net.shape.dtype === 'f32' ? Float32Array : Float64Array;
  const parts = net.blocks.map((block) => net.changing(block, moments));
  const state: Record<string, Float32Array | Float64Array> = { steps: Float64Array.of(net.steps) };
  for (const name of Object.keys(parts[0]!)) {
    const all = new Values(parts.reduce((sum, part) => sum + part[name]!.length, 0));
    let at = 0;
    for (const { [name]: ticket } of parts) {
      all.set(heap.read(ticket!), at);
      at += ticket!.length;
    }
    state[name] = all;
  }
  return state;
}

/** RangeError where the state is of another net. */
export function restoreState(net: HiddenNet, state: RunCheckpoint['state'], moments: boolean): void {
  const lengths = new Map<string, number>([['steps', 1]]);
  for (const block of net.blocks)
    for (const [name, { length }] of Object.entries(net.changing(block, moments)))
      lengths.set(name, (lengths.get(name) ?? 0) + length);
  for (const [name, length] of lengths)
    checkState(state, name, length, name === 'steps' ? 'f64' : net.shape.dtype);
  net.steps = state['steps']![0]!;
  const at: Record<string, number> = {};
  for (const block of net.blocks) {
    for (const [name, ticket] of Object.entries(net.changing(block, moments))) {
      const from = at[name] ?? 0;
      net.core.heap.write(
        ticket,
        state[name]!.slice(from, from + ticket.length) as Float64Array<ArrayBuffer>,
      );
      at[name] = from + ticket.length;
    }
  }
}
