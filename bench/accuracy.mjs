// Runs array kernels on files of numbers, for bench/accuracy.py:
//   node bench/accuracy.mjs VARIANT DTYPE NAME INPUT... OUTPUT      (NAME of a kernel, or scalar:NAME)
import { readFileSync, writeFileSync } from 'node:fs';
import { createEngine } from '../build/index.js';
import * as scalar from '../build/math/elementary.js';

const [variant, dtype, name, ...files] = process.argv.slice(2);
const output = files.pop();
const FloatArray = dtype === 'f32' ? Float32Array : Float64Array;
const inputs = files.map((file) => new FloatArray(new Uint8Array(readFileSync(file)).buffer));
const n = inputs[0].length;

if (name.startsWith('scalar:')) {
  const f = scalar[name.slice(7)];
  writeFileSync(
    output,
    new Uint8Array(FloatArray.from({ length: n }, (_, i) => f(...inputs.map((x) => x[i]))).buffer),
  );
} else {
  const engine = await createEngine({ variant });
  engine.heap.scope((scope) => {
    const tickets = inputs.map((x) => scope.put(x));
    const out = scope.alloc(dtype, n);
    engine.kernels[`${name}_${dtype}`](n, ...tickets.map((ticket) => ticket.ptr), out.ptr);
    writeFileSync(output, new Uint8Array(engine.heap.read(out).buffer));
  });
  engine.dispose();
}
