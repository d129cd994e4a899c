// Guards that keep the package simple: what is exported, imported, listed, and how large it is.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import * as library from 'infinite-width';
import { jobs } from '#build/jobs/table.js';
import { beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
// Development builds only the simd kernels; this does nothing when both are fresh.
beforeAll(() => {
  const { status, stderr } = spawnSync(process.execPath, ['.ci/build.mjs'], { cwd: root, encoding: 'utf8' });
  expect(status, stderr).toBe(0);
}, 300_000);

const read = (path: string) => readFileSync(join(root, path));
const json = (path: string) => JSON.parse(read(path).toString());

it('the version is that of package.json', () => {
  expect(library.version).toBe(json('package.json').version);
});

describe.each(['simd', 'relaxed'])('the kernels (%s)', (variant) => {
  const kernels = () => read(`build/kernels/${variant}.wasm`);

  it('import the memory and nothing else', () => {
    expect(interfaceOf(kernels()).imports).toEqual(['env.memory (memory)']);
  });

  it('have no state: no globals, tables or start function, so nothing can allocate', () => {
    const { sections } = interfaceOf(kernels());
    const [types, imported, functions, exported, code, data, dataCount] = [1, 2, 3, 7, 10, 11, 12];
    expect(sections.toSorted((a, b) => a - b)).toEqual([
      types,
      imported,
      functions,
      exported,
      code,
      data,
      dataCount,
    ]);
  });

  it('export exactly what src/wasm/abi declares', () => {
    const { exports } = interfaceOf(kernels());
    expect(exports.filter((name) => name !== 'memory').sort()).toEqual(declaredKernels());
  });

  it('take at most 128 KiB', () => {
    expect(kernels().length).toBeLessThanOrEqual(2 ** 17);
  });
});

/** Imports and exports of a wasm file, read by hand: Node 20 cannot compile relaxed SIMD. */
function interfaceOf(bytes: Uint8Array): { imports: string[]; exports: string[]; sections: number[] } {
  let at = 8;
  const number = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!;
      value |= (byte & 127) << shift;
      if (byte < 128) return value >>> 0;
    }
  };
  const name = (): string => {
    const length = number();
    return new TextDecoder().decode(bytes.subarray(at, (at += length)));
  };
  const limits = (): void => {
    if (number() & 1) number();
    number();
  };
  const kinds = ['function', 'table', 'memory', 'global'];
  const imports: string[] = [];
  const exports: string[] = [];
  const sections: number[] = [];
  while (at < bytes.length) {
    const id = bytes[at++]!;
    sections.push(id);
    const length = number();
    const end = at + length;
    if (id === 2) {
      for (let left = number(); left > 0; left--) {
        const path = `${name()}.${name()}`;
        const kind = kinds[bytes[at++]!]!;
        imports.push(`${path} (${kind})`);
        if (kind !== 'memory') break; // not expected, and reported by now
        limits();
      }
    } else if (id === 7) {
      for (let left = number(); left > 0; left--) {
        exports.push(name());
        at++;
        number();
      }
    }
    at = end;
  }
  return { imports, exports, sections };
}

/** The members of the interface Kernels, through everything it extends. */
function declaredKernels(): string[] {
  const file = join(root, 'src/wasm/abi/index.ts');
  const program = ts.createProgram([file], { module: ts.ModuleKind.NodeNext, skipLibCheck: true });
  const checker = program.getTypeChecker();
  const symbol = checker.getSymbolAtLocation(program.getSourceFile(file)!)!;
  const kernels = checker.getExportsOfModule(symbol).find(({ name }) => name === 'Kernels')!;
  return checker
    .getDeclaredTypeOfSymbol(kernels)
    .getProperties()
    .map(({ name }) => name)
    .sort();
}

it('every job defined in src is in the job table', () => {
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' });
  const defined = sources
    .filter((path) => path.endsWith('.ts') && !path.endsWith(join('wasm', 'job.ts')))
    .flatMap((path) => {
      const text = read(join('src', path)).toString();
      return [...text.matchAll(/\bdefineJob\s*(?:<[^()]*>)?\s*\(\s*'([^']+)'/g)].map((match) => match[1]!);
    });
  expect(defined.length).toBeGreaterThan(0);
  expect(new Set(defined).size).toBe(defined.length);
  expect([...jobs.keys()].sort()).toEqual(defined.sort());
});
