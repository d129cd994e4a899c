/** The package papaparse as an ES module; written by the build, so that no bundler has to find its default export. */
export { default } from 'papaparse';
