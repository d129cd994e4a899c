// Figure 1 (left) of arXiv:2006.06574 as data: the plane of exponents with its band, lines and points.
import { classify } from './classify.js';
import { toNumber } from './rational.js';
import { exponentsOf, scalings, type ScalingSpec } from './scalings.js';

/** A polygon, segment (two corners) or point of the plane of exponents. */
export interface PlaneElement {
  readonly name: string;
  readonly corners: readonly (readonly [qSigma: number, qTilde: number])[];
  readonly label?: string | null;
  readonly labelAt?: readonly [number, number];
  readonly group: string;
}

/** Figure 1 (left): the stable band, its four lines, the named scalings, and points of your own. */
export function planeElements(points: readonly ScalingSpec[] = []): {
  readonly x: { readonly label: string; readonly domain: readonly [number, number] };
  readonly y: { readonly label: string; readonly domain: readonly [number, number] };
  readonly shapes: readonly PlaneElement[];
} {
  const [left, right] = [-1.6, 0.4];
  const named = [scalings.meanField, scalings.ntk, scalings.symDefault];
  const point = (spec: ScalingSpec, group: string): PlaneElement => {
    const { qSigma, qTildeA, qTildeW } = exponentsOf(spec);
    const x = toNumber(qSigma);
    const y = (toNumber(qTildeA) + toNumber(qTildeW)) / 2;
    const { name: verdict, symmetric } = classify(spec);
    const name = spec.name ?? verdict;
    return {
      name,
      corners: [[x, y]],
      label: symmetric ? name : `${name} (mean of its rates)`,
      labelAt: group === 'named' ? [x + 0.04, y + 0.06] : [x + 0.04, y - 0.07],
      group,
    };
  };
  const shapes: PlaneElement[] = [
    {
      name: 'stable',
      corners: [
        [left, -left],
        [right, -right],
        [right, -0.5 - right],
        [left, -0.5 - left],
      ],
      label: null,
      group: 'stable limits',
    },
    {
      name: 'A = 0',
      corners: [
        [-0.5, -1],
        [-0.5, 1.8],
      ],
      label: 'logits finite at start',
      labelAt: [-0.48, 1.5],
      group: 'A: logits',
    },
    {
      name: 'B = 0',
      corners: [
        [left, -1 - 2 * left],
        [0, -1],
      ].map(([x, y]) => [x!, y!] as const),
      label: 'kernels finite at start',
      labelAt: [-1.05, 1.65],
      group: 'B: kernels',
    },
    {
      name: 'C = 0',
      corners: [
        [left, -0.5 - left],
        [right, -0.5 - right],
      ],
      label: 'kernel and logits of one order',
      labelAt: [-0.1, -0.5],
      group: 'C: ratio',
    },
    {
      name: 'D = 0',
      corners: [
        [left, -left],
        [right, -right],
      ],
      label: 'kernels evolve',
      labelAt: [-0.2, 0.3],
      group: 'D: evolution',
    },
    ...named.map((spec) => point(spec, 'named')),
    ...points.map((spec) => point(spec, 'yours')),
  ];
  return {
    x: { label: 'q_sigma: size of the output at the start', domain: [left, right] },
    y: { label: 'q-tilde: hatted learning rate', domain: [-1, 1.8] },
    shapes,
  };
}
