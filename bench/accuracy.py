"""Errors of the elementary functions in units in the last place, as docs/accuracy.md shows them.

    python3 bench/accuracy.py [--points 1000000] [--variant simd] [--seed 0] [name ...]

The oracle is 80-bit arithmetic (numpy longdouble over the C library, x86 only), itself compared with mpmath
(50 digits) at 300 of the points; functions without such an oracle are compared with mpmath at points/50 points.
Needs python3 with numpy and mpmath, and a build of the package.
"""
import argparse
import os
import subprocess
import tempfile

import mpmath
import numpy as np

L = np.longdouble
HERE = os.path.dirname(os.path.abspath(__file__))


def sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


def exp_square(a):
    """exp(-a^2) with a^2 in two exact parts."""
    head = a.astype(np.float32).astype(L)
    return np.exp(-head * head) * np.exp(-(a - head) * (a + head))


def erf_near(a):
    """2/sqrt(pi) exp(-a^2) sum_n 2^n a^(2n+1) / (2n+1)!!, all terms positive."""
    term, total = a.copy(), a.copy()
    for n in range(1, 130):
        term = term * (2 * a * a) / (2 * n + 1)
        total = total + term
    return exp_square(a) * total * (2 / np.sqrt(L(np.pi) + L(1.2246467991473531772e-16)))


def erfc_far(a):
    """Laplace's continued fraction, for a >= 0.9."""
    f = np.zeros_like(a)
    for k in range(300, 0, -1):
        f = (L(k) / 2) / (a + f)
    return exp_square(a) / (np.sqrt(L(np.pi) + L(1.2246467991473531772e-16)) * (a + f))


def erf(x):
    a = np.abs(x)
    near = erf_near(np.minimum(a, 1.0))
    return np.copysign(np.where(a < 0.9, near, 1 - erfc_far(np.maximum(a, 0.9))), x)


def erfc(x):
    a = np.abs(x)
    far = erfc_far(np.maximum(a, 0.9))
    return np.where(a < 0.9, 1 - erf(x), np.where(x < 0, 2 - far, far))


def mp_pow(x, y):
    return mpmath.power(x, y)


# name: (oracle, mpmath, kind of points, range for f64 and f32)
KERNELS = {
    'exp': (np.exp, mpmath.exp, 'both', (745, 103)),
    'expm1': (np.expm1, mpmath.expm1, 'both', (709, 88)),
    'log': (np.log, mpmath.log, 'positive', None),
    'log1p': (np.log1p, mpmath.log1p, 'above -1', None),
    'sigmoid': (sigmoid, lambda x: 1 / (1 + mpmath.exp(-x)), 'both', (744, 102)),
    'tanh': (np.tanh, mpmath.tanh, 'both', (22, 10)),
    'erf': (erf, mpmath.erf, 'both', (6, 4)),
    'erfc x < 0.5': (erfc, mpmath.erfc, 'erfc low', (6, 6)),
    'erfc x >= 0.5': (erfc, mpmath.erfc, 'erfc high', (26.5, 10)),
    'sin': (np.sin, mpmath.sin, 'both', (1e6, 1e6)),
    'cos': (np.cos, mpmath.cos, 'both', (1e6, 1e6)),
    'asin': (np.arcsin, mpmath.asin, 'both', (1, 1)),
    'acos': (np.arccos, mpmath.acos, 'both', (1, 1)),
    'sinh': (np.sinh, mpmath.sinh, 'both', (710, 89)),
    'cosh': (np.cosh, mpmath.cosh, 'both', (710, 89)),
    'atan2': (np.arctan2, mpmath.atan2, 'two', (10, 10)),
}
SCALARS = {
    'sin, x to ±1e300': ('sin', mpmath.sin, 'huge'),
    'cos, x to ±1e300': ('cos', mpmath.cos, 'huge'),
    'pow': ('pow', mp_pow, 'pow'),
    'lgamma, x > 0': ('lgamma', lambda x: mpmath.loggamma(x), 'gamma'),
    'digamma, x > 0': ('digamma', mpmath.digamma, 'gamma'),
    'normalCdf': ('normalCdf', lambda x: mpmath.erfc(-x / mpmath.sqrt(2)) / 2, 'normal'),
    'softplus': ('softplus', lambda x: mpmath.log1p(mpmath.exp(x)), 'normal'),
}


def ulp(want, dtype):
    digits, least = (53, -1074) if dtype == 'f64' else (24, -149)
    return np.ldexp(L(1), np.maximum(np.frexp(np.abs(want))[1] - digits, least))


