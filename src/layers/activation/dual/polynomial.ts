// Polynomials have exact duals at every variance: kappa = sum_l q_l(k11) q_l(k22) k12^l, without divisions.

/** `value(l, k)` = q_l(k) for l <= degree. */
export interface PolynomialDual {
  readonly degree: number;
  value(l: number, k: number): number;
}

/** phi(x) = sum_j c_j x^j: q_l(k) = sum_i c_(2i+l) (2i+l)! / (2^i i! sqrt(l!)) k^i. */
export function polynomialDual(coefficients: readonly number[]): PolynomialDual {
  const degree = Math.max(0, coefficients.length - 1);
  const table = Array.from({ length: degree + 1 }, (_, l) => {
    const row: number[] = [];
    let factor = Math.sqrt(factorial(l)); // (2i+l)! / (2^i i! sqrt(l!))
    for (let i = 0; 2 * i + l <= degree; i++) {
      if (i > 0) factor *= ((2 * i + l) * (2 * i + l - 1)) / (2 * i);
      row.push((coefficients[2 * i + l] ?? 0) * factor);
    }
    return row;
  });
  return { degree, value: (l, k) => table[l]!.reduceRight((sum, c) => sum * k + c, 0) };
}

/**
 * phi = He_n/sqrt(n!): q_(n-2j)(k) = (k-1)^j sqrt(n!) / (2^j j! sqrt((n-2j)!)), from the multiplication theorem of the
 * Hermite polynomials; no cancellation at unit variance.
 */
export function hermiteDual(degree: number): PolynomialDual {
  const value = (l: number, k: number): number => {
    if ((degree - l) % 2) return 0;
    let q = 1;
    for (let j = 1; j <= (degree - l) / 2; j++) {
      // sqrt((l+2j)(l+2j-1)) builds sqrt(n!/l!)
      q *= (Math.sqrt((l + 2 * j) * (l + 2 * j - 1)) * (k - 1)) / (2 * j);
    }
    return q;
  };
  return { degree, value };
}

function factorial(n: number): number {
  let product = 1;
  for (let i = 2; i <= n; i++) product *= i;
  return product;
}
