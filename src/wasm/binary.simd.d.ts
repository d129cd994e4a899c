/** The kernels as base64 of gzip; written by the build. */
declare const base64: string;
export default base64;
