// Layers that mix offsets (pools, resizes, transposed and seam-crossing convolutions): every finished plane is added into the stored
// planes it touches. Per axis and input offset a table lists, for each output offset, which rows (columns) go where with which weight.
//
// axis table (blob): one word per input offset, 0 or the index of {count, count x (plane coordinate, index, number)} where the entries are
// rows {out, in, taps, weight} or column spans {out, in, length, step, taps, weight}; taps are consecutive inputs of equal weight; a weight
// is an index of constants, 0 = one.

// @ts-ignore: decorator
@inline function word(p: usize, i: i32): i32 { return load<i32>(p + (<usize>i << 2)); }

// out[j] += the sum of `rows` x `taps` inputs at r, which advances by `step` bytes per output.
// w, v: the two factors of their weight, 0 = one.
function addSpan<T>(out: usize, r: usize, length: i32, step: usize, rows: i32, rs: usize, taps: i32, constants: usize, w: i32, v: i32): void {
  const second = taps == 2 ? <usize>32 : rs;
  if (w | v) rows = -rows;  // none of the quick cases
  if (rows * taps == 1) for (; length > 0; length--) {
    v128.store(out, v128.add<T>(v128.load(out), v128.load(r))); v128.store(out, v128.add<T>(v128.load(out, 16), v128.load(r, 16)), 16);
    out += 32; r += step;
  } else if (rows * taps == 2) for (; length > 0; length--) {
    const q = r + second;
    v128.store(out, v128.add<T>(v128.load(out), v128.add<T>(v128.load(r), v128.load(q))));
    v128.store(out, v128.add<T>(v128.load(out, 16), v128.add<T>(v128.load(r, 16), v128.load(q, 16))), 16);
    out += 32; r += step;
  } else if (rows == 2 && taps == 2) for (; length > 0; length--) {
    const q = r + rs;
    v128.store(out, v128.add<T>(v128.load(out), v128.add<T>(v128.add<T>(v128.load(r), v128.load(r, 32)), v128.add<T>(v128.load(q), v128.load(q, 32)))));
    v128.store(out, v128.add<T>(v128.load(out, 16), v128.add<T>(v128.add<T>(v128.load(r, 16), v128.load(r, 48)), v128.add<T>(v128.load(q, 16), v128.load(q, 48)))), 16);
    out += 32; r += step;
  } else addWeighted<T>(out, r, length, step, abs(rows), rs, taps, v128.mul<T>(v128.load(constants + (<usize>w << 4)), v128.load(constants + (<usize>v << 4))));
}

function addWeighted<T>(out: usize, r: usize, length: i32, step: usize, rows: i32, rs: usize, taps: i32, w: v128): void {
  for (; length > 0; length--) {
    let k = v128.splat<T>(<T>0), t = k, line = r;
    for (let i = 0; i < rows; i++) {
      let a = line;
      for (let j = 0; j < taps; j++) { k = v128.add<T>(k, v128.load(a)); t = v128.add<T>(t, v128.load(a, 16)); a += 32; }
      line += rs;
    }
    v128.store(out, v128.add<T>(v128.load(out), v128.mul<T>(k, w))); v128.store(out, v128.add<T>(v128.load(out, 16), v128.mul<T>(t, w)), 16);
    out += 32; r += step;
  }
}

/** Adds the plane at src into the stored planes. Op words 16: rows table, 17: columns table, 18 and 19: planes (pairs, self pairs), 7, 8: their H, W; 9: modular. */
export function mixPlane(single: bool, ctx: usize, op: usize, blob: usize, arena: usize, src: usize, rs: usize, eh: i32, ew: i32, H: i32, W: i32, modular: bool): void {
  const toW = word(op, 8), outModular = word(op, 9) != 0, line = outModular ? toW : 2 * toW - 1, constants = <usize>word(ctx, 1);
  const hs = word(blob + (<usize>word(op, 16) << 2), modular ? eh : eh + H - 1), ws = word(blob + (<usize>word(op, 17) << 2), modular ? ew : ew + W - 1);
  if (hs == 0 || ws == 0) return;
  const planes = blob + (<usize>word(op, word(ctx, 5) != 0 && word(ctx, 9) != 0 ? 19 : 18) << 2);
  const hList = blob + (<usize>hs << 2), wList = blob + (<usize>ws << 2);
  for (let a = 0; a < word(hList, 0); a++) {
    const oh = word(hList, 1 + 3 * a);
    for (let b = 0; b < word(wList, 0); b++) {
      const ow = word(wList, 1 + 3 * b), at = word(planes, oh * line + ow);
      if (at < 0) continue;
      const width = outModular ? toW : toW - abs(ow - toW + 1);
      const store = arena + <usize>at;
      let row = blob + (<usize>word(hList, 2 + 3 * a) << 2);
      for (let i = word(hList, 3 + 3 * a); i > 0; i--, row += 16) {
        const out = store + <usize>(word(row, 0) * width) * 32, r = src + <usize>word(row, 1) * rs, taps = word(row, 2), wi = word(row, 3);
        let span = blob + (<usize>word(wList, 2 + 3 * b) << 2);
        for (let j = word(wList, 3 + 3 * b); j > 0; j--, span += 24) {
          const o = out + <usize>word(span, 0) * 32, s = r + <usize>word(span, 1) * 32, wj = word(span, 5), step = <usize>(word(span, 3) * 32);
          if (single) addSpan<f32>(o, s, word(span, 2), step, taps, rs, word(span, 4), constants, wi, wj); else addSpan<f64>(o, s, word(span, 2), step, taps, rs, word(span, 4), constants, wi, wj);
        }
      }
    }
  }
}
