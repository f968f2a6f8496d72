// The Debian packages that a command needs: looked for by the program they bring, installed with apt-get if it is missing.
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { SetupProblem, tail } from './problem.mjs';
import { runQuietly } from './run.mjs';

/** The program by which a package is known to be there, where it is not named like the package. */
const programs = {
  'squashfs-tools': 'mksquashfs',
  dpkg: 'dpkg-deb',
  // The server itself is not in PATH; both come with the package of that name.
  postgresql: 'pg_ctlcluster',
  'xz-utils': 'xz',
  softhsm2: 'softhsm2-util',
  opensc: 'pkcs11-tool',
};

/** The files by which a package is known to be there that brings no program. */
const files = {
  'linux-source': ['/usr/src', /^linux-source-.*\.tar\.xz$/],
  'libc6-dev': ['/usr/include', /^stdio\.h$/],
  'python3-venv': ['/var/lib/dpkg/info', /^python3-venv\.list$/],
};

/** What programs of users do on a volume, and on the file system below it. */
const usersPrograms = ['git', 'gcc', 'libc6-dev', 'make', 'python3', 'python3-venv', 'postgresql'];

/** The shared library by which a package is known to be there. */
const libraries = { libatomic1: 'libatomic.so.1' };

/** What the pinned Node is linked against and a small Debian lacks: needed by every command. */
const nodeNeeds = ['libatomic1'];

/** The packages that each command needs beyond that and Debian's essential ones. */
const needs = {
  setup: ['runc', 'umoci'],
  demo: ['runc', 'umoci'],
  test: [
    ...usersPrograms,
    'runc',
    'crun',
    'umoci',
    'skopeo',
    'squashfs-tools',
    'zstd',
    'strace',
    'softhsm2',
    'opensc',
  ],
  bench: ['runc', 'umoci', 'skopeo', 'squashfs-tools', 'zstd'],
  'bench volume': ['gocryptfs', 'securefs', 'postgresql', 'sqlite3', 'python3', 'xz-utils', 'linux-source'],
};

/** Packages for `command` with its arguments: an image of the user's own comes by skopeo. */
export function neededPackages(command, args = []) {
  const packages = [...nodeNeeds, ...(needs[command] ?? []), ...(needs[`${command} ${args[0]}`] ?? [])];
  const ownImage = command === 'demo' && args.some((arg) => arg === '--image' || arg.startsWith('--image='));
  return ownImage ? [...packages, 'skopeo'] : packages;
}

/** The absolute path of a program; beside each `bin` of PATH its `sbin` counts too, which ordinary users lack. */
export function findProgram(name, path = process.env.PATH ?? '') {
  const folders = path.split(':').flatMap((folder) => [folder, folder.replace(/\/bin\/?$/, '/sbin')]);
  for (const folder of folders) {
    if (folder === '') continue;
    try {
      accessSync(join(folder, name), constants.X_OK);
      return join(folder, name);
    } catch {
      continue;
    }
  }
  return undefined;
}

const triplets = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' };

function libraryExists(name) {
  const folders = ['/lib', '/usr/lib', '/lib64', '/usr/lib64', `/usr/lib/${triplets[process.arch]}`];
  return folders.some((folder) => existsSync(join(folder, name)));
}

function fileExists(folder, pattern) {
  return existsSync(folder) && readdirSync(folder).some((name) => pattern.test(name));
}

/** Those of `packages` whose program, library or file is not on this machine. */
export function missingPackages(packages, path = process.env.PATH ?? '') {
  return packages.filter((name) => {
    if (libraries[name] !== undefined) return !libraryExists(libraries[name]);
    if (files[name] !== undefined) return !fileExists(...files[name]);
    return findProgram(programs[name] ?? name, path) === undefined;
  });
}

/** `[program, ...args]` with what is needed in front to run it as root. */
export function asRoot(commandLine, what, { uid = process.getuid(), path = process.env.PATH ?? '' } = {}) {
  if (uid === 0) return commandLine;
  const sudo = findProgram('sudo', path);
  if (sudo === undefined)
    throw new SetupProblem(
      `root or sudo expected for ${what}, user ${uid} without sudo found`,
      'run the command as root, or install sudo',
    );
  return [sudo, ...commandLine];
}

const aptGet = ['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-o', 'DPkg::Lock::Timeout=180'];

/** Installs `packages`; package lists are fetched only if the first attempt fails without them or with old ones. */
export async function installDebianPackages(packages) {
  const names = packages.join(' ');
  if (findProgram('apt-get') === undefined)
    throw new SetupProblem(
      `${names} expected in PATH, none found, and there is no apt-get`,
      `install ${names} with this system's package manager`,
    );
  const install = [...aptGet, 'install', '--yes', '--no-install-recommends', ...packages];
  const [program, ...args] = asRoot(install, `installing the Debian packages ${names}`);
  const first = await runQuietly(program, args);
  if (first.status === 0) return;
  const [updateProgram, ...updateArgs] = asRoot([...aptGet, 'update'], 'apt-get update');
  const update = await runQuietly(updateProgram, updateArgs);
  const second = await runQuietly(program, args);
  if (second.status === 0) return;
  throw new SetupProblem(
    `apt-get install ${names}: status 0 expected, ${second.status} found`,
    update.status === 0
      ? 'the reason is above; once the packages are there, no network is needed any more'
      : 'apt-get update failed too: is the package archive reachable?',
    tail(second.output),
  );
}
