// What derivatives of duals are: of kappa and kappa' in the covariance and the two variances.

/** kappa and kappa' (as the NTK uses it) of a pair, and their derivatives in (k12, k11, k22). */
export interface PairRates {
  kappa: number;
  byK: number;
  byQ1: number;
  byQ2: number;
  slope: number;
  slopeByK: number;
  slopeByQ1: number;
  slopeByQ2: number;
}

export const noRates = (): PairRates => ({
  kappa: 0,
  byK: 0,
  byQ1: 0,
  byQ2: 0,
  slope: 0,
  slopeByK: 0,
  slopeByQ1: 0,
  slopeByQ2: 0,
});
