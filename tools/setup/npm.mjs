// The npm packages of package-lock.json, the Node that runs everything else among them.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { SetupProblem, tail } from './problem.mjs';
import { runQuietly } from './run.mjs';

/** The path of the Node that package.json pins for this machine's architecture. */
export function pinnedNode(root, arch = process.arch) {
  return join(root, 'node_modules', `node-linux-${arch}`, 'bin', 'node');
}

function readLock(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages ?? {};
  } catch {
    return undefined;
  }
}

/** Whether an optional package is a build for this machine; npm leaves the builds for others out. */
function isForThisMachine(entry, arch) {
  const allows = (list, value) => list === undefined || [list].flat().includes(value);
  if (entry.os === undefined && entry.cpu === undefined) return false;
  return allows(entry.os, 'linux') && allows(entry.cpu, arch) && allows(entry.libc, 'glibc');
}

/** Names a package of package-lock.json that node_modules lacks or has in another version, or undefined if all is there. */
export function missingPackage(root, arch = process.arch) {
  const wanted = readLock(join(root, 'package-lock.json'));
  if (wanted === undefined) {
    throw new SetupProblem(
      'package-lock.json expected in the repository, none readable found',
      'clone the repository again',
    );
  }
  const present = readLock(join(root, 'node_modules', '.package-lock.json'));
  if (present === undefined) return 'node_modules';
  for (const [path, entry] of Object.entries(wanted)) {
    if (!path.includes('node_modules/') || (entry.optional === true && !isForThisMachine(entry, arch)))
      continue;
    const found = present[path];
    if (found === undefined || found.version !== entry.version || found.integrity !== entry.integrity)
      return path;
  }
  return existsSync(pinnedNode(root, arch)) ? undefined : `node_modules/node-linux-${arch}`;
}

/**
 * Installs what package-lock.json lists, without running install scripts. `install --no-save` and not `ci`, which begins
 * by removing node_modules, with the Node in it that may be running; versions and integrity hashes are taken from the
 * lock file all the same, and it is not rewritten.
 */
function install(root, env) {
  const args = ['install', '--no-save', '--include=dev', '--include=optional'];
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  return runQuietly('npm', [...args, ...quiet], { cwd: root, env });
}

/**
 * Installs the npm packages. npm leaves out optional packages that want a newer Node than the one it runs on: if some
 * are missing afterwards, it runs once more on the pinned Node, which it has just installed.
 */
export async function installPackages(root, arch = process.arch) {
  let { status, output } = await install(root, process.env);
  const node = pinnedNode(root, arch);
  if (status === 0 && missingPackage(root, arch) !== undefined && existsSync(node)) {
    ({ status, output } = await install(root, {
      ...process.env,
      PATH: `${dirname(node)}:${process.env.PATH ?? ''}`,
    }));
  }
  if (status === 127) {
    throw new SetupProblem(
      'npm expected in PATH, none found',
      'install npm beside Node (Debian: apt-get install npm)',
      tail(output),
    );
  }
  if (status !== 0) {
    throw new SetupProblem(
      `npm install: status 0 expected, ${status} found`,
      'is the npm registry reachable? `npm ping` says so',
      tail(output),
    );
  }
  const missing = missingPackage(root, arch);
  if (missing === undefined) return;
  throw new SetupProblem(
    `${missing} expected after npm install as package-lock.json lists it, another or none found`,
    ['x64', 'arm64'].includes(arch)
      ? 'npm may leave out optional packages: see `npm config get omit` and `npm config get os`, remove node_modules, try again'
      : 'Ensconce runs on x64 and arm64 machines',
  );
}
