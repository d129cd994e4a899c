// Convolutional kernels by planes of constant offset. The seam to the general propagation:
//   const plan = planOffsets(inferShapes(net, shape), { dtype, masked, diagonalSpatial });   'reason' in plan: not this path
//   executePlan(core, plan, { data, count, masks }, null | { ... })                            a block of K and Theta
// Tiles of any size give the same bits: lanes are independent, so a block may be cut anywhere.
export { planOffsets } from './plan.js';
export type { OffsetOptions, OffsetPlan } from './plan-types.js';
export type { OffsetReport } from './report.js';
export { executePlan, type Images, type OffsetBlock } from './executor.js';
