// Rules as data: golden numbers of published rules, tables of nets and lists, the static check, and what is refused.
import { describe, expect, it } from 'vitest';
import {
  checkTable,
  dense,
  identity,
  layerNorm,
  muonFactor,
  relu,
  repeat,
  rnn,
  RULE_OPTIMIZERS,
  RULES,
  ruleVerdict,
  scaledNet,
  scalingTable,
  serial,
  sum,
  TENSOR_KINDS,
  tanh,
  type CheckedParameter,
  type RuleName,
  type RuleOptimizer,
  type RuleParameter,
  type ScalingTableOptions,
} from 'infinite-width';

/** The net 10 - n - 4n - n - LayerNorm - 3 with biases, as PyTorch names its parameters. */
const mlp = (n: number): RuleParameter[] => {
  const pair = (
    name: string,
    kind: RuleParameter['kind'],
    now: number[],
    base: number[],
  ): RuleParameter[] => [
    { name: `${name}.weight`, kind, shape: now, baseShape: base },
    {
      ...{ name: `${name}.bias`, kind: kind === 'readout' ? 'readoutBias' : 'bias', shape: [now[0]!] },
      ...{ baseShape: [base[0]!], fanIn: now[1]!, baseFanIn: base[1]! },
    },
  ];
  return [
    ...pair('0', 'input', [n, 10], [16, 10]),
    ...pair('2', 'hidden', [4 * n, n], [64, 16]),
    ...pair('4', 'hidden', [n, 4 * n], [16, 64]),
    { name: '5.weight', kind: 'gain', shape: [n], baseShape: [16] },
    { name: '5.bias', kind: 'bias', shape: [n], baseShape: [16] },
    ...pair('7', 'readout', [3, n], [3, 16]),
  ];
};

const column = (
  options: Partial<ScalingTableOptions> & { n: number },
  key: 'lr' | 'weightDecay',
): number[] => {
  const { n, ...rest } = options;
  return scalingTable({
    ...{ optimizer: 'adamw', rule: 'mup', widthFactor: n / 16, parameters: mlp(n), ...rest },
    base: { learningRate: 1, weightDecay: 1 },
  }).parameters.map((row) => row[key]);
};

describe('the rule mup has the multipliers of the package', () => {
  it.each([8, 32, 64, 256])('all groups at n = %i against base 16', (n) => {
    const m = n / 16;
    const sgd = [m, m, 1, m, 1, m, m, m, m, 1];
    const adam = [1, 1, 1 / m, 1, 1 / m, 1, 1, 1, 1, 1];
    expect(column({ n, optimizer: 'sgd' }, 'lr')).toEqual(sgd);
    expect(column({ n, optimizer: 'sgd' }, 'weightDecay')).toEqual(sgd.map((x) => 1 / x));
    for (const optimizer of ['adam', 'adamw'] as const) {
      expect(column({ n, optimizer }, 'lr')).toEqual(adam);
      expect(column({ n, optimizer }, 'weightDecay')).toEqual(adam.map((x) => 1 / x));
    }
  });

  it('rescales starts that a framework drew: hidden and readout biases, and the readout', () => {
    const { parameters } = scalingTable({
      rule: 'mup',
      optimizer: 'sgd',
      widthFactor: 4,
      parameters: mlp(64),
    });
    expect(parameters.map((row) => row.initFactor)).toEqual([1, 1, 1, 2, 1, 2, 1, 1, 2, 2]);
    expect(parameters.map((row) => row.forward)).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 0.25, 1]);
  });
});

