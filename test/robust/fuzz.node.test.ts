// Calls with arguments of every wrong kind among right ones, and damaged files: a typed error that says what was wrong, or
// finite numbers; no hang, no message of the engine itself. Seeded. FUZZ_CALLS and FUZZ_FILES say how many (npm run fuzz).
import { deflateRawSync, gzipSync } from 'node:zlib';
import * as library from 'infinite-width';
import { afterAll, beforeAll, expect, it } from 'vitest';

const calls = Number(process.env['FUZZ_CALLS'] ?? 700);
const files = Number(process.env['FUZZ_FILES'] ?? 600);
const SLOWEST = 5000;

type Any = never;
let engine: library.Engine;
beforeAll(async () => {
  engine = await library.createEngine({ variant: 'simd', memoryBytes: 2 ** 26 });
});
afterAll(() => engine.dispose());

/** A stream of numbers in [0, 1). */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const itself: unknown[] = [];
itself.push(itself);
const wrong: readonly unknown[] = [
  ...[
    NaN,
    Infinity,
    -Infinity,
    -1,
    0,
    1.5,
    1e9,
    1e300,
    -1e-300,
    2 ** 53,
    '',
    'x',
    '3',
    null,
    undefined,
    true,
    1n,
    {},
    [],
  ],
  ...[[[]], [[NaN]], [[Infinity]], [['a']], [null], [1, [2]], itself, () => 1, new Date(0), new Map()],
  ...[
    new Float64Array(0),
    new Float32Array(3),
    Int32Array.of(1, 2),
    new Uint8Array(2),
    { data: [1], shape: [1] },
  ],
  ...[
    { data: new Float64Array(2), shape: [3] },
    { data: new Float64Array(4), shape: [2, 2] },
    { shape: [1] },
  ],
];

/** Engine-internal words: what the JavaScript engine says of a bug, and WebAssembly of a bad address. */
const INTERNAL =
  /Cannot (read|set|convert|destructure|mix|access|create)|is not (a function|iterable|defined|a constructor|an object)|undefined is not|Invalid (array|typed array|count|string) |Maximum call stack|out of bounds|unreachable|before initialization|heap out of memory|Converting circular|offset is out|reading '|structuredClone|could not be cloned|ArrayBuffer|BigInt/;

