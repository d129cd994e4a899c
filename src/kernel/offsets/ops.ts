// The operations of the executor (assembly/offsets.ts) and their words.
import { POINT, type Filter } from '../../layers/lowering/nodes.js';

export const OPS = {
  row: 0,
  zero: 1,
  wrap: 2,
  input: 3,
  load: 4,
  mix: 5,
  accumulate: 6,
  mean: 7,
  multiply: 8,
  dropout: 9,
  stat: 10,
  emit: 11,
} as const;
export const FINISH = { relu: 0, reluGeneral: 1, erf: 2, set: 3, add: 4, dual: 5 } as const;
export const OP_WORDS = 20;
export const CLASS_WORDS = 8;

export interface Op {
  code: number;
  src?: number;
  srcClass?: number;
  dst?: number;
  dstClass?: number;
  table?: number;
  constants?: number;
  filter?: Filter;
  finish?: number;
  gain?: number;
  compute?: boolean;
  more?: readonly number[];
}

export function pad(words: readonly number[], length: number): number[] {
  return [...words, ...Array.from({ length: length - words.length }, () => 0)];
}

export function encode(op: Op): number[] {
  const f = op.filter ?? POINT;
  const head = [op.code, op.src ?? 0, op.srcClass ?? 0, op.dst ?? 0, op.dstClass ?? 0, op.table ?? 0];
  const body = [op.constants ?? 0, f.kh, f.kw, f.th, f.tw, f.lh, f.lw, op.finish ?? 0, op.gain ?? -1];
  return pad([...head, ...body, +(op.compute ?? false), ...(op.more ?? [])], OP_WORDS);
}