describe('every rule', () => {
  const all = Object.entries(RULES) as [RuleName, (typeof RULES)[RuleName]][];

  it('is the base model at factors of 1', () => {
    for (const [rule, { optimizers, absolute }] of all) {
      if (absolute) continue;
      for (const optimizer of optimizers) {
        const base = { learningRate: 0.01, weightDecay: 0.1, eps: 1e-9 };
        const { parameters } = scalingTable({
          ...{ rule, optimizer, base, others: base },
          parameters: [{ name: 'w', kind: 'hidden', shape: [8, 8], inBlock: true }, ...mlp(16)],
        });
        for (const { name, multipliers } of parameters) {
          const { weightDecay, ...others } = multipliers;
          expect(Object.values(others), `${rule} ${optimizer} ${name}`).toEqual([1, 1, 1, 1]);
          expect([0, 1]).toContain(weightDecay); // 0: the rule has no decay there
        }
      }
    }
  });

  it('has the verdict that was derived', () => {
    const verdict = (rule: RuleName, optimizer: RuleOptimizer): string => {
      const { deep, decayKept } = ruleVerdict({ rule, optimizer });
      return `${deep.class}${deep.maximal ? ', maximal' : ''}${deep.faithful === false ? ', epsilon off' : ''}${decayKept ? '' : ', decay off'}`;
    };
    const optimizers = Object.keys(RULE_OPTIMIZERS) as RuleOptimizer[];
    for (const optimizer of optimizers)
      expect(verdict('maximal', optimizer), optimizer).toBe('feature, maximal');
    for (const optimizer of ['sgd', 'adamw'] as const)
      expect(verdict('mup', optimizer)).toBe(`feature, maximal${optimizer === 'sgd' ? '' : ', epsilon off'}`);
    expect(verdict('mup', 'adam')).toBe('feature, maximal, epsilon off, decay off');
    expect(verdict('nanogpt-mup', 'adamw')).toBe('feature, maximal, epsilon off, decay off');
    expect(verdict('completep', 'adamw')).toBe('feature, maximal');
    expect(verdict('completedp', 'adamw')).toBe('feature, maximal');
    expect(verdict('megatron-mup', 'adamw')).toBe('feature, maximal, epsilon off, decay off');
    expect(verdict('u-mup', 'adam')).toMatch(/^feature/);
    expect(ruleVerdict({ rule: 'u-mup', optimizer: 'adam' }).deep.C).toEqual(['0', '1', '1', '1']); // but for the embedding
    expect(verdict('sp', 'adamw')).toMatch(/^unstable/);
    expect(verdict('sp-1/n', 'sgd')).toMatch(/^kernel/);
    expect(verdict('sp-1/n', 'adam')).toMatch(/^unstable/);
    expect(verdict('ntp', 'sgd')).toMatch(/^kernel/);
    expect(verdict('ntp', 'adam')).toMatch(/^kernel/);
    expect(verdict('wang-aitchison', 'adamw')).toBe('feature, maximal, epsilon off');
    expect(verdict('sqrt-decay', 'adamw')).toBe('feature, maximal, epsilon off, decay off');
    expect(verdict('muon-spectral', 'muon')).toMatch(/^feature, maximal/);
    expect(verdict('muon-jordan', 'muon')).toMatch(/^unstable/); // the readout, if Muon is left to move it
    expect(verdict('muon-moonlight', 'muon')).toMatch(/^unstable/);
    expect(ruleVerdict({ rule: 'depth-mup', optimizer: 'adam' }).depth.class).toBe('lazy');
    expect(ruleVerdict({ rule: 'completep', optimizer: 'adamw' }).depth.class).toBe('complete');
  });

  it('gives numbers for every kind it has, or says why not', () => {
    for (const [rule, { optimizers, readout }] of all) {
      for (const optimizer of optimizers) {
        for (const kind of TENSOR_KINDS) {
          const isVector = ['bias', 'gain', 'qkGain', 'readoutBias'].includes(kind);
          const parameters = [{ name: kind, kind, shape: isVector ? [64] : [64, 32] }];
          const call = (): unknown =>
            scalingTable({ rule, optimizer, widthFactor: 4, depthFactor: 2, parameters });
          if (kind === 'tied' && readout === 'small' && (optimizer !== 'muon' || rule !== 'maximal')) {
            expect(call, `${rule} ${optimizer}`).toThrow(/tied embeddings need readout 'forward'/);
            continue;
          }
          if (kind === 'tied' && readout === 'small') continue;
          const [row] = scalingTable({
            rule,
            optimizer,
            widthFactor: 4,
            depthFactor: 2,
            parameters,
          }).parameters;
          for (const value of Object.values(row!.multipliers))
            expect(Number.isFinite(value) && value >= 0).toBe(true);
        }
      }
    }
  });
});

