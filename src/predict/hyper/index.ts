export {
  leaveOneOutLogDensity,
  logMarginalLikelihood,
  type Evidence,
  type EvidenceOptions,
} from './evidence.js';
export { fitHyperparameters, type FitHyperparametersOptions, type FittedHyperparameters } from './fit.js';
