// The ABI: only re-exports, the same list for every variant. Typed in src/wasm/abi.
export * from './dual';
export * from './gemm';
export * from './random';
export * from './activation';
export * from './map';
export * from './linalg';
export * from './cholesky';
export * from './eigh';
export * from './roofline';
export * from './conv';
export * from './pool';
export * from './rows';
export * from './losses';
export * from './optimize';
export * from './offsets';
export * from './one-hidden';
export * from './propagation';
export * from './sphere';
export * from './checksum';

/** First byte after the static data: where the heap may start. */
export function heapBase(): usize { return __heap_base; }