describe('tables', () => {
  it('reproduce the example of CompleteP at width factor 8 and depth factor 8', () => {
    const table = scalingTable({
      ...{ rule: 'completep', optimizer: 'adamw', widthFactor: 8, depthFactor: 8 },
      base: { initStd: 0.02, learningRate: 0.001, weightDecay: 0.1, eps: 1e-10 },
      parameters: [{ name: 'h.3.mlp.fc.weight', shape: [8192, 2048], kind: 'hidden', inBlock: true }],
    });
    const [row] = table.parameters;
    expect(row!.initStd).toBeCloseTo(0.0070711, 7);
    expect([row!.lr, row!.weightDecay, row!.eps]).toEqual([0.000125, 0.8, 1.5625e-12]);
    expect(row!.powers).toEqual({
      ...{ initStd: { fanIn: '-1/2' }, lr: { fanIn: '-1' }, weightDecay: { fanIn: '1' } },
      ...{ eps: { fanIn: '-1', depth: '-1' }, forward: {} },
    });
    expect(table.forward).toMatchObject({ residual: 0.125, readout: 1 });
    expect(table.verdict).toMatchObject({
      class: 'feature',
      r: '0',
      maximal: true,
      faithful: true,
      depth: 'complete',
    });
    expect(JSON.parse(JSON.stringify(table))).toEqual(table);
  });

  it('scale depth by alpha and by optimiser: blocks only', () => {
    const parameters = [
      { name: 'block', shape: [8, 8], kind: 'hidden', inBlock: true },
      { name: 'norm', shape: [8], kind: 'gain' },
    ] as const;
    const rates = (optimizer: RuleOptimizer, alpha: string): number[] =>
      scalingTable({ optimizer, alpha, depthFactor: 16, parameters }).parameters.map(
        (row) => row.multipliers.lr,
      );
    expect(rates('sgd', '1/2')).toEqual([1, 1]);
    expect(rates('sgd', '1')).toEqual([16, 1]);
    expect(rates('adam', '1/2')).toEqual([0.25, 1]);
    expect(rates('adam', '3/4')).toEqual([0.5, 1]);
    expect(rates('adam', '1')).toEqual([1, 1]);
    expect(rates('lion', '1/2')).toEqual([0.25, 1]);
  });

  it('scale batch and tokens so that rate times decay times steps is fixed', () => {
    const table = scalingTable({
      ...{
        optimizer: 'adamw',
        batchFactor: 16,
        tokenFactor: 4,
        base: { learningRate: 1, weightDecay: 1, eps: 1 },
      },
      parameters: [{ name: 'w', shape: [8, 8], kind: 'hidden' }],
    });
    const { lr, weightDecay, eps } = table.parameters[0]!;
    expect([lr, weightDecay, eps, table.oneMinusBeta]).toEqual([2, 2, 0.5, 4]);
    expect(lr * weightDecay * (4 / 16)).toBe(1);
    expect(() =>
      scalingTable({
        optimizer: 'muon',
        batchFactor: 2,
        parameters: [{ name: 'w', shape: [8, 8], kind: 'hidden' }],
      }),
    ).toThrow(/no rule for batch or tokens is derived for spectral/);
  });

  it('give Muon the rate that its own factor leaves to do, and the decay that keeps rate times decay', () => {
    const parameters = [
      { name: 'up', shape: [128, 32], baseShape: [32, 16], kind: 'hidden' },
      { name: 'bias', shape: [128], baseShape: [32], kind: 'bias' },
    ] as const;
    for (const factor of ['none', 'original', 'match_rms_adamw', 'spectral_unclamped'] as const) {
      const { parameters: rows } = scalingTable({
        ...{ optimizer: 'muon', widthFactor: 2, muonFactor: factor, parameters },
        ...{
          base: { learningRate: 0.02, weightDecay: 0.1 },
          others: { learningRate: 0.001, weightDecay: 0.1 },
        },
      });
      const [up, bias] = rows;
      const effective = up!.lr * muonFactor(factor, 128, 32);
      expect(effective / (0.02 * muonFactor(factor, 32, 16))).toBeCloseTo(Math.sqrt(4 / 2), 14);
      expect(up!.lr * up!.weightDecay).toBeCloseTo(0.002, 15);
      expect([bias!.optimizer, bias!.lr]).toEqual(['adamw', 0.001]);
    }
  });

  it('come from a net document: kinds by what grows, residual blocks by their sums', () => {
    const block = sum(identity(), serial(layerNorm(), dense(32, { bStd: 0 }), relu(), dense(8)));
    const net = serial(
      dense(8, { parametrization: 'standard', bStd: 0 }),
      repeat(2, block),
      tanh(),
      dense(3, { bStd: 0 }),
    );
    const target = scaledNet({ net, inputShape: [5], widthFactor: 4, depthFactor: 2, branchFactor: 0.5 });
    expect(target.parameters.map(({ kind, inBlock }) => `${kind}${inBlock ? ' in a block' : ''}`)).toEqual([
      ...['input', 'bias'],
      ...Array.from({ length: 4 }, () => [
        'hidden in a block',
        'bias in a block',
        'hidden in a block',
      ]).flat(),
      ...['readout', 'readoutBias'],
    ]);
    const hidden = target.parameters[2]!;
    expect(hidden).toMatchObject({ shape: [128, 32], baseShape: [32, 8], parametrization: 'ntk' });
    const { parameters } = scalingTable({ optimizer: 'sgd', widthFactor: 4, parameters: target.parameters });
    // In the gauge of a layer that divides by sqrt(fan-in) itself, SGD's rate is larger by the fan-in's factor.
    expect(parameters.map((row) => row.multipliers.lr).slice(0, 4)).toEqual([4, 4, 4, 4]);
    expect(parameters[2]!.multipliers.initStd).toBe(1);
  });

  it('name the layer that no rule covers, and nets that cannot be deepened', () => {
    const lstm = serial(rnn(8, { activation: { layer: 'tanh' } }), dense(2));
    expect(() => scaledNet({ net: lstm, inputShape: [3, 2] })).toThrow(/layers\.0 \(rnn\) has no rule here/);
    expect(() => scaledNet({ net: serial(dense(4), dense(1)), inputShape: [2], depthFactor: 2 })).toThrow(
      /depthFactor needs residual blocks in a repeat layer/,
    );
  });

  it('refuse what they do not know, with the rule', () => {
    const parameters = [{ name: 'w', shape: [8, 8], kind: 'hidden' }] as const;
    const wrong: [Partial<ScalingTableOptions> | object, RegExp][] = [
      [{ optimizer: 'adamz' }, /optimizer must be .*'adafactor'.*got 'adamz'/],
      [{ rule: 'nup' }, /rule must be .*'mup'.*got 'nup'/],
      [
        { rule: 'u-mup', optimizer: 'sgd' },
        /'u-mup' is defined for adam, adamw-independent, got optimizer 'sgd'/,
      ],
      [
        { parameters: [{ name: 'w', shape: [8, 8], kind: 'dense' }] },
        /parameters\[0\] \(w\): kind must be .*'hidden'/,
      ],
      [
        { parameters: [{ name: 'w', shape: [8], kind: 'hidden' }] },
        /kind 'hidden' has at least two sizes, got \[8\]/,
      ],
      [{ parameters: [{ name: 'b', shape: [8, 2], kind: 'bias' }] }, /kind 'bias' has one size/],
      [{ parameters: [{ name: 'w', shape: [8, 0], kind: 'hidden' }] }, /shape must list whole numbers >= 1/],
      [{ parameters: [] }, /parameters must list one entry per parameter/],
      [{ widthFactor: -2 }, /widthFactor must be a positive, finite number, got -2/],
      [{ alpha: '1/4' }, /alpha must be from 1\/2 to 1, got 1\/4/],
      [{ alpha: 2 }, /alpha must be from 1\/2 to 1, got 2/],
      [{ base: { learningRate: -1 } }, /base.learningRate must be a finite number >= 0, got -1/],
      [{ base: { learningrate: 1 } }, /unknown option "base.learningrate"/],
      [{ width: 2 }, /unknown option "width"/],
    ];
    for (const [options, message] of wrong) {
      const call = (): unknown =>
        scalingTable({ optimizer: 'adamw', parameters, ...options } as ScalingTableOptions);
      expect(call, String(message)).toThrow(message);
    }
  });
});

