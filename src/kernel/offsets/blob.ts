/** The 32-bit words the executor reads: op lists, tables, offsets. Addresses are word indices; 0 means none. */
export class Blob {
  readonly #words: number[] = [0];

  /** Appends words; returns the index of the first. */
  put(words: Iterable<number>): number {
    const at = this.#words.length;
    for (const word of words) this.#words.push(word);
    return at;
  }

  /** Appends f64 numbers, aligned. */
  putNumbers(values: readonly number[]): number {
    if (this.#words.length % 2 === 1) this.#words.push(0);
    return this.put(new Int32Array(Float64Array.from(values).buffer));
  }

  done(): Int32Array {
    return Int32Array.from(this.#words);
  }
}

/** Constants, each splat over the lanes by the runner; number 0 is one. Equal blocks are stored once. */
export class Constants {
  readonly #values: number[] = [1];
  readonly #known = new Map<string, number>([['1', 0]]);

  put(values: readonly number[]): number {
    const key = values.join();
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const at = this.#values.length;
    this.#values.push(...values);
    this.#known.set(key, at);
    return at;
  }

  done(): Float64Array {
    return Float64Array.from(this.#values);
  }
}

/** Bytes of one arena that holds slots, stored planes and accumulators. */
export class Arena {
  #bytes = 0;

  take(bytes: number): number {
    const at = this.#bytes;
    this.#bytes = Math.ceil((at + bytes) / 64) * 64;
    return at;
  }

  get bytes(): number {
    return this.#bytes;
  }
}
