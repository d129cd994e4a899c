export { cos, erf, exp, expm1, log, log1p, sin, tanh } from '../../math/elementary.js';
