// E[phi(u) phi(v)] and E[phi'(u) phi'(v)] of jointly Gaussian u and v by quadrature alone: panels of Gauss-Legendre nodes that
// end at every kink, the inner ones of v given u. Independent of the package, which uses closed forms and series.

interface Fields {
  readonly layer: string;
  readonly [field: string]: unknown;
}
type Scalar = (x: number) => number;
interface Activation {
  readonly phi: Scalar;
  /** The left derivative at kinks. */
  readonly slope: Scalar;
  readonly kinks: readonly number[];
}

/** The dual of an activation at variances a, b and covariance c. */
export function dualOf(
  layer: Fields,
): (a: number, b: number, c: number) => readonly [k: number, slope: number] {
  const { phi, slope, kinks } = activationOf(layer);
  const known = new Map<string, readonly [number, number]>(); // equal samples ask for equal pairs
  return (a, b, c) => {
    const key = a < b ? `${a} ${b} ${c}` : `${b} ${a} ${c}`;
    const found = known.get(key) ?? dual(a, b, c);
    known.set(key, found);
    return found;
  };

  function dual(a: number, b: number, c: number): readonly [number, number] {
    const bound = Math.sqrt(a * b);
    if (Math.abs(c) >= bound * (1 - 1e-9)) {
      // v = +-sqrt(b / a) u, or one of them constant.
      const [s, r] = [Math.sqrt(a), Math.sign(c) * Math.sqrt(b)];
      const cuts = [...kinks.map((x) => x / s), ...kinks.map((x) => x / r)];
      if (a === 0 || b === 0) {
        const one = (f: Scalar, v: number): number =>
          v === 0
            ? f(0)
            : gauss(
                (z) => f(Math.sqrt(v) * z),
                kinks.map((x) => x / Math.sqrt(v)),
              );
        return [one(phi, a) * one(phi, b), one(slope, a) * one(slope, b)];
      }
      return [gauss((z) => phi(s * z) * phi(r * z), cuts), gauss((z) => slope(s * z) * slope(r * z), cuts)];
    }
    const [s, m] = [Math.sqrt(a), c / Math.sqrt(a)];
    const rest = Math.sqrt(b - m * m);
    const inner = (f: Scalar, z: number): number =>
      gauss(
        (y) => f(m * z + rest * y),
        kinks.map((x) => (x - m * z) / rest),
      );
    const cuts = kinks.map((x) => x / s);
    return [
      gauss((z) => phi(s * z) * inner(phi, z), cuts),
      gauss((z) => slope(s * z) * inner(slope, z), cuts),
    ];
  }
}

const NODES = legendre(10);
const REACH = 9;

/** E[f(z)] of a standard normal z; f is smooth between the cuts. */
function gauss(f: Scalar, cuts: readonly number[]): number {
  const inside = cuts.filter((cut) => Math.abs(cut) < REACH);
  const ends = [-9, -6, -4, -2.5, -1.5, -0.8, -0.3, 0, 0.3, 0.8, 1.5, 2.5, 4, 6, 9, ...inside].toSorted(
    (p, q) => p - q,
  );
  let sum = 0;
  for (let i = 0; i + 1 < ends.length; i++) {
    const [from, half] = [ends[i]!, (ends[i + 1]! - ends[i]!) / 2];
    if (half < 1e-15) continue;
    for (const [x, w] of NODES) {
      const z = from + half * (1 + x);
      sum += w * half * Math.exp(-0.5 * z * z) * f(z);
    }
  }
  return sum / Math.sqrt(2 * Math.PI);
}

/** Nodes and weights on [-1, 1], by Newton's method on the Legendre polynomial. */
function legendre(n: number): [x: number, w: number][] {
  return Array.from({ length: n }, (_, i) => {
    let x = Math.cos((Math.PI * (i + 0.75)) / (n + 0.5));
    let d = 1;
    for (let turn = 0; turn < 50; turn++) {
      let [p, before] = [x, 1];
      for (let k = 2; k <= n; k++) [p, before] = [((2 * k - 1) * x * p - (k - 1) * before) / k, p];
      d = (n * (x * p - before)) / (x * x - 1);
      x -= p / d;
    }
    return [x, 2 / ((1 - x * x) * d * d)];
  });
}

/** erf by its series, or 1 - erfc by the continued fraction. */
function erf(x: number): number {
  const z = Math.abs(x);
  if (z > 6) return Math.sign(x);
  if (z < 2.5) {
    let [term, sum] = [z, z];
    for (let n = 1; n < 90; n++) {
      term *= (-z * z) / n;
      sum += term / (2 * n + 1);
    }
    return (Math.sign(x) * 2 * sum) / Math.sqrt(Math.PI);
  }
  let tail = 0;
  for (let k = 80; k > 0; k--) tail = k / 2 / (z + tail);
  return Math.sign(x) * (1 - Math.exp(-z * z) / Math.sqrt(Math.PI) / (z + tail));
}

