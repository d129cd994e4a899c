// Derivatives of kernels against central differences of `kernel` itself.
import {
  kernel,
  kernelInputGradient,
  tensor,
  type Engine,
  type KernelResult,
  type NetDocument,
  type Tensor,
} from 'infinite-width';
import { kernelParameters, withParameters } from '#build/kernel/derivatives/directions.js';
import { contractKernel } from '#build/kernel/derivatives/calls.js';
import { expect } from 'vitest';
import { random } from '../predict/support.js';

export type Method = 'nngp' | 'ntk';
export const METHODS = ['nngp', 'ntk'] as const;

/** Symmetric weights. */
export function weightsOf(n: number): Float64Array {
  const w = random([n, n], 3).data;
  return w.map((value, i) => value + w[(i % n) * n + Math.floor(i / n)]!);
}

/** f'(x) by central differences of 4th order, and how far they are from those of half the step. */
async function slope(
  f: (value: number) => Promise<number>,
  at: number,
): Promise<{ value: number; error: number }> {
  const h = 1e-3 * Math.max(Math.abs(at), 0.1);
  const [a, b, c, d, e, g] = await Promise.all([-2, -1, -0.5, 0.5, 1, 2].map((k) => f(at + k * h)));
  const coarse = (a! - 8 * b! + 8 * e! - g!) / (12 * h);
  const fine = (b! - 8 * c! + 8 * d! - e!) / (6 * h);
  return { value: fine, error: Math.abs(fine - coarse) };
}

export async function checkParameters(
  engine: Engine,
  net: NetDocument,
  x: Tensor<Float64Array>,
): Promise<void> {
  const n = x.shape[0]!;
  const weights = weightsOf(n);
  const parameters = kernelParameters(net, x.shape.slice(1));
  const names = parameters.map(({ name }) => name);
  const known = new Map<string, Promise<KernelResult>>();
  const kernelAt = (name: string, value: number): Promise<KernelResult> => {
    const key = `${name} ${value}`;
    if (!known.has(key)) known.set(key, kernel(engine, withParameters(net, new Map([[name, value]])), x));
    return known.get(key)!;
  };
  for (const method of METHODS) {
    const got = await contractKernel(engine, net, x, { names, weights, ...{ ntk: method === 'ntk' } });
    for (const [p, { name, value }] of parameters.entries()) {
      const contracted = async (v: number): Promise<number> => {
        const k = (await kernelAt(name, v))[method].data;
        return weights.reduce((total, w, i) => total + w * k[i]!, 0);
      };
      const want = await slope(contracted, value);
      const scale = Math.max(1, Math.abs(want.value), Math.abs(await contracted(value)));
      expect(want.error, `${name} ${method}: differences`).toBeLessThan(3e-7 * scale);
      expect(Math.abs(got[p]! - want.value), `${name} ${method}`).toBeLessThan(1e-7 * scale);
    }
  }
}

/** Every fourth entry of every sample. */
export async function checkInputs(engine: Engine, net: NetDocument, sample: number[]): Promise<void> {
  const [n1, n2] = [3, 2];
  const [x1, x2] = [random([n1, ...sample], 5), random([n2, ...sample], 6)];
  const size = x1.data.length / n1;
  const got = await kernelInputGradient(engine, net, x1, x2);
  const values = async (method: Method, i: number, j: number, e: number, v: number): Promise<number> => {
    const data = x1.data.slice();
    data[i * size + e] = v;
    return (await kernel(engine, net, tensor(data, x1.shape), x2))[method].data[i * n2 + j]!;
  };
  for (const method of METHODS) {
    expect(got[method].shape).toEqual([n1, n2, ...sample]);
    for (let i = 0; i < n1; i++)
      for (let j = 0; j < n2; j++)
        for (let e = 0; e < size; e += Math.max(1, Math.floor(size / 4))) {
          const want = await slope((v) => values(method, i, j, e, v), x1.data[i * size + e]!);
          const value = got[method].data[(i * n2 + j) * size + e]!;
          expect(want.error).toBeLessThan(1e-7 * Math.max(1, Math.abs(want.value)));
          expect(Math.abs(value - want.value)).toBeLessThan(1e-7 * Math.max(1, Math.abs(want.value)));
        }
  }
}
