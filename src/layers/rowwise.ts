// Functions of every run of `width` numbers whose Jacobian is symmetric, such as softmax and normalisation: tangents and
// cotangents of order 0 run in one kernel, all higher orders as power series.
import type { Builder, Pass, ValueRef } from './finite.js';
import { sizeOfShape } from './finite.js';
import { seriesBack, seriesThrough, type Series } from './power-series.js';

export interface RowRule {
  /** Writes y from x. */
  value(pass: Pass, rows: number, x: number, y: number): void;
  /** to = beta to + J v, J at the row whose value is y. */
  project(
    pass: Pass,
    rows: number,
    y: number,
    v: number,
    call: { readonly beta: number; readonly to: number },
  ): void;
  /** Values of one row, and J v at it, as power series. */
  series(row: readonly Series[]): Series[];
  projectSeries(row: readonly Series[], v: readonly Series[]): Series[];
}

/** Adds the operation; `rule` is told the value it computes, for scratch memory of its own. */
export function pushRowwise(
  builder: Builder,
  path: string,
  input: ValueRef,
  width: number,
  rule: (output: number) => RowRule,
): ValueRef {
  const output = builder.value(input.shape);
  const { value, project, series, projectSeries } = rule(output.id);
  const rowsOf = ({ n }: Pass): number => (n * sizeOfShape(input.shape)) / width;
  builder.push({
    path,
    inputs: [input.id],
    output: output.id,
    parameter: null,
    forward(pass, order) {
      const rows = rowsOf(pass);
      const y = pass.value(output.id, order);
      if (order === 0) value(pass, rows, pass.value(input.id, 0).ptr, y.ptr);
      else if (order > 1)
        seriesThrough(pass, { x: input.id, y: output.id, order, rows, width, rule: series });
      else if (pass.isZero(input.id, 1)) pass.core.heap.fill(y, 0);
      else
        project(pass, rows, pass.value(output.id, 0).ptr, pass.value(input.id, 1).ptr, {
          beta: 0,
          to: y.ptr,
        });
    },
    backward(pass, order) {
      const target = pass.addTo(input.id, order);
      if (!target) return;
      const rows = rowsOf(pass);
      if (order > 0)
        seriesBack(pass, { x: input.id, y: output.id, order, target, rows, width, rule: projectSeries });
      else {
        const [y, v] = [pass.value(output.id, 0).ptr, pass.cotangent(output.id, 0).ptr];
        project(pass, rows, y, v, { beta: target.beta, to: target.to.ptr });
      }
    },
  });
  return output;
}
