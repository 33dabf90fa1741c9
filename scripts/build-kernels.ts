/**
 * Compiles src/crypto/kernels/*.as (AssemblyScript) into NAME-wasm.ts beside them: `tsx scripts/build-kernels.ts [NAME...]`.
 * The results are committed, so that nobody who only uses the program needs the compiler; a test compares them.
 */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Of `assemblyscript/asc`, whose own types would give `Array.at` of the whole project another type. */
interface Compiler {
  main(
    args: readonly string[],
    io: {
      readFile(file: string): string | null;
      writeFile(file: string, contents: unknown): void;
      listFiles(): string[];
      stderr: { write(text: unknown): void };
    },
  ): Promise<{ error: Error | null }>;
}

const folder = fileURLToPath(new URL('../src/crypto/kernels/', import.meta.url));

const flags = [
  ...['--runtime', 'stub', '-O3', '--noAssert', '--enable', 'simd,threads'],
  ...['--importMemory', '--sharedMemory', '--initialMemory', '1', '--maximumMemory', '4096'],
  '--noExportMemory',
];

export function kernelNames(): string[] {
  const files = readdirSync(folder).filter((file) => file.endsWith('.as'));
  return files.map((file) => file.slice(0, -'.as'.length)).sort();
}

/** Where the compiled kernel is committed. */
export function generatedFile(name: string): string {
  return `${folder}${name}-wasm.ts`;
}

/** The text of the generated file. */
export async function buildKernel(name: string): Promise<string> {
  const source = readFileSync(`${folder}${name}.as`, 'utf8');
  const complaints: string[] = [];
  let binary = new Uint8Array();
  const compiler = (await import(import.meta.resolve('assemblyscript/asc'))) as Compiler;
  const { error } = await compiler.main([`${name}.ts`, ...flags, '--outFile', 'kernel.wasm'], {
    readFile: (file) => (file === `${name}.ts` ? source : null),
    writeFile: (_file, contents) => {
      binary = contents as Uint8Array<ArrayBuffer>;
    },
    listFiles: () => [],
    stderr: { write: (text) => complaints.push(String(text)) },
  });
  if (error) throw new Error(`Cannot compile ${name}.as: ${complaints.join('')}`);
  return render(name, Buffer.from(binary).toString('base64'));
}

function render(name: string, base64: string): string {
  const constant = `${name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())}Wasm`;
  return `// Made by scripts/build-kernels.ts from ${name}.as: do not edit.\n\nexport const ${constant} =\n  '${base64}';\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const wanted = process.argv.slice(2);
  for (const name of wanted.length > 0 ? wanted : kernelNames()) {
    writeFileSync(generatedFile(name), await buildKernel(name));
  }
}
