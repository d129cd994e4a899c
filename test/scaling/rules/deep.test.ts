// The deep classifier: 17 parametrisations with their exact verdicts, the plane inside it, and 100,000 random tables.
import { describe, expect, it } from 'vitest';
import { classify, classifyDepth, type DeepClass, type Exponent, type RuleOptimizer } from 'infinite-width';

const L = 3;
const layers = (first: Exponent, hidden: Exponent, last: Exponent): Exponent[] => [
  first,
  hidden,
  hidden,
  last,
];

interface Example {
  readonly name: string;
  readonly optimizer: RuleOptimizer;
  readonly a: Exponent[];
  readonly b: Exponent[];
  readonly c: Exponent[];
  readonly A: string;
  readonly C: string;
  readonly rLayers: string;
  readonly class: DeepClass;
  readonly uniform?: boolean;
  readonly maximal?: boolean;
  /** Predicted powers of the change of (h_1, h_2, h_3, f) in the first step. */
  readonly first?: readonly number[];
  readonly eps?: string;
}

const H = '1/2';
const SP = [layers(0, 0, 0), layers(0, H, H)] as const;
const EXAMPLES: Example[] = [
  {
    name: 'SP, rate 1',
    optimizer: 'sgd',
    a: SP[0],
    b: SP[1],
    c: layers(0, 0, 0),
    A: '0,1/2,1/2,1/2',
    C: '0,0,0,0',
    rLayers: '0,-1,-1',
    class: 'unstable',
  },
  {
    name: 'SP, rate n^-1/2',
    optimizer: 'sgd',
    a: SP[0],
    b: SP[1],
    c: layers(H, H, H),
    A: '0,1/2,1/2,1/2',
    C: '1/2,1/2,1/2,1/2',
    rLayers: '1,0,0',
    class: 'unstable',
    first: [-1, 0, 0, 0.5],
  },
  {
    name: 'SP, rate 1/n',
    optimizer: 'sgd',
    a: SP[0],
    b: SP[1],
    c: layers(1, 1, 1),
    A: '0,1/2,1/2,1/2',
    C: '1,1,1,1',
    rLayers: '3/2,1/2,1/2',
    class: 'kernel',
    first: [-1.5, -0.5, -0.5, 0],
  },
  {
    name: 'NTP',
    optimizer: 'sgd',
    a: layers(0, H, H),
    b: layers(0, 0, 0),
    c: layers(0, 0, 0),
    A: '0,1/2,1/2,1/2',
    C: '0,1,1,1',
    rLayers: '1/2,1/2,1/2',
    class: 'kernel',
    uniform: true,
    first: [-0.5, -0.5, -0.5, 0],
  },
  {
    name: 'muP, one rate',
    optimizer: 'sgd',
    a: layers('-1/2', 0, H),
    b: layers(H, H, H),
    c: layers(0, 0, 0),
    A: '0,1/2,1/2,1',
    C: '-1,0,0,1',
    rLayers: '0,0,0',
    class: 'feature',
    uniform: true,
    maximal: true,
    first: [0, 0, 0, 0],
  },
  {
    name: 'muP, rate by layer',
    optimizer: 'sgd',
    a: layers(0, 0, 0),
    b: layers(0, H, 1),
    c: layers(-1, 0, 1),
    A: '0,1/2,1/2,1',
    C: '-1,0,0,1',
    rLayers: '0,0,0',
    class: 'feature',
    uniform: true,
    maximal: true,
    first: [0, 0, 0, 0],
  },
  {
    name: 'uniform 1/4',
    optimizer: 'sgd',
    a: layers(0, 0, 0),
    b: layers(0, H, '3/4'),
    c: layers('-1/2', H, 1),
    A: '0,1/2,1/2,3/4',
    C: '-1/2,1/2,1/2,1',
    rLayers: '1/4,1/4,1/4',
    class: 'kernel',
    uniform: true,
    first: [-0.25, -0.25, -0.25, 0],
  },
  {
    name: 'readout only',
    optimizer: 'sgd',
    a: layers(0, 0, 0),
    b: layers(0, H, 1),
    c: layers(1, 2, 1),
    A: '0,1/2,1/2,1',
    C: '1,2,2,1',
    rLayers: '2,2,2',
    class: 'kernel',
    uniform: true,
    first: [-2, -2, -2, 0],
  },
  {
    name: 'muP, input frozen',
    optimizer: 'sgd',
    a: layers(0, 0, 0),
    b: layers(0, H, 1),
    c: layers(1, 0, 1),
    A: '0,1/2,1/2,1',
    C: '1,0,0,1',
    rLayers: '2,0,0',
    class: 'feature',
    first: [-2, 0, 0, 0],
  },
  {
    name: 'small readout',
    optimizer: 'sgd',
    a: layers(0, 0, 0),
    b: layers(0, H, '3/2'),
    c: layers(-1, 0, '3/2'),
    A: '0,1/2,1/2,3/2',
    C: '-1,0,0,3/2',
    rLayers: '1/2,1/2,1/2',
    class: 'trivial',
    uniform: true,
    first: [-0.5, -0.5, -0.5, -0.5],
  },
  {
    name: 'deep mean field',
    optimizer: 'sgd',
    a: layers(0, 1, 1),
    b: layers(0, 0, 0),
    c: layers(-1, -1, -1),
    A: '0,1,1,1',
    C: '-1,1,1,1',
    rLayers: '0,1,1',
    class: 'unstable',
  },
  {
    name: 'Adam, SP, rate 1',
    optimizer: 'adam',
    a: SP[0],
    b: SP[1],
    c: layers(0, 0, 0),
    A: '0,1/2,1/2,1/2',
    C: '0,0,0,0',
    rLayers: '0,-1,-1',
    class: 'unstable',
    eps: '0,0,0,0',
  },
  {
    name: 'Adam, SP, rate 1/n',
    optimizer: 'adam',
    a: SP[0],
    b: SP[1],
    c: layers(1, 1, 1),
    A: '0,1/2,1/2,1/2',
    C: '1,1,1,1',
    rLayers: '1,0,0',
    class: 'unstable',
    first: [-1, 0, 0, 0.5],
    eps: '1/2,1/2,1/2,0',
  },
  {
    name: 'Adam, muP',
    optimizer: 'adam',
    a: layers(0, 0, 0),
    b: layers(0, H, 1),
    c: layers(0, 1, 1),
    A: '0,1/2,1/2,1',
    C: '0,1,1,1',
    rLayers: '0,0,0',
    class: 'feature',
    uniform: true,
    maximal: true,
    first: [0, 0, 0, 0],
    eps: '1,1,1,0',
  },
  {
    name: 'Adam, muP of the package',
    optimizer: 'adam',
    a: layers(0, 0, 1),
    b: layers(0, H, 0),
    c: layers(0, 1, 0),
    A: '0,1/2,1/2,1',
    C: '0,1,1,1',
    rLayers: '0,0,0',
    class: 'feature',
    uniform: true,
    maximal: true,
    first: [0, 0, 0, 0],
    eps: '1,1,1,1',
  },
  {
    name: 'Adam, NTP',
    optimizer: 'adam',
    a: layers(0, H, H),
    b: layers(0, 0, 0),
    c: layers(H, 1, H),
    A: '0,1/2,1/2,1/2',
    C: '1/2,3/2,3/2,1',
    rLayers: '1/2,1/2,1/2',
    class: 'kernel',
    uniform: true,
    first: [-0.5, -0.5, -0.5, 0],
    eps: '1/2,1,1,1/2',
  },
  {
    name: 'Adam, SP fully aligned',
    optimizer: 'adam',
    a: SP[0],
    b: SP[1],
    c: layers(H, '3/2', 1),
    A: '0,1/2,1/2,1/2',
    C: '1/2,3/2,3/2,1',
    rLayers: '1/2,1/2,1/2',
    class: 'kernel',
    uniform: true,
    first: [-0.5, -0.5, -0.5, 0],
    eps: '1/2,1/2,1/2,0',
  },
];

