// The only maker of views on wasm memory. After `memory.grow` an old view has length 0 and writes to it vanish
// silently, so callers hold tickets (a pointer and a length) and copy through `write` and `read`.

export interface DTypes {
  f32: Float32Array<ArrayBuffer>;
  f64: Float64Array<ArrayBuffer>;
  i32: Int32Array<ArrayBuffer>;
  u32: Uint32Array<ArrayBuffer>;
  u8: Uint8Array<ArrayBuffer>;
}
export type DType = keyof DTypes;
export type FloatType = 'f32' | 'f64';

declare const pointee: unique symbol;
/** A wasm address branded by what it points to, so that f32 and f64 kernels cannot be mixed up. */
export type Ptr<D extends DType = DType> = number & { readonly [pointee]: D };

/** A piece of wasm memory: valid until its scope ends or its region is disposed. */
export interface Ticket<D extends DType = DType> {
  readonly ptr: Ptr<D>;
  /** Number of elements, not bytes. */
  readonly length: number;
  readonly dtype: D;
}

const CONSTRUCTORS = {
  f32: Float32Array,
  f64: Float64Array,
  i32: Int32Array,
  u32: Uint32Array,
  u8: Uint8Array,
} as const;
const ALIGN = 64; // one cache line, and more than any kernel asks for
const PAGE = 65536;
const LIMIT = 2 ** 32 - PAGE;

/** The dtype of a typed array; TypeError for anything the kernels do not take. */
export function dtypeOf(array: ArrayBufferView): DType {
  if (array instanceof Float64Array) return 'f64';
  if (array instanceof Float32Array) return 'f32';
  if (array instanceof Int32Array) return 'i32';
  if (array instanceof Uint32Array) return 'u32';
  if (array instanceof Uint8Array) return 'u8';
  throw new TypeError(
    `dtypeOf: expected Float64Array, Float32Array, Int32Array, Uint32Array or Uint8Array, got ${array.constructor.name}`,
  );
}

/** The bytes of one element. */
export function bytesPerElement(dtype: DType): number {
  return CONSTRUCTORS[dtype].BYTES_PER_ELEMENT;
}

/** Where allocations that live and die together come from. */
export interface Allocator {
  /** Uninitialised memory for `length` elements, 64-byte aligned. RangeError names the bytes if they do not fit. */
  alloc<D extends DType>(dtype: D, length: number): Ticket<D>;
  /** Zeroed memory. */
  zeros<D extends DType>(dtype: D, length: number): Ticket<D>;
  /** A copy of `array` in wasm memory. */
  put<A extends DTypes[DType]>(array: A): Ticket<DTypeOf<A>>;
}
export type DTypeOf<A> = A extends Float64Array
  ? 'f64'
  : A extends Float32Array
    ? 'f32'
    : A extends Int32Array
      ? 'i32'
      : A extends Uint32Array
        ? 'u32'
        : 'u8';

interface Block {
  start: number;
  end: number;
}

export class Heap {
  readonly #memory: WebAssembly.Memory;
  readonly #free: Block[]; // sorted, never adjacent
  #used = 0;
  #peak = 0;
  #closed = false;

  /** `base` is the first byte after the module's static data. */
  constructor(memory: WebAssembly.Memory, base: number) {
    this.#memory = memory;
    this.#free = [{ start: Math.ceil(base / ALIGN) * ALIGN, end: LIMIT }];
  }

