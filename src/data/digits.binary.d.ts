/** The numbers of digits.csv.gz, one byte each, as base64 of gzip; written by the build. */
declare const base64: string;
export default base64;
