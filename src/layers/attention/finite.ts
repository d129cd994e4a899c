import type { Builder, ValueRef } from '../finite.js';
import { UnsupportedError } from '../../wasm/engine.js';
import type { Shaped } from '../shapes.js';
import type { AttentionLayer } from '../vocabulary.js';

export function compileAttention(
  { path }: Shaped<AttentionLayer>,
  _builder: Builder,
  _input: ValueRef,
): ValueRef {
  throw new UnsupportedError(`attention in a finite net (${path})`);
}
