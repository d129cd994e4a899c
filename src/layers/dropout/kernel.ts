// Dropout in training scales by 1/keep the entries of one variable with itself; in test mode it does nothing.
import { positionPairs, type Joint, type Sheets } from '../states/state.js';
import { scaleSide } from '../states/operators.js';
import { NO_NOTE, type Rule } from '../states/rule.js';
import type { DropoutLayer } from '../vocabulary.js';
import type { Core, Ptr } from '../../wasm/engine.js';

export const dropoutRule: Rule<DropoutLayer> = {
  facts: (node, input) => ({ ...input, gaussian: input.gaussian && node.layer.mode === 'test' }),
  demand: (_node, wanted) => wanted,
  side(core, { layer }, side) {
    if (layer.mode === 'test' || !side.cov) return { side, note: NO_NOTE };
    const data = side.cov.data.own(core);
    const next = { ...side, cov: { ...side.cov, data } };
    if (!side.cov.full) {
      scaleSide(core, next, new Float64Array(data.ticket.length).fill(Math.sqrt(1 / layer.keep)));
      return { side: next, note: NO_NOTE };
    }
    const pairs = positionPairs({ spatial: side.spatial, full: true });
    for (let sheet = 0; sheet < pairs.length / 2; sheet++) {
      if (pairs[2 * sheet] !== pairs[2 * sheet + 1]) continue;
      const values = core.heap.read(data.ticket, sheet * side.ld, side.ld);
      core.heap.write(
        data.ticket,
        values.map((value) => value / layer.keep),
        sheet * side.ld,
      );
    }
    return { side: next, note: NO_NOTE };
  },
  joint(core, { layer }, joint, { block }) {
    if (layer.mode === 'test' || !block.same) return joint;
    const next = { ...joint, k: joint.k.own(core), t: joint.t && joint.t.own(core) };
    scaleIdentical(core, next, next.k, 1 / layer.keep, block.row - block.column);
    if (next.t) scaleIdentical(core, next, next.t, 1 / layer.keep, block.row - block.column);
    return next;
  },
};

function scaleIdentical(core: Core, joint: Joint, sheets: Sheets, factor: number, shift: number): void {
  const pairs = positionPairs(joint.layout);
  const same = core.kernels[
    sheets.ticket.dtype === 'f32' ? 'sheetsSame_f32' : 'sheetsSame_f64'
  ] as typeof core.kernels.sheetsSame_f64;
  core.heap.scope((scope) => {
    const index = scope.put(pairs).ptr;
    const saved = scope.alloc('f64', (pairs.length / 2) * joint.rows);
    const copy = (put: number): void =>
      same(put, pairs.length / 2, joint.rows, joint.ld, shift, index, sheets.ptr as Ptr<'f64'>, saved.ptr);
    copy(0);
    core.heap.write(
      saved,
      core.heap.read(saved).map((value) => value * factor),
    );
    copy(1);
  });
}