const number = (layer: Fields, name: string, fallback: number): number =>
  (layer[name] as number | undefined) ?? fallback;
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const density = (x: number): number => Math.exp(-x * x);
const pieces = (below: number, above: number): Activation => ({
  phi: (x) => (x > 0 ? above : below) * x,
  slope: (x) => (x > 0 ? above : below),
  kinks: [0],
});
const clip = (least: number, most: number, gain = 1, at = 0): Activation => ({
  phi: (x) => gain * Math.min(most, Math.max(least, x)) + at,
  slope: (x) => (x > least && x <= most ? gain : 0),
  kinks: [least, most],
});
const smooth = (phi: Scalar, slope: Scalar): Activation => ({ phi, slope, kinks: [] });

function activationOf(layer: Fields): Activation {
  const [a, b, c] = [number(layer, 'a', 1), number(layer, 'b', 1), number(layer, 'c', 0)];
  switch (layer.layer) {
    case 'relu':
      return pieces(0, 1);
    case 'leakyRelu':
      return pieces(number(layer, 'alpha', 0), 1);
    case 'abRelu':
      return pieces(a, b);
    case 'abs':
      return pieces(-1, 1);
    case 'sign':
      return { phi: Math.sign, slope: () => 0, kinks: [0] };
    case 'hardTanh':
      return clip(-1, 1);
    case 'relu6':
      return clip(0, 6);
    case 'hardSigmoid':
      return clip(-3, 3, 1 / 6, 0.5);
    case 'hardSwish': {
      const gate = clip(-3, 3, 1 / 6, 0.5);
      return { phi: (x) => x * gate.phi(x), slope: (x) => gate.phi(x) + x * gate.slope(x), kinks: [-3, 3] };
    }
    case 'elu':
    case 'selu': {
      const [gain, alpha] =
        layer.layer === 'selu' ? [1.0507009873554805, 1.6732632423543772] : [1, number(layer, 'alpha', 1)];
      return {
        phi: (x) => gain * (x > 0 ? x : alpha * Math.expm1(x)),
        slope: (x) => gain * (x > 0 ? 1 : alpha * Math.exp(x)),
        kinks: [0],
      };
    }
    case 'softsign':
      return { phi: (x) => x / (1 + Math.abs(x)), slope: (x) => 1 / (1 + Math.abs(x)) ** 2, kinks: [0] };
    case 'rectifiedMonomial': {
      const d = number(layer, 'degree', 1);
      return {
        phi: (x) => (x > 0 ? x ** d : 0),
        slope: (x) => (x > 0 && d > 0 ? d * x ** (d - 1) : 0),
        kinks: [0],
      };
    }
    case 'monomial': {
      const d = number(layer, 'degree', 1);
      return smooth(
        (x) => x ** d,
        (x) => (d > 0 ? d * x ** (d - 1) : 0),
      );
    }
    case 'polynomial': {
      const list = layer['coefficients'] as number[];
      return smooth(
        (x) => list.reduceRight((sum, w) => sum * x + w, 0),
        (x) => list.reduceRight((sum, w, i) => (i > 0 ? sum * x + i * w : sum), 0),
      );
    }
    case 'tanh':
      return smooth(Math.tanh, (x) => 1 - Math.tanh(x) ** 2);
    case 'sigmoid':
      return smooth(sigmoid, (x) => sigmoid(x) * (1 - sigmoid(x)));
    case 'softplus':
      return smooth((x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))), sigmoid);
    case 'swish':
      return smooth(
        (x) => x * sigmoid(x),
        (x) => sigmoid(x) * (1 + x * (1 - sigmoid(x))),
      );
    case 'gelu':
      return smooth(
        (x) => (x * (1 + erf(x / Math.SQRT2))) / 2,
        (x) => (1 + erf(x / Math.SQRT2)) / 2 + (x * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI),
      );
    case 'erf':
      return smooth(
        (x) => a * erf(b * x) + c,
        (x) => (2 * a * b * density(b * x)) / Math.sqrt(Math.PI),
      );
    case 'sin':
      return smooth(
        (x) => a * Math.sin(b * x + c),
        (x) => a * b * Math.cos(b * x + c),
      );
    case 'cos':
      return smooth(
        (x) => a * Math.cos(b * x + c),
        (x) => -a * b * Math.sin(b * x + c),
      );
    case 'gaussian': {
      const d = number(layer, 'b', -1);
      return smooth(
        (x) => a * Math.exp(d * x * x),
        (x) => 2 * a * d * x * Math.exp(d * x * x),
      );
    }
    case 'exp':
      return smooth(
        (x) => a * Math.exp(b * x),
        (x) => a * b * Math.exp(b * x),
      );
    case 'gabor':
      return smooth(
        (x) => density(x) * Math.sin(x),
        (x) => density(x) * (Math.cos(x) - 2 * x * Math.sin(x)),
      );
    case 'rbf': {
      const [w, s] = [Math.sqrt(2 * number(layer, 'gamma', 1)), Math.SQRT2];
      return smooth(
        (x) => s * Math.sin(w * x + Math.PI / 4),
        (x) => s * w * Math.cos(w * x + Math.PI / 4),
      );
    }
    default:
      throw new Error(`no independent dual of ${layer.layer}`);
  }
}