describe('the static check', () => {
  const grown = (
    optimizer: RuleOptimizer,
    rule: RuleName,
    readout?: 'small' | 'forward',
  ): CheckedParameter[] => {
    const rows = (n: number): ReturnType<typeof scalingTable>['parameters'] =>
      scalingTable({
        ...{ optimizer, rule, widthFactor: n / 16, parameters: mlp(n), ...(readout ? { readout } : {}) },
        base: { learningRate: 0.01, weightDecay: 0.1, eps: 1e-10 },
      }).parameters;
    const large = rows(128);
    return rows(16).map(({ name, kind, initStd, ...base }, i) => {
      const of = (
        { fanIn, fanOut, lr, weightDecay, eps, forward }: Omit<typeof base, 'x'>,
        std: number | null,
      ) => ({
        ...{ fanIn, fanOut, lr, weightDecay, eps, forward, ...(std === null ? {} : { initStd: std }) },
      });
      return { name, kind, base: of(base, initStd), target: of(large[i]!, large[i]!.initStd) };
    });
  };

  it('passes maximal update in both readout styles, for every family', () => {
    for (const optimizer of ['sgd', 'adam', 'adamw', 'adamw-independent', 'lion', 'adafactor'] as const) {
      for (const readout of ['small', 'forward'] as const) {
        const check = checkTable({ optimizer, parameters: grown(optimizer, 'maximal', readout) });
        expect(check.failures, `${optimizer} ${readout}`).toEqual([]);
        expect(check.checked).toBeGreaterThan(20);
      }
    }
  });

  it('finds the decay error at once, and what it is off by', () => {
    const { verdict, failures } = checkTable({
      optimizer: 'adamw',
      parameters: grown('adamw', 'nanogpt-mup'),
    });
    expect(verdict).toBe('fails');
    expect(failures[0]).toMatchObject({
      parameter: '2.weight',
      check: 'decay',
      got: 1 / 8,
      wanted: 1,
      power: -1,
    });
    expect(failures.filter(({ check }) => check === 'decay').map(({ parameter }) => parameter)).toEqual([
      '2.weight',
      '4.weight',
    ]);
    // The same rule with the decay of the package passes, but for epsilon.
    const mup = checkTable({ optimizer: 'adamw', parameters: grown('adamw', 'mup') });
    expect(new Set(mup.failures.map(({ check }) => check))).toEqual(new Set(['eps']));
    const square = checkTable({ optimizer: 'adamw', parameters: grown('adamw', 'sqrt-decay') });
    expect(square.failures[0]).toMatchObject({ check: 'decay' });
    expect(square.failures[0]!.power).toBeCloseTo(-0.5, 12);
  });

  it('finds factors that were applied twice', () => {
    const parameters = grown('adamw', 'maximal', 'small').map((parameter) =>
      parameter.kind === 'readout'
        ? { ...parameter, target: { ...parameter.target, forward: 1 / 8 } }
        : parameter,
    );
    const { failures } = checkTable({ optimizer: 'adamw', parameters });
    expect(failures.map(({ parameter, check }) => `${parameter} ${check}`)).toEqual([
      '7.weight eps',
      '7.weight rate',
      '7.weight init',
    ]);
    expect(failures[2]!.power).toBeCloseTo(-1, 12);
    expect(failures[2]!.text).toContain('initial size');
  });

  it('refuses values that are none', () => {
    const one = { fanIn: 8, fanOut: 8, lr: 0.1 };
    const check = (base: object, extra: object = {}): unknown =>
      checkTable({
        optimizer: 'adamw',
        parameters: [{ name: 'w', kind: 'hidden', base: base as typeof one, target: one }],
        ...extra,
      });
    expect(() => check({ ...one, lr: 0 })).toThrow(
      /parameters\[0\]\.base\.lr must be a finite number > 0, got 0/,
    );
    expect(() => check({ ...one, width: 2 })).toThrow(/unknown option/);
    expect(() => check(one, { tolerance: -1 })).toThrow(/tolerance >= 0/);
    expect(() => checkTable({ optimizer: 'adamw', parameters: [] })).toThrow(/at least one parameter/);
  });
});