/** What is wrong with the end of a call, or null. */
async function verdict(run: () => unknown): Promise<string | null> {
  const begun = performance.now();
  let problem: string | null = null;
  try {
    problem = unsound(await run());
  } catch (error) {
    if (!(error instanceof Error)) problem = `threw ${String(error)}`;
    else if (!['RangeError', 'TypeError', 'NumericalError', 'UnsupportedError'].includes(error.name))
      problem = `${error.name}: ${error.message}`;
    else if (INTERNAL.test(error.message)) problem = `internal: ${error.name}: ${error.message}`;
    else if (!/^[\w $.:'/-]{2,80}?[ :]/.test(error.message) || error.message.length < 12)
      problem = `says nothing: ${error.message}`;
  }
  const took = performance.now() - begun;
  return problem ?? (took > SLOWEST ? `took ${Math.round(took)} ms` : null);
}

/** The first number in a result that is not finite. */
function unsound(value: unknown, path = 'result', depth = 0): string | null {
  if (typeof value === 'number') return Number.isFinite(value) ? null : `${path} is ${value}`;
  if (value instanceof Float64Array || value instanceof Float32Array) {
    const at = value.findIndex((x) => !Number.isFinite(x));
    return at < 0 ? null : `${path}[${at}] is ${value[at]}`;
  }
  if (depth > 4 || typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return null;
  for (const [key, inner] of Object.entries(value)) {
    const found = unsound(inner, `${path}.${key}`, depth + 1);
    if (found) return found;
  }
  return null;
}

const x = [[1, 2, 3], [0, -1, 2], [1, 2, 3], [0, 0, 0]]; // prettier-ignore
const y = [[1], [-1], [1], [0.5]];
const spd = [[2, 0.5, 0.1, 0], [0.5, 2, 0.3, 0], [0.1, 0.3, 1.5, 0], [0, 0, 0, 1]]; // prettier-ignore
const { dense, relu, erf } = library;
const net = [dense(8), relu(), dense(1)];
const smooth = [dense(8), erf(), dense(1)];
const model = (): library.Model => library.createModel(engine, net, { inputShape: [3] });

interface Case {
  readonly name: string;
  /** Right arguments; any of them, and any field of those that are records, may be replaced. */
  readonly args: () => unknown[];
  readonly call: (...args: Any[]) => unknown;
}
const of = (name: string, call: (...args: Any[]) => unknown, ...args: unknown[]): Case => ({
  name,
  args: () => args,
  call,
});
/** A function of a model made for the call. */
const withModel = (name: string, use: (made: library.Model, ...args: Any[]) => unknown, ...args: unknown[]): Case =>
  of(name, async (...given) => {
    using made = model();
    const result = use(made, ...given);
    if (typeof result === 'object' && result !== null && Symbol.asyncIterator in result) {
      let turns = 0;
      for await (const record of result as AsyncIterable<unknown>) if (++turns > 20) return record;
      return null;
    }
    return result;
  }, ...args); // prettier-ignore

const cases: readonly Case[] = [
  of('tensor', (data: Any, shape: Any) => library.tensor(data, shape).shape, new Float64Array(4), [2, 2]),
  of('parseNet', library.parseNet, {
    layer: 'conv',
    channels: 3,
    filter: [3],
    strides: [1],
    padding: 'SAME',
    wStd: 1.2,
    bStd: null,
  }),
  of('inferShapes', library.inferShapes, net, [3]),
  of(
    'planKernel',
    (...a: Any[]) => library.planKernel(engine, ...(a as unknown as [Any, Any])),
    net,
    [4, 3],
    [2, 3],
    { dtype: 'f64', tile: 2, masked: false, tolerance: 1e-8 },
  ),
  of('kernel', (...a: Any[]) => library.kernel(engine, ...(a as unknown as [Any, Any])), net, x, null, {
    get: 'ntk',
    dtype: 'f64',
    tile: 2,
    tolerance: 1e-10,
    frozen: [],
    maskConstant: 9,
    diagonalSpatial: false,
  }),
  of(
    'kernel of series',
    (...a: Any[]) => library.kernel(engine, ...(a as unknown as [Any, Any])),
    [dense(4, { wStd: 1.2 }), { layer: 'tanh' }, dense(1)],
    x,
    x,
    {},
  ),
  of('dense', (...a: Any[]) => library.dense(...(a as unknown as [Any, Any])), 8, {
    wStd: 1,
    bStd: 0.1,
    parametrization: 'ntk',
  }),
  of(
    'createModel',
    (document: Any, options: Any) => {
      using made = library.createModel(engine, document, options);
      return made.parameterCount;
    },
    net,
    { inputShape: [3], seed: 1, dtype: 'f64', init: 'gaussian', width: 16, baseWidth: 8 },
  ),
  withModel('forward', (made, a: Any, b: Any) => made.forward(a, b), x, {}),
  withModel(
    'gradients',
    (made, a: Any, b: Any, loss: Any, o: Any) => made.gradients(a, b, loss, o).loss,
    x,
    y,
    'mse',
    { reduction: 'mean' },
  ),
  withModel('setParameters', (made, list: Any) => made.setParameters(list), [{ w: [[1]] }]),
  withModel('train', (made, options: Any) => library.train(made, options), {
    x,
    y,
    loss: 'mse',
    steps: 3,
    batchSize: 2,
    seed: 1,
    reduction: 'mean',
    recordEvery: 1,
    shuffle: true,
    optimizer: { kind: 'adam', learningRate: 0.01, beta1: 0.9, beta2: 0.99, eps: 1e-8 },
  }),
  withModel('empiricalNtk', (made, a: Any, b: Any, o: Any) => library.empiricalNtk(made, a, b, o), x, null, {
    outputs: 'trace',
    tile: 2,
  }),
  withModel(
    'planEmpiricalNtk',
    (made, a: Any, b: Any, o: Any) => library.planEmpiricalNtk(made, a, b, o),
    4,
    3,
    { outputs: 'trace', tile: 2 },
  ),
  of('cholesky', (a: Any, o: Any) => library.cholesky(engine, a, o), spd, { maxJitter: 1e-6 }),
  of('solve', (a: Any, b: Any, o: Any) => library.solve(engine, a, b, o), spd, y, {}),
  of('eigh', (a: Any) => library.eigh(engine, a), spd),
  of('matmul', (a: Any, b: Any, o: Any) => library.matmul(engine, a, b, o), spd, y, {
    alpha: 1,
    transposeA: false,
  }),
  of(
    'tiledCholesky',
    (a: Any, o: Any) => library.tiledCholesky(engine, a, o),
    { n: 2, tile: 2, tiles: [Float64Array.of(2, 0, 1, 2)] },
    {},
  ),
  of(
    'gradientDescentMse',
    async (o: Any, t: Any) => (await library.gradientDescentMse(engine, o)(t)).train,
    { ntk: spd, y, learningRate: 1, diagReg: 0.1, momentum: null },
    [0, 1, 5],
  ),
  of(
    'gradientFlow',
    (o: Any, t: Any, c: Any) => library.gradientFlow(engine, o)(t, c),
    { ntk: spd, y, loss: 'huber', learningRate: 0.5, momentum: 0.5, rtol: 1e-6, atol: 1e-6, maxSteps: 500 },
    [0.5, 2],
    {},
  ),
  of('predict', (document: Any, o: Any) => library.predict(engine, document, o), smooth, {
    xTrain: x,
    yTrain: y,
    xTest: x,
    diagReg: 1e-2,
    time: 3,
    learningRate: 0.5,
  }),
  of('normal', (key: Any, count: Any) => library.normal(engine, key, count), library.randomKey(1), 10),
  of('randomKey', library.randomKey as never, 3),
  of('readCsv', library.readCsv as never, 'a,b\n1,2\n', { separator: ',', header: true, categorical: [] }),
  of('parseTable', library.parseTable as never, 'a,b\n1,2\n', { delimiter: ',' }),
  of('classify', library.classify as never, { qSigma: -0.5, qTilde: 0 }),
];

/** The arguments with one of them, or one field of one, replaced, now and then two. */
function spoil(args: readonly unknown[], draw: () => number): unknown[] {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(draw() * list.length)]!;
  const result = [...args];
  for (let turns = draw() < 0.2 ? 2 : 1; turns > 0; turns--) {
    const at = Math.floor(draw() * result.length);
    const value = result[at];
    const isRecord =
      typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
    if (isRecord && draw() < 0.8) {
      const keys = Object.keys(value);
      const key =
        keys.length === 0 || draw() < 0.1 ? pick(['seeds', 'foo', 'learningrate', '__proto__x']) : pick(keys);
      result[at] = { ...value, [key]: pick(wrong) };
    } else if (Array.isArray(value) && value.length > 0 && draw() < 0.5) {
      const copy = [...(value as unknown[])];
      copy[Math.floor(draw() * copy.length)] = pick(wrong);
      result[at] = copy;
    } else if (draw() < 0.1) result.length = at;
    else result[at] = pick(wrong);
  }
  return result;
}

const shown = (value: unknown): string => {
  try {
    return (
      JSON.stringify(value, (_, v: unknown) =>
        typeof v === 'bigint' || typeof v === 'symbol' || (typeof v === 'number' && !Number.isFinite(v))
          ? String(v)
          : v,
      ) ?? String(value)
    ).slice(0, 300);
  } catch {
    return 'a value that holds itself';
  }
};

it('the right arguments are right', { timeout: 60_000 }, async () => {
  for (const { name, args, call } of cases) {
    if (name === 'setParameters') continue;
    await expect((async () => call(...(args() as Any[])))(), name).resolves.toBeDefined();
  }
});

it(
  'calls with wrong arguments end in finite numbers or in an error that says what was wrong',
  { timeout: 3_600_000 },
  async () => {
    const draw = random(14);
    const found: string[] = [];
    const { used } = engine.heap.usage;
    for (let i = 0; i < calls && found.length < 40; i++) {
      const { name, args, call } = cases[i % cases.length]!;
      const given = spoil(args(), draw);
      const problem = await verdict(() => call(...(given as Any[])));
      if (problem) found.push(`${name}(${given.map(shown).join(', ')}): ${problem}`);
    }
    expect(found).toEqual([]);
    expect(engine.heap.usage.used, 'memory of failed calls is given back').toBe(used);
    expect(engine.heap.usage.peak).toBeLessThan(2 ** 27);
  },
);

const idx = Buffer.concat([Buffer.of(0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 4), Buffer.alloc(32, 7)]);
const whole: Readonly<Record<string, () => Promise<Uint8Array>>> = {
  npy: async () => library.writeNpy({ data: Float64Array.from({ length: 12 }, (_, i) => i), shape: [3, 4] }),
  npz: async () =>
    library.writeNpz(
      {
        x: { data: new Float64Array(6).fill(2), shape: [2, 3] },
        y: { data: new Float64Array(2), shape: [2] },
      },
      { note: 'n' },
    ),
  idx: async () => idx,
  gz: async () => gzipSync(idx),
  cifar: async () => Buffer.alloc(2 * 3073, 3),
  csv: async () => Buffer.from('a;b;"c d"\n1;2;x\n3;4e2;"y ""z"\n'),
  json: async () =>
    Buffer.from(
      JSON.stringify([
        { layer: 'dense', units: 3 },
        { layer: 'repeat', times: 2, net: { layer: 'relu' } },
        { layer: 'dense', units: 1 },
      ]),
    ),
  deflated: async () => deflateRawSync(idx),
};
const file = (bytes: Uint8Array) => [
  { name: 'f.gz', read: async () => Uint8Array.from(bytes) as Uint8Array<ArrayBuffer> },
];
const limit = { memoryBytes: 2 ** 22 };
const readers: Readonly<Record<string, (bytes: Uint8Array) => unknown>> = {
  npy: (bytes) => library.readNpy(bytes, 'f.npy', limit),
  npz: (bytes) => library.readNpz(bytes, 'f.npz', limit),
  idx: (bytes) => library.readImages(file(bytes), limit),
  gz: (bytes) => library.readImages(file(bytes), limit),
  cifar: (bytes) => library.readImages(file(bytes), { ...limit, limit: 1 }),
  csv: (bytes) => library.parseTable(new TextDecoder().decode(bytes)),
  json: (bytes) => {
    const text = new TextDecoder().decode(bytes);
    let document: unknown;
    try {
      document = JSON.parse(text);
    } catch {
      return null; // JSON says so itself
    }
    return library.kernel(engine, document as Any, x);
  },
  deflated: (bytes) => library.readImages(file(bytes), limit),
};

/** A copy with bytes changed, cut out, put in or repeated, digits of headers among them. */
function damage(bytes: Uint8Array, draw: () => number): Uint8Array {
  let result = Uint8Array.from(bytes);
  for (let turns = 1 + Math.floor(draw() * 3); turns > 0 && result.length > 0; turns--) {
    const at = Math.floor(draw() * result.length);
    const how = draw();
    if (how < 0.3) result[at] = Math.floor(draw() * 256);
    else if (how < 0.45) result[at]! ^= 1 << Math.floor(draw() * 8);
    else if (how < 0.6) result = result.slice(0, at);
    else if (how < 0.7)
      result = Uint8Array.from([
        ...result.subarray(0, at),
        ...result.subarray(at + 1 + Math.floor(draw() * 8)),
      ]);
    else if (how < 0.8) result = Uint8Array.from([...result, ...result.subarray(at)]);
    else if (how < 0.9) {
      const digits = [...result.keys()].filter((i) => result[i]! >= 48 && result[i]! <= 57);
      if (digits.length > 0)
        result[digits[Math.floor(draw() * digits.length)]!] = 48 + Math.floor(draw() * 10);
    } else result.fill(draw() < 0.5 ? 255 : 0, at, at + 4);
  }
  return result;
}

it('damaged files are errors, or arrays of the shape they say', { timeout: 3_600_000 }, async () => {
  const draw = random(21);
  const found: string[] = [];
  const kinds = Object.keys(whole);
  for (let i = 0; i < files && found.length < 40; i++) {
    const kind = kinds[i % kinds.length]!;
    const bytes = damage(await whole[kind]!(), draw);
    const before = process.memoryUsage().arrayBuffers;
    // Numbers of a damaged .npy may be any bits; what counts is that there are as many as the shape says.
    const problem = await verdict(async () => {
      const result = await readers[kind]!(bytes);
      return ['npy', 'npz'].includes(kind) ? sized(result) : result;
    });
    const grown = process.memoryUsage().arrayBuffers - before;
    if (problem) found.push(`${kind} ${i}: ${problem}`);
    else if (grown > 2 ** 25) found.push(`${kind} ${i}: grew by ${grown} bytes`);
  }
  expect(found).toEqual([]);
});

function sized(result: unknown): null {
  const tensors = Object.values((result as { arrays?: object }).arrays ?? { result }) as library.Tensor[];
  for (const { data, shape } of tensors) expect(data.length).toBe(shape.reduce((a, b) => a * b, 1));
  return null;
}
