/** A state of a system of ordinary differential equations: named arrays. */
export type OdeState = readonly Float64Array[];

/** One classical Runge-Kutta step of order 4 of y' = slope(y). */
export function rungeKutta4(y: OdeState, h: number, slope: (y: OdeState) => OdeState): OdeState {
  const shifted = (k: OdeState, by: number): OdeState =>
    y.map((array, i) => array.map((value, j) => value + by * k[i]![j]!));
  const k1 = slope(y);
  const k2 = slope(shifted(k1, h / 2));
  const k3 = slope(shifted(k2, h / 2));
  const k4 = slope(shifted(k3, h));
  return y.map((array, i) =>
    array.map((value, j) => value + (h / 6) * (k1[i]![j]! + 2 * k2[i]![j]! + 2 * k3[i]![j]! + k4[i]![j]!)),
  );
}