def points(rng, kind, span, dtype, n):
    """Half spread evenly, half evenly over the exponents."""
    low = -300 if dtype == 'f64' else -37
    half = n // 2
    signs = rng.choice([-1, 1], half)
    if kind == 'positive':
        wide = np.exp2(rng.uniform(*((-1074, 1023) if dtype == 'f64' else (-149, 127)), half))
        return np.concatenate([wide, np.exp2(rng.uniform(-1, 1, n - half))])
    if kind == 'above -1':
        wide = np.exp2(rng.uniform(low, 300 if dtype == 'f64' else 120, half))
        near = -(1 - np.exp2(rng.uniform(-52 if dtype == 'f64' else -23, 0, half // 2)))
        return np.concatenate([wide, near, rng.uniform(-0.6, 0.6, n - half - half // 2)])
    if kind == 'erfc low':
        return np.concatenate([rng.uniform(-span, 0.4999, half), np.exp2(rng.uniform(low, -1.001, n - half)) * rng.choice([-1, 1], n - half)])
    if kind == 'erfc high':
        return np.concatenate([rng.uniform(0.5, span, half), rng.uniform(0.5, 2, n - half)])
    if kind == 'huge':
        return np.exp(rng.uniform(0, 690, n)) * rng.choice([-1, 1], n)
    if kind == 'gamma':
        return np.concatenate([np.exp(rng.uniform(-50, 50, half)), rng.uniform(0, 30, n - half)])
    if kind == 'normal':
        return np.concatenate([rng.uniform(-37, 8, half), rng.normal(0, 1, n - half)])
    even = rng.uniform(-span, span, n - half)
    return np.concatenate([even, np.exp2(rng.uniform(low, np.log2(span), half)) * signs])


def run(variant, dtype, name, arrays):
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, str(i)) for i in range(len(arrays) + 1)]
        for array, path in zip(arrays, paths):
            array.tofile(path)
        script = os.path.join(HERE, 'accuracy.mjs')
        flags = ['--experimental-wasm-relaxed-simd'] if variant == 'relaxed' else []
        subprocess.check_call(['node', *flags, script, variant, dtype, name, *paths])
        return np.fromfile(paths[-1], arrays[0].dtype)


def exact(f, values):
    """f at one point with 50 digits, as a longdouble."""
    mpmath.mp.prec = 1300 if max(abs(v) for v in values) > 1e9 and f in (mpmath.sin, mpmath.cos) else 170
    y = f(*[mpmath.mpf(float(v)) for v in values])
    y = y.real if hasattr(y, 'real') else y
    head = float(y)
    return L(head) + L(float(y - head)) if np.isfinite(head) else L(head)


def report(label, dtype, arrays, got, want):
    largest = np.finfo(got.dtype).max
    fine = np.isfinite(want) & (np.abs(want) <= L(largest)) & (want != 0)
    with np.errstate(all='ignore'):
        error = np.abs(got.astype(L) - want) / ulp(want, dtype)
    error = np.where(np.isfinite(error), error, 1e9)[fine]
    at = np.flatnonzero(fine)[int(np.argmax(error))]
    where = ', '.join(repr(float(a[at])) for a in arrays)
    inexact = np.mean(got[fine] != want[fine].astype(got.dtype))
    print(f'| {label} | {dtype} | {len(got)} | {float(error.max()):.2f} | {float(np.mean(error)):.3f} | {100 * inexact:.1f} % | {where} |', flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--points', type=int, default=1000000)
    parser.add_argument('--variant', default='simd')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('names', nargs='*')
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    print('| function | dtype | points | max ulp | mean ulp | not the nearest | worst at |')
    print('|---|---|---|---|---|---|---|')
    for label, (oracle, precise, kind, spans) in KERNELS.items():
        name = label.split()[0]
        if options.names and name not in options.names:
            continue
        for dtype, array_type, side in (('f64', np.float64, 0), ('f32', np.float32, 1)):
            span = spans[side] if spans else None
            arrays = [points(rng, kind, span, dtype, options.points).astype(array_type)]
            if kind == 'two':
                arrays.append(rng.permutation(points(rng, kind, span, dtype, options.points)).astype(array_type))
            with np.errstate(all='ignore'):
                want = oracle(*[a.astype(L) for a in arrays])
            for i in rng.integers(0, options.points, 300):
                truth = exact(precise, [a[i] for a in arrays])
                if np.isfinite(truth) and 1e-300 < abs(truth) < 1e300:
                    assert abs(want[i] - truth) <= 0.05 * ulp(np.array([truth]), 'f64')[0], (label, [a[i] for a in arrays])
            report(label, dtype, arrays, run(options.variant, dtype, name, arrays), want)
    for label, (name, precise, kind) in SCALARS.items():
        if options.names and name not in options.names:
            continue
        n = options.points // 50
        arrays = [points(rng, kind, None, 'f64', n)] if kind != 'pow' else [np.exp(rng.uniform(-300, 300, n))]
        if kind == 'pow':
            arrays.append(rng.uniform(-1, 1, n) * np.minimum(700 / np.abs(np.log(arrays[0])), 1e6))
        want = np.array([exact(precise, values) for values in zip(*arrays)], dtype=L)
        report(label, 'f64', arrays, run(options.variant, 'f64', f'scalar:{name}', arrays), want)


main()