const value = (text: string): number => {
  const [top, bottom = '1'] = text.split('/');
  return Number(top) / Number(bottom);
};

describe('the deep classifier', () => {
  it.each(EXAMPLES)('says of $name ($optimizer) exactly what was derived', (example) => {
    const { a, b, c, optimizer } = example;
    const got = classify({ a, b, c, optimizer });
    expect([got.A, got.C, got.rLayers].map((list) => list.join(','))).toEqual([
      example.A,
      example.C,
      example.rLayers,
    ]);
    expect(got.class).toBe(example.class);
    expect(got.uniform).toBe(example.uniform ?? false);
    expect(got.maximal).toBe(example.maximal ?? false);
    expect(got.epsExponents?.join(',')).toBe(example.eps);
    expect(got.r).toBe(String(example.rLayers.split(',').sort((x, y) => value(x) - value(y))[0]));
    if (example.first) {
      expect([...got.firstChanges, got.logits.firstChange].map(value)).toEqual(
        example.first.map((x) => x + 0),
      );
    }
    expect(got.violations.length > 0).toBe(example.class === 'unstable');
    expect(got.hiddenLayers).toBe(L);
    // Invariants alone say the same.
    expect(classify({ A: got.A, C: got.C, optimizer })).toMatchObject({
      class: got.class,
      name: got.name,
      r: got.r,
    });
  });

  it('names the common choices, the unstable one people use among them, and says what fails', () => {
    const adam = classify({ a: [0, 0, 0, 0], b: [0, H, H, H], c: 1, optimizer: 'adam' });
    expect(adam.name).toBe('standard initialisation with the rate at 1/n everywhere');
    expect(adam.violations).toHaveLength(1);
    expect(adam.violations[0]).toMatchObject({ at: 'logits', layer: 4, power: '1/2' });
    expect(adam.words.join(' ')).toContain('grows like n^1/2');
    expect(classify({ A: [0, H, 1], C: [0, 1, 1], optimizer: 'adamw' }).name).toBe('maximal update (muP)');
    // The spectral family: U V^T at sqrt(out/in) is the maximal update.
    expect(classify({ a: [0, 0, 0], b: [0, H, 1], c: ['-1/2', 0, H], optimizer: 'muon' })).toMatchObject({
      class: 'feature',
      maximal: true,
      name: 'maximal update (spectral condition)',
      epsExponents: ['1/2', '0', '-1/2'],
    });
    // Adafactor with scale_parameter: the rate of hidden matrices falls like n^-1/2.
    expect(classify({ a: [0, 0, 0], b: [0, H, 1], c: [0, H, 0], optimizer: 'adafactor' }).maximal).toBe(true);
  });

  it('tells which layers learn, and whether epsilon is faithful', () => {
    const frozen = classify({ A: [0, H, H, 1], C: [1, 0, 0, 1] });
    expect(frozen.learns).toEqual([false, true, true]);
    const abc = { a: [0, 0, 0], b: [0, H, 1], c: [0, 1, 1], optimizer: 'adam' } as const;
    expect(classify(abc).faithful).toBe(true);
    expect(classify({ ...abc, d: [1, 1, 0] }).faithful).toBe(true);
    expect(classify({ ...abc, d: [0, 0, 0] }).faithful).toBe(false);
    expect(classify({ a: [0, 0, 0], b: [0, H, H], c: 0, optimizer: 'adam' }).faithful).toBe(false); // the readout outgrows its start
  });

  it('holds the plane of one hidden layer: 36 points and every named scaling of it', () => {
    let points = 0;
    for (const qSigma of [-1, -0.5, 0, -0.75]) {
      for (const u of [-0.5, 0, 0.25]) {
        for (const v of [-0.5, 0, -0.25]) {
          const plane = classify({ qSigma, qTildeA: u - qSigma, qTildeW: v - qSigma });
          const { deep } = plane;
          expect(value(deep.r)).toBe(-(v + Math.max(0, u)) + 0);
          const stable =
            qSigma <= -0.5 && v + Math.max(0, u) <= 0 && qSigma + 1 + Math.max(u, v + Math.max(0, u)) <= 0;
          expect(deep.stable, `${qSigma} ${u} ${v}`).toBe(stable);
          // Features move in the one exactly where kernels evolve in the other.
          if (deep.nontrivial && plane.symmetric)
            expect(deep.featureLearning).toBe(plane.properties.kernelsEvolve);
          points++;
        }
      }
    }
    expect(points).toBe(36);
    expect(classify({ qSigma: -1, qTilde: 1 }).deep).toMatchObject({
      name: 'maximal update (muP)',
      maximal: true,
    });
  });

  it('puts 100,000 random tables in one class each, and the gauge changes nothing', () => {
    let state = 12345;
    const next = (most: number): number => {
      state = (state * 1103515245 + 12345) % 2147483648;
      return Math.floor((state / 2147483648) * most);
    };
    const families = ['sgd', 'adam', 'muon', 'adafactor'] as const;
    const counts: Record<string, number> = {};
    const quarter = (n: number): { num: number; den: number } => ({ num: n, den: 4 });
    for (let i = 0; i < 100_000; i++) {
      const optimizer = families[i % 4]!;
      const size = 2 + next(3);
      // Close to stable ones, so that every class occurs.
      const A = Array.from(
        { length: size },
        (_, l) => (l === 0 ? 0 : l === size - 1 ? 2 + next(4) : 2) + (next(12) === 0 ? 1 : 0),
      );
      const a = A.map(() => next(9) - 4);
      const b = A.map((sum, l) => sum - a[l]!);
      const c = A.map((_, l) => (l === 0 ? -4 : 0) + next(9));
      const got = classify({ a: a.map(quarter), b: b.map(quarter), c: c.map(quarter), optimizer });
      const flags = [!got.stable, got.stable && !got.nontrivial, got.kernel, got.featureLearning];
      if (flags.filter(Boolean).length !== 1) throw new Error(`in ${flags.join()} : ${got.words.join(' ')}`);
      const named = (['unstable', 'trivial', 'kernel', 'feature'] as const)[flags.indexOf(true)];
      if (got.class !== named) throw new Error(`${got.class} is not ${named}`);
      counts[named] = (counts[named] ?? 0) + 1;
      if (i % 20 !== 0) continue;
      const t = A.map(() => next(9) - 4);
      const rate = { sgd: 2, adam: 1, muon: 1, adafactor: 0 }[optimizer];
      const moved = classify({
        a: a.map((al, l) => quarter(al + t[l]!)),
        b: b.map((bl, l) => quarter(bl - t[l]!)),
        c: c.map((cl, l) => quarter(cl - rate * t[l]!)),
        optimizer,
      });
      const of = ({ class: kind, A, C, rLayers, changes, logits, violations }: typeof got): string =>
        JSON.stringify([kind, A, C, rLayers, changes, logits, violations]);
      if (of(moved) !== of(got)) throw new Error(`the gauge changed ${of(got)} to ${of(moved)}`);
    }
    for (const kind of ['unstable', 'trivial', 'kernel', 'feature'])
      expect(counts[kind], kind).toBeGreaterThan(300);
  }, 60_000);

  it('refuses tables that are none, with the rule', () => {
    expect(() => classify({ a: [0], b: [0], c: 0 })).toThrow(/a must have one exponent per weight matrix/);
    expect(() => classify({ a: [0, 0], b: [0], c: 0 })).toThrow(
      /b must have one exponent per weight matrix, 2, got 1/,
    );
    expect(() => classify({ a: [0, 0], b: [0, 'x'], c: 0 })).toThrow(
      /exponent must be a finite number, a fraction/,
    );
    expect(() => classify({ a: [0, 0], b: [0, NaN], c: 0 })).toThrow(/b\[1\]/);
    expect(() => classify({ a: [0, 0], b: [0, 0], c: 0, optimizer: 'adamx' as 'adam' })).toThrow(
      /optimizer must be .*'sgd'.*Did you mean 'adam/,
    );
    expect(() => classify({ a: [0, 0], b: [0, 0], c: 0, eps: [0] } as never)).toThrow(/unknown option "eps"/);
    expect(() => classify({ a: [0, 0], b: [0, 0], c: 0, d: [0, 0] })).toThrow(
      /d is of epsilon, and sgd has none/,
    );
  });
});

