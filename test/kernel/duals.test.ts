import { createEngine, kernel, tensor, type Engine } from 'infinite-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

// Closed forms at 30 digits, two-dimensional trapezoid sums converged to 1e-14, or Gauss-Legendre panels between the kinks.
const GOLDEN: readonly [string, object, number, number, number, number][] = [
  ['relu', {}, 0.07466263719495356, 0.1902096113885606, 0.9533637372053629, 0.4494586879478701],
  [
    'abRelu',
    { a: -0.2, b: 1.1 },
    0.2031798568594715,
    0.1014542432466675,
    1.193184715877063,
    0.5395851826319004,
  ],
  ['sign', {}, -0.2391615544457575, 0, 0.7978347517914803, 0],
  ['erf', {}, -0.1530785879610963, 0.4459963600332089, 0.5496021987631493, 0.391812384838245],
  ['gelu', {}, -0.002938153806015539, 0.1848411585952184, 0.8741176640793312, 0.4701557570226237],
  ['sin', {}, -0.1314027580575623, 0.3906430187034538, 0.4422977532950776, 0.462539664740882],
  ['rbf', {}, 0.06720551273974977, 0.1344110254794995, 0.8187307530779819, 1.637461506155964],
  ['exp', {}, 1.915540829013896, 1.915540829013896, 49.40244910553017, 49.40244910553017],
  ['gaussian', {}, 0.3502847220520294, -0.06017160869605413, 0.3077287274483318, 0.2214714326332691],
  ['gabor', {}, -0.01097107978571948, 0.0377150534410792, 0.04278259312743452, 0.1303730418716233],
  ['expNormalized', {}, 0.243155278732935, 0.2548959916646273, 1.902458849001428, 0.951229424500714],
  ['monomial', { degree: 4 }, 15.83925, -49.98, 1496.4504, 1752.864],
  [
    'rectifiedMonomial',
    { degree: 3 },
    0.1102472823149708,
    0.6425486992241123,
    54.77713823855762,
    50.48515971333214,
  ],
  ['tanh', {}, -0.1317306460877, 0.3823792075556, 0.4861571855098, 0.3278735322437],
  ['sigmoid', {}, 0.2349542130137, 0.0431524323542, 0.3147409029675, 0.0365450955157],
  ['softplus', {}, 0.5627637259526, 0.2349542130137, 1.3502708207606, 0.3147409029675],
  ['swish', {}, -0.0408120220934, 0.2061956228221, 0.757014121883, 0.4159816450025],
];
/** Series of functions with kinks: exact inside, not for parallel samples that are not the same. */
const KINKED: typeof GOLDEN = [
  ['softsign', {}, -0.061315529134123, 0.17770977149329, 0.23271632903542, 0.15324471287849],
  ['hardTanh', {}, -0.16832248541689, 0.49138494185975, 0.59490004135918, 0.44194361121007],
  ['hardSigmoid', {}, 0.24036366212368, 0.02753296296122, 0.29957121316935, 0.026545865408678],
  ['hardSwish', {}, -0.055938846778967, 0.2128135872558, 0.73681756309787, 0.42141744761595],
  ['relu6', {}, 0.0746626371403, 0.19020961024144, 0.95332301809567, 0.44944185079035],
];
const POINTS = [
  [0.7, -0.35, 1.3],
  [2, 1.9, 2],
] as const;

describe('duals', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createEngine({ variant: 'simd' });
  });
  afterAll(() => engine.dispose());

  /** kappa and kappa' at (k11, k12, k22): T of dense-phi is kappa' k12. */
  async function dual(layer: object, [k11, k12, k22]: readonly number[]): Promise<[number, number]> {
    const u = Math.sqrt(k11!);
    const x1 = tensor(Float64Array.of(u * Math.SQRT2, 0), [1, 2]);
    const v = k12! / u;
    const x2 = tensor(
      Float64Array.of(v * Math.SQRT2, Math.sqrt(Math.max(0, k22! - v * v)) * Math.SQRT2),
      [1, 2],
    );
    const net = [{ layer: 'dense', units: 1 }, layer];
    const { nngp, ntk } = await kernel(engine, net as never, x1, x2);
    return [nngp.data[0]!, ntk.data[0]! / k12!];
  }

  it.each([...GOLDEN, ...KINKED])('%s agrees with independent values', async (layer, fields, ...values) => {
    for (const [i, point] of POINTS.entries()) {
      const got = await dual({ layer, ...fields }, point);
      const rounding = values[2 * i]!.toString().length > 15 ? 2e-12 : 3e-12;
      for (const j of [0, 1]) {
        const want = values[2 * i + j]!;
        expect(Math.abs(got[j]! - want)).toBeLessThanOrEqual(rounding * Math.max(Math.abs(want), 0.1));
      }
    }
  });

  it('is exact on identical samples and finite on parallel, antipodal and zero ones', async () => {
    const x = tensor([
      [1, 2],
      [2, 4],
      [-1, -2],
      [0, 0],
    ]);
    for (const [layer, fields] of GOLDEN) {
      const net = [
        { layer: 'dense', units: 1 },
        { layer, ...fields },
        { layer: 'dense', units: 1 },
      ];
      const { nngp, ntk } = await kernel(engine, net as never, x, null);
      const again = await kernel(engine, net as never, x, x);
      for (let i = 0; i < 16; i++) {
        expect(Number.isFinite(nngp.data[i]! + ntk.data[i]!)).toBe(true);
        const scale = 1 + Math.abs(again.nngp.data[i]!);
        expect(Math.abs(nngp.data[i]! - again.nngp.data[i]!)).toBeLessThan(1e-9 * scale);
      }
    }
  });

  it('scales without overflow from 1e-150 to 1e150', async () => {
    const net = [{ layer: 'dense', units: 1 }, { layer: 'relu' }, { layer: 'dense', units: 1 }] as never;
    const unit = await kernel(engine, net, tensor([[1, 0.5]]), tensor([[-0.3, 1]]));
    for (const scale of [1e-75, 1e75]) {
      const x1 = tensor([[scale, 0.5 * scale]]);
      const { ntk } = await kernel(engine, net, x1, tensor([[-0.3 * scale, scale]]));
      expect(ntk.data[0]! / scale / scale / unit.ntk.data[0]!).toBeCloseTo(1, 12);
    }
  });
});
