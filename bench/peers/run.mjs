// How does our gemm compare with other libraries of this runtime, one thread each? Interleaved rounds, CPU time, medians.
//   npm run build && cd bench/peers && npm install && node run.mjs [sizes]
import { resolveObjectURL } from 'node:buffer';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { Worker as Thread } from 'node:worker_threads';
import { createEngine } from '../../build/index.js';
import { gemm } from '../../build/math/matmul.js';

const sizes = (process.argv[2] ?? '64,256,1024').split(',').map(Number);
const ROUNDS = 7;
const require = createRequire(import.meta.url);
const cpu = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const inputs = (Type, n) => [0, 1].map((s) => Type.from({ length: n * n }, (_, i) => Math.sin(i + s)));

/** Each peer: a function of the size that returns one run of an n x n product; it reads the result back. */
const peers = {
  async ours() {
    const engine = await createEngine({ variant: 'auto' });
    const make = (dtype, Type) => (n) => {
      const region = engine.heap.region();
      const [a, b] = inputs(Type, n).map((x) => region.put(x));
      const c = region.alloc(dtype, n * n);
      return () => {
        gemm(engine, [a, b, c], [n, n, n]);
        return engine.heap.read(c);
      };
    };
    return {
      [`ours ${engine.variant} f32`]: make('f32', Float32Array),
      [`ours ${engine.variant} f64`]: make('f64', Float64Array),
    };
  },
  async tfjs() {
    const tf = await import('@tensorflow/tfjs-core');
    const wasm = await import('@tensorflow/tfjs-backend-wasm');
    wasm.setWasmPaths(`${dirname(require.resolve('@tensorflow/tfjs-backend-wasm'))}/`);
    wasm.setThreadsCount(1);
    await tf.setBackend('wasm');
    await tf.ready();
    return {
      'tfjs-wasm f32': (n) => {
        const [a, b] = inputs(Float32Array, n).map((x) => tf.tensor2d(x, [n, n]));
        return () => {
          const c = tf.matMul(a, b);
          const data = c.dataSync();
          c.dispose();
          return data;
        };
      },
    };
  },
  async onnxruntime() {
    const ort = await import('onnxruntime-web');
    ort.env.wasm.numThreads = 1;
    const make = (type, code, Type) => async (n) => {
      const session = await ort.InferenceSession.create(matmulModel(n, code), {
        executionProviders: ['wasm'],
      });
      const [a, b] = inputs(Type, n).map((x) => new ort.Tensor(type, x, [n, n]));
      return async () => (await session.run({ a, b })).c.data;
    };
    return {
      'onnxruntime-web f32': make('float32', 1, Float32Array),
      'onnxruntime-web f64': make('float64', 11, Float64Array),
    };
  },
  async jax() {
    // It needs a browser's Worker: without one its kernels and its memory do not fit together. One worker, for one thread.
    const worker = () => void (globalThis.Worker = BlobWorker);
    worker();
    Object.defineProperty(globalThis, 'navigator', {
      value: { ...globalThis.navigator, hardwareConcurrency: 1 },
      configurable: true,
    });
    const { defaultDevice, init, numpy } = await import('@jax-js/jax');
    await init('wasm');
    defaultDevice('wasm');
    return {
      'jax-js f32': (n) => {
        worker(); // others set it to Node's own when they start
        const [a, b] = inputs(Float32Array, n).map((x) => numpy.array(x).reshape([n, n]));
        return async () => numpy.matmul(a.ref, b.ref).data();
      },
    };
  },
  async mlMatrix() {
    const { Matrix } = await import('ml-matrix');
    return {
      'ml-matrix f64': (n) => {
        const [a, b] = inputs(Float64Array, n).map((x) => Matrix.from1DArray(n, n, x));
        return () => a.mmul(b);
      },
    };
  },
};

/** What jax-js uses of a browser's Worker made from a blob, on a thread of Node. */
class BlobWorker {
  #thread;
  constructor(url) {
    const bridge = `const { parentPort } = require('node:worker_threads');
      globalThis.self = globalThis;
      globalThis.postMessage = (message) => parentPort.postMessage(message);
      parentPort.on('message', (data) => globalThis.onmessage({ data }));\n`;
    this.#thread = resolveObjectURL(url)
      .text()
      .then((source) => {
        const thread = new Thread(bridge + source, { eval: true });
        thread.on('message', (data) => this.onmessage?.({ data }));
        thread.on('error', ({ message }) => this.onerror?.({ message }));
        return thread;
      });
  }
  postMessage(message) {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    void this.#thread.then((thread) => thread.postMessage(message));
  }
}

/** An ONNX model of one MatMul node, written by hand: no file, no converter. */
function matmulModel(n, elementType) {
  const varint = (x) => (x < 128 ? [x] : [(x & 127) | 128, ...varint(Math.floor(x / 128))]);
  const number = (field, x) => [...varint(field * 8), ...varint(x)];
  const bytes = (field, content) => [...varint(field * 8 + 2), ...varint(content.length), ...content];
  const text = (field, s) => bytes(field, [...new TextEncoder().encode(s)]);
  const shape = [0, 1].flatMap(() => bytes(1, number(1, n)));
  const value = (field, name) =>
    bytes(field, [...text(1, name), ...bytes(2, bytes(1, [...number(1, elementType), ...bytes(2, shape)]))]);
  const node = bytes(1, [...text(1, 'a'), ...text(1, 'b'), ...text(2, 'c'), ...text(4, 'MatMul')]);
  const graph = [...node, ...text(2, 'g'), ...value(11, 'a'), ...value(11, 'b'), ...value(12, 'c')];
  return Uint8Array.from([
    ...number(1, 8),
    ...bytes(8, [...text(1, ''), ...number(2, 13)]),
    ...bytes(7, graph),
  ]);
}

const makers = {};
for (const [name, load] of Object.entries(peers)) {
  try {
    Object.assign(makers, await load());
  } catch (error) {
    console.log(`${name}: not measured (${String(error.message ?? error).split('\n')[0]})`);
  }
}
for (const n of sizes) {
  const runs = {};
  for (const [name, make] of Object.entries(makers)) {
    try {
      const run = await make(n);
      await run(); // warm
      let turns = 1;
      for (;;) {
        const begin = cpu();
        for (let i = 0; i < turns; i++) await run();
        if (cpu() - begin > 40) break;
        turns *= 2;
      }
      runs[name] = { run, turns, rates: [] };
    } catch (error) {
      console.log(`${name} ${n}: not measured (${String(error.message ?? error).split('\n')[0]})`);
    }
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const one of Object.values(runs)) {
      const begin = cpu();
      for (let i = 0; i < one.turns; i++) await one.run();
      one.rates.push((2 * n ** 3 * one.turns) / (cpu() - begin) / 1e6);
    }
  }
  for (const [name, { rates }] of Object.entries(runs)) {
    const ours = Object.entries(runs).find(
      ([other]) => other.startsWith('ours') && other.endsWith(name.slice(-3)),
    );
    const ratio = ours ? median(ours[1].rates.map((rate, i) => rate / rates[i])).toFixed(2) : '';
    console.log(
      `n=${n}  ${name.padEnd(22)} ${median(rates).toFixed(2).padStart(7)} GFLOP/s   ours/this ${ratio}`,
    );
  }
}
process.exit(0);