  /** Bytes now allocated, and the most there ever were. */
  get usage(): { readonly used: number; readonly peak: number } {
    return { used: this.#used, peak: this.#peak };
  }

  /** Gives nothing more from now on: the engine was disposed. What is held may still be given back. */
  close(): void {
    this.#closed = true;
  }

  /** Throws once the engine was disposed. */
  assertOpen(): void {
    if (this.#closed) throw new Error('engine: used after dispose(); create another one');
  }

  /** Runs `fn` with an allocator whose memory is released on return or throw. `fn` must be synchronous. */
  scope<T>(fn: (scope: Allocator) => T): T {
    const region = new Region(this);
    try {
      const result = fn(region);
      if (result instanceof Promise)
        throw new TypeError(
          'scope: expected a synchronous callback, got a Promise. Await outside the scope.',
        );
      return result;
    } finally {
      region.dispose();
    }
  }

  /** Memory that lives until `dispose()`; for the parameters of a model and the like. */
  region(): Region {
    return new Region(this);
  }

  /** Copies elements out: all of the ticket, or `length` from `offset`. */
  read<D extends DType>(ticket: Ticket<D>, offset = 0, length: number = ticket.length - offset): DTypes[D] {
    return this.#view(ticket, offset, length).slice() as DTypes[D];
  }

  /** Copies a matrix out, `rows` rows of `columns` elements that start `ld` elements apart. */
  readRows<D extends DType>(ticket: Ticket<D>, rows: number, columns: number, ld: number): DTypes[D] {
    if (ld === columns) return this.read(ticket, 0, rows * columns);
    const out = new CONSTRUCTORS[ticket.dtype](rows * columns) as DTypes[D];
    const all = this.#view(ticket, 0, rows > 0 ? (rows - 1) * ld + columns : 0);
    for (let i = 0; i < rows; i++)
      (out as Float64Array).set(all.subarray(i * ld, i * ld + columns) as Float64Array, i * columns);
    return out;
  }

  /** Copies elements out into `target`, which may be a view of any JS buffer. */
  readInto<D extends DType>(ticket: Ticket<D>, target: DTypes[D], offset = 0): void {
    (target as Float64Array).set(this.#view(ticket, offset, target.length) as Float64Array);
  }

  /** Copies `array` into the ticket's memory from element `offset` on. */
  write<D extends DType>(ticket: Ticket<D>, array: ArrayLike<number>, offset = 0): void {
    this.#view(ticket, offset, array.length).set(array);
  }

  /** One number. */
  get(ticket: Ticket, index: number): number {
    return this.#view(ticket, index, 1)[0]!;
  }

  fill(ticket: Ticket, value: number): void {
    this.#view(ticket, 0, ticket.length).fill(value);
  }

  #view<D extends DType>(ticket: Ticket<D>, offset: number, length: number): DTypes[D] {
    if (offset < 0 || length < 0 || offset + length > ticket.length) {
      throw new RangeError(
        `heap: elements ${offset}..${offset + length} are outside a ticket of ${ticket.length}`,
      );
    }
    const bytes = CONSTRUCTORS[ticket.dtype].BYTES_PER_ELEMENT;
    return new CONSTRUCTORS[ticket.dtype](
      this.#memory.buffer,
      ticket.ptr + offset * bytes,
      length,
    ) as DTypes[D];
  }

  /** @internal first fit; grows the memory only here */
  take(bytes: number): Block {
    this.assertOpen();
    const size = Math.max(ALIGN, Math.ceil(bytes / ALIGN) * ALIGN);
    const index = this.#free.findIndex((block) => block.end - block.start >= size);
    if (index < 0) throw tooLarge(bytes, this.#used);
    const block = this.#free[index]!;
    const start = block.start;
    const end = start + size;
    this.#grow(end, bytes);
    if (end === block.end) this.#free.splice(index, 1);
    else block.start = end;
    this.#used += size;
    this.#peak = Math.max(this.#peak, this.#used);
    return { start, end };
  }

  /** @internal */
  give({ start, end }: Block): void {
    let index = this.#free.findIndex((block) => block.start > start);
    if (index < 0) index = this.#free.length;
    const before = this.#free[index - 1];
    const after = this.#free[index];
    const joinsBefore = before?.end === start;
    const joinsAfter = after?.start === end;
    if (joinsBefore && joinsAfter) {
      before.end = after.end;
      this.#free.splice(index, 1);
    } else if (joinsBefore) before.end = end;
    else if (joinsAfter) after.start = start;
    else this.#free.splice(index, 0, { start, end });
    this.#used -= end - start;
  }

  #grow(end: number, wanted: number): void {
    const have = this.#memory.buffer.byteLength;
    if (end <= have) return;
    // Half as much again, so that many small allocations do not grow the memory one by one.
    const target = Math.min(LIMIT, Math.max(end, Math.min(have * 1.5, have + 2 ** 28)));
    for (const size of [target, end]) {
      try {
        this.#memory.grow(Math.ceil((size - have) / PAGE));
        return;
      } catch {
        // the system has less than we would like: try with just what is needed
      }
    }
    throw tooLarge(wanted, this.#used);
  }
}

function tooLarge(bytes: number, used: number): RangeError {
  return new RangeError(
    `heap: ${bytes} bytes wanted with ${used} in use; one WebAssembly memory holds at most ${LIMIT}. Use smaller tiles, float32 or fewer rows.`,
  );
}

/** Long-lived allocations of one owner. Call `dispose()`, or declare it with `using`. */
export class Region implements Allocator {
  readonly #heap: Heap;
  #blocks: Block[] = [];
  #disposed = false;

  constructor(heap: Heap) {
    this.#heap = heap;
  }

  alloc<D extends DType>(dtype: D, length: number): Ticket<D> {
    if (this.#disposed) throw new TypeError('alloc: its region or scope has ended. Allocate from a new one.');
    if (!Number.isSafeInteger(length) || length < 0) {
      throw new RangeError(`alloc: expected a whole number of elements >= 0, got ${length}`);
    }
    const block = this.#heap.take(length * CONSTRUCTORS[dtype].BYTES_PER_ELEMENT);
    this.#blocks.push(block);
    return { ptr: block.start as Ptr<D>, length, dtype };
  }

  zeros<D extends DType>(dtype: D, length: number): Ticket<D> {
    const ticket = this.alloc(dtype, length);
    this.#heap.fill(ticket, 0);
    return ticket;
  }

  put<A extends DTypes[DType]>(array: A): Ticket<DTypeOf<A>> {
    const ticket = this.alloc(dtypeOf(array) as DTypeOf<A>, array.length);
    this.#heap.write(ticket, array);
    return ticket;
  }

  dispose(): void {
    this.#disposed = true;
    // Newest first: scopes then give back what they took last, which keeps the free list short.
    for (const block of this.#blocks.reverse()) this.#heap.give(block);
    this.#blocks = [];
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** A ticket for part of another one; the same memory. */
export function slice<D extends DType>(ticket: Ticket<D>, offset: number, length: number): Ticket<D> {
  if (offset < 0 || length < 0 || offset + length > ticket.length) {
    throw new RangeError(
      `slice: elements ${offset}..${offset + length} are outside a ticket of ${ticket.length}`,
    );
  }
  return {
    ptr: (ticket.ptr + offset * bytesPerElement(ticket.dtype)) as Ptr<D>,
    length,
    dtype: ticket.dtype,
  };
}
