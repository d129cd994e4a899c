/** `jobs/worker.js` and all that it imports as one classic script: base64 of gzip; written by the build. */
declare const base64: string;
export default base64;
