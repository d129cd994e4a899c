// What becomes a tensor, and of which shape.
import { tensor } from 'infinite-width';
import { describe, expect, it } from 'vitest';

describe('tensor', () => {
  it('gives lists and integer arrays the shape asked for', () => {
    const square = { data: Float64Array.of(1, 2, 3, 4), shape: [2, 2] };
    for (const data of [
      [1, 2, 3, 4],
      [
        [1, 2],
        [3, 4],
      ],
      Uint8Array.of(1, 2, 3, 4),
      Int32Array.of(1, 2, 3, 4),
    ] as const)
      expect(tensor(data, [2, 2])).toEqual(square);
    expect(
      tensor(
        [
          [1, 2],
          [3, 4],
        ],
        [4],
      ).shape,
    ).toEqual([4]);
    expect(tensor(5, [1, 1])).toEqual({ data: Float64Array.of(5), shape: [1, 1] });
    expect(tensor(new Uint8Array(0), [0, 3]).shape).toEqual([0, 3]);
  });

  it('keeps the shape of the data where none is given', () => {
    expect(tensor([[1, 2, 3]]).shape).toEqual([1, 3]);
    expect(tensor(Uint16Array.of(7, 65535))).toEqual({ data: Float64Array.of(7, 65535), shape: [2] });
  });

  it('wraps float arrays without a copy', () => {
    for (const data of [Float64Array.of(1, 2), Float32Array.of(1, 2)])
      expect(tensor(data, [2, 1]).data).toBe(data);
  });

  it('refuses shapes of another size, and what is no number', () => {
    for (const data of [[1, 2, 3, 4], Int32Array.of(1, 2, 3, 4), Float64Array.of(1, 2, 3, 4)])
      expect(() => tensor(data as number[], [7])).toThrow('tensor: shape [7] has 7 entries, the data 4');
    expect(() => tensor(BigInt64Array.of(1n) as never, [1])).toThrow(TypeError);
  });
});
