// Convolutional kernels by planes of constant offset. The seam to the general propagation:
//   const plan = planPlanes(inferShapes(net, shape), { dtype, masked, diagonalSpatial });   'reason' in plan: not this path
//   runPlanes(core, plan, { data, count, masks }, null | { ... })                            a block of K and Theta
// Tiles of any size give the same bits: lanes are independent, so a block may be cut anywhere.
export { planPlanes } from './plan.js';
export type { PlanesOptions, PlanesPlan } from './plan-types.js';
export type { PlanesReport } from './report.js';
export { runPlanes, type Images, type PlanesBlock } from './executor.js';
