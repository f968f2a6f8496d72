/** Images without a shell or a C library of glibc's kind: one static binary, one musl program, one bare Python. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { unpackPackages } from '../../tools/setup/debian-archive.ts';
import { debianPackages, mergedUsr, packageEntries, packageFile, sorted, withEntries } from './debian.ts';
import { buildImage, sha256, type TestImage } from './oci-layout.ts';
import { cacheFolder } from './places.ts';
import { accountFiles } from './python.ts';
import { tarEntry, writeTar } from './tar.ts';

const execute = promisify(execFile);

async function keyOf(...names: string[]): Promise<string> {
  return (await debianPackages(names)).map((fetched) => fetched.sha256).join(' ');
}

/** FROM scratch: the root has a static busybox, a data file and nothing else; no user database, no /tmp, no shell. */
export async function staticImage(): Promise<TestImage> {
  return buildImage({
    name: 'static',
    layers: [
      {
        key: `static ${await keyOf('busybox-static')}`,
        createdBy: 'COPY busybox ledger.txt /',
        tar: async () =>
          writeTar([
            tarEntry({
              name: 'busybox',
              mode: 0o755,
              body: await packageFile('busybox-static', 'bin/busybox'),
            }),
            tarEntry({
              name: 'ledger.txt',
              mode: 0o400,
              uid: 7000,
              gid: 7000,
              body: 'indigo-marten ledger: 42\n',
            }),
          ]),
      },
    ],
    config: { User: '7000:7000', Entrypoint: ['/busybox'], Cmd: ['cat', '/ledger.txt'] },
    markers: ['indigo-marten', 'ledger.txt', 'BusyBox'],
  });
}

/** glibc and python3-minimal, but neither a shell nor coreutils. */
export async function distrolessImage(): Promise<TestImage> {
  const packages = [
    'base-files',
    'libc6',
    'zlib1g',
    'libexpat1',
    'libssl3',
    'libpython3.11-minimal',
    'python3.11-minimal',
    'python3-minimal',
  ];
  const program =
    'import os, sys\nprint("saffron-ibex", sys.argv[1:], os.getuid(), os.path.exists("/bin/sh"))\n';
  return buildImage({
    name: 'distroless',
    layers: [
      {
        key: `distroless ${await keyOf(...packages, 'base-passwd')}`,
        createdBy: 'ADD distroless.tar /',
        tar: async () => {
          const entries = withEntries(await packageEntries(packages), mergedUsr());
          const nonroot = { passwd: 'nonroot:x:65532:65532::/home/nonroot:\n', group: 'nonroot:x:65532:\n' };
          return writeTar(sorted(withEntries(entries, await accountFiles(nonroot))));
        },
      },
      {
        key: `distroless program ${program}`,
        createdBy: 'COPY ibex.py /srv/',
        tar: async () =>
          writeTar([
            tarEntry({ name: 'srv', type: 'directory' }),
            tarEntry({ name: 'srv/ibex.py', body: program }),
          ]),
      },
    ],
    config: {
      User: 'nonroot',
      WorkingDir: '/srv',
      Entrypoint: ['/usr/bin/python3', 'ibex.py'],
      Cmd: ['hello'],
    },
    markers: ['saffron-ibex', 'ibex.py'],
  });
}

const muslSource = `#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(int count, char **arguments) {
  const char *greeting = getenv("GREETING");
  printf("teal-lynx %s, uid %d, libc musl\\n", greeting ? greeting : "nobody", (int)getuid());
  for (int i = 1; i < count; i++) printf("argument %d: %s\\n", i, arguments[i]);
  return 3;
}
`;

const glibcLoader = '/lib64/ld-linux-x86-64.so.2';
const muslLoader = '/lib/ld-musl-x86_64.so.1';

/** Compiles the program against musl with the archive's tcc, which knows glibc's loader only: its name is replaced. */
async function muslProgram(): Promise<Buffer> {
  if (process.arch !== 'x64') throw new Error(`musl image: x64 expected, ${process.arch} found`);
  mkdirSync(cacheFolder, { recursive: true });
  const folder = mkdtempSync(join(cacheFolder, 'musl-'));
  try {
    await unpackPackages(await debianPackages(['tcc', 'musl', 'musl-dev']), folder);
    const tcc = join(folder, 'usr/lib/x86_64-linux-gnu/tcc');
    const library = join(folder, 'usr/lib/x86_64-linux-musl');
    const source = join(folder, 'lynx.c');
    writeFileSync(source, muslSource);
    const inputs = [
      join(library, 'Scrt1.o'),
      join(library, 'crti.o'),
      source,
      join(folder, 'lib/x86_64-linux-musl/libc.so'),
      join(tcc, 'libtcc1.a'),
      join(library, 'crtn.o'),
    ];
    const headers = join(folder, 'usr/include/x86_64-linux-musl');
    const options = [`-B${tcc}`, '-nostdlib', '-nostdinc', `-I${headers}`, '-o', join(folder, 'lynx')];
    await execute(join(folder, 'usr/bin/tcc'), [...options, ...inputs]);
    const program = readFileSync(join(folder, 'lynx'));
    const at = program.indexOf(`${glibcLoader}\0`);
    if (at < 0)
      throw new Error(`musl image: the interpreter ${glibcLoader} expected in the program, not found`);
    program.write(muslLoader.padEnd(glibcLoader.length, '\0'), at, 'latin1');
    return program;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** As Alpine has it: musl's loader, a small dynamic program, busybox as /bin/sh, no glibc. */
export async function alpineLikeImage(): Promise<TestImage> {
  return buildImage({
    name: 'musl',
    layers: [
      {
        key: `musl ${await keyOf('musl', 'musl-dev', 'tcc', 'busybox-static')} ${sha256(muslSource)}`,
        createdBy: 'ADD musl-rootfs.tar /',
        tar: async () =>
          writeTar([
            ...['bin', 'etc', 'lib', 'tmp', 'usr', 'usr/bin'].map((name) =>
              tarEntry({ name, type: 'directory', mode: name === 'tmp' ? 0o1777 : 0o755 }),
            ),
            tarEntry({
              name: 'bin/busybox',
              mode: 0o755,
              body: await packageFile('busybox-static', 'bin/busybox'),
            }),
            tarEntry({ name: 'bin/sh', type: 'symlink', link: 'busybox' }),
            tarEntry({
              name: 'etc/passwd',
              body: 'root:x:0:0:root:/root:/bin/sh\nlynx:x:100:101::/tmp:/bin/sh\n',
            }),
            tarEntry({ name: 'etc/group', body: 'root:x:0:\nlynx:x:101:\n' }),
            tarEntry({
              name: 'lib/libc.so',
              mode: 0o755,
              body: await packageFile('musl', 'lib/x86_64-linux-musl/libc.so'),
            }),
            tarEntry({ name: muslLoader.slice(1), type: 'symlink', link: 'libc.so' }),
            tarEntry({ name: 'usr/bin/lynx', mode: 0o755, body: await muslProgram() }),
          ]),
      },
    ],
    config: {
      User: 'lynx',
      Env: ['PATH=/usr/bin:/bin', 'GREETING=good day'],
      Entrypoint: ['lynx'],
      Cmd: ['one', 'two three'],
    },
    markers: ['teal-lynx', 'bin/lynx'],
  });
}
