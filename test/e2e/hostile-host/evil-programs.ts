/** Programs of an attacker on the host: a library that loaders are told to load, and a launcher that does not do its duty. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { unpackPackages } from '../../../tools/setup/debian-archive.ts';
import { debianPackages } from '../../images/debian.ts';
import { repository } from '../../images/places.ts';

/** Leaves a marker wherever it runs: the folder is there as /evil and, for the runtime, as /host/evil. */
const library = (folder: string): string => `
long call3(long number, long a, long b, long c);
__asm__(".globl call3\\ncall3:\\n mov %rdi,%rax\\n mov %rsi,%rdi\\n mov %rdx,%rsi\\n mov %rcx,%rdx\\n syscall\\n ret\\n");
static void mark(const char *path) {
  long descriptor = call3(2, (long)path, 02101, 0666);
  if (descriptor >= 0) { call3(1, descriptor, (long)"ran\\n", 4); call3(3, descriptor, 0, 0); }
}
__attribute__((constructor)) static void ran(void) {
  mark("/evil/ran");
  mark("/host/evil/ran");
  mark("${folder}/ran");
}
unsigned la_version(unsigned version) { ran(); return version; }
`;

const script = `try { require('fs').writeFileSync('/evil/ran', 'script'); } catch {}
try { require('fs').writeFileSync('/host/evil/ran', 'script'); } catch {}
`;

/** Loads the library as a provider as soon as OpenSSL reads it. */
const opensslConfiguration = (folder: string): string => `openssl_conf = main
nodejs_conf = main
[main]
providers = list
engines = engines
[list]
evil = evil
[evil]
module = ${folder}/evil.so
activate = 1
[engines]
evil = engine
[engine]
dynamic_path = ${folder}/evil.so
init = 0
`;

export interface EvilPrograms {
  /** Folder on the host; it becomes /evil of the container. */
  readonly folder: string;
  /** File that appears as soon as anything of the attacker's runs. */
  readonly marker: string;
}

async function withCompiler(
  folder: string,
  use: (compile: (...args: string[]) => void) => void,
): Promise<void> {
  const tools = mkdtempSync(join(folder, 'tcc-'));
  try {
    await unpackPackages(await debianPackages(['tcc']), tools);
    const library = join(tools, 'usr', 'lib', 'x86_64-linux-gnu', 'tcc');
    use((...args) => {
      execFileSync(join(tools, 'usr', 'bin', 'tcc'), ['-B', library, '-nostdlib', ...args], { env: {} });
    });
  } finally {
    rmSync(tools, { recursive: true, force: true });
  }
}

export async function makeEvilPrograms(parent: string): Promise<EvilPrograms> {
  const folder = join(parent, 'evil');
  mkdirSync(folder);
  const source = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  source('evil.cjs', script);
  source('openssl.cnf', opensslConfiguration('/evil'));
  source('openssl-here.cnf', opensslConfiguration(folder));
  const launch = join(repository, 'services', 'runtime', 'launch');
  // The same launcher, but for one thing: Node gets an environment.
  const disobedient = readFileSync(join(launch, 'launch.c'), 'utf8')
    .replace('char *empty[1];', 'char *empty[2];')
    .replace('empty[0] = 0;', 'empty[0] = "NODE_OPTIONS=--require=/host/evil/evil.cjs"; empty[1] = 0;');
  await withCompiler(parent, (compile) => {
    compile('-shared', '-o', join(folder, 'evil.so'), source('evil.c', library(folder)));
    compile('-static', `-I${launch}`, '-o', join(folder, 'launch'), source('launch.c', disobedient));
  });
  return { folder, marker: join(folder, 'ran') };
}
