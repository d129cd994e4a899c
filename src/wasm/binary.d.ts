/** The kernels of both variants as base64 of gzip; written by the build. */
declare const base64: string;
export default base64;
