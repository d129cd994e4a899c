/**
 * Kernels of finite nets with given parameters, their products, Monte Carlo estimates and Taylor models.
 * @module
 */
export {
  empiricalNngp,
  empiricalNtk,
  empiricalNtkPerLayer,
  planEmpiricalNtk,
  type EmpiricalNtkOptions,
  type EmpiricalNtkPlan,
} from './kernels.js';
export type { Outputs } from './contract.js';
export {
  empiricalNtkExtremes,
  empiricalNtkSolve,
  empiricalNtkVectorProduct,
  type NtkSolveOptions,
} from './products.js';
export { linearize, taylorExpand, TaylorModel } from './taylor.js';
export {
  monteCarloKernel,
  type MonteCarloEstimate,
  type MonteCarloOptions,
  type MonteCarloResult,
} from './monte-carlo.js';
