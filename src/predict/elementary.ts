export const exp: (x: number) => number = Math.exp;
export const expm1: (x: number) => number = Math.expm1;
export const log: (x: number) => number = Math.log;
export const log1p: (x: number) => number = Math.log1p;
export const sin: (x: number) => number = Math.sin;
export const cos: (x: number) => number = Math.cos;