describe('depth', () => {
  it.each([
    ['1/2', undefined, 'adam', 'lazy', '0', '-1/2'],
    ['3/4', undefined, 'muon', 'lazy', '0', '-1/4'],
    ['1', undefined, 'adam', 'complete', '0', '0'],
    ['1/2', undefined, 'sgd', 'lazy', '0', '-1/2'],
    ['1', undefined, 'sgd', 'complete', '0', '0'],
    ['1/2', 0, 'adam', 'unstable', '1/2', '0'],
    ['1', 0, 'sgd', 'trivial', '-1', '-1'],
    ['1', '-1/2', 'adam', 'trivial', '-1/2', '-1/2'],
    ['0', undefined, 'adam', 'unstable', '0', '-1'],
  ] as const)('alpha %s, rate %s, %s: %s', (alpha, rate, optimizer, kind, change, relative) => {
    const got = classifyDepth({ alpha, optimizer, ...(rate === undefined ? {} : { rate }) });
    expect([got.class, got.changePower, got.relativePower]).toEqual([kind, change, relative]);
    if (alpha === '0')
      expect([got.startPower, got.words[0]]).toEqual(['1', expect.stringContaining('at initialisation')]);
  });

  it('calls a block of one matrix complete at every alpha: it is linear in its weights', () => {
    expect(classifyDepth({ alpha: '1/2', blockDepth: 1, optimizer: 'adam' }).class).toBe('complete');
    expect(() => classifyDepth({ alpha: 1, blockDepth: 0 })).toThrow(
      /blockDepth must be a whole number >= 1/,
    );
  });
});
