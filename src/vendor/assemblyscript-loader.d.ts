/** The package @assemblyscript/loader, written into the library by the build, so that an import map needs no line for it. */
export { instantiate } from '@assemblyscript/loader';
