// The npm packages of package-lock.json, the Node that runs everything else among them.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
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

/**
 * Names a package of package-lock.json that node_modules lacks or has in another version, or undefined if all is there.
 * Optional packages are those of other platforms; the pinned Node alone is optional for npm and needed by us.
 */
export function missingPackage(root, arch = process.arch) {
  const wanted = readLock(join(root, 'package-lock.json'));
  if (wanted === undefined)
    throw new SetupProblem(
      'package-lock.json expected in the repository, none readable found',
      'clone the repository again',
    );
  const present = readLock(join(root, 'node_modules', '.package-lock.json'));
  if (present === undefined) return 'node_modules';
  for (const [path, entry] of Object.entries(wanted)) {
    if (!path.includes('node_modules/') || entry.optional === true) continue;
    const found = present[path];
    if (found === undefined || found.version !== entry.version || found.integrity !== entry.integrity)
      return path;
  }
  const nodePath = `node_modules/node-linux-${arch}`;
  if (wanted[nodePath]?.version !== present[nodePath]?.version || !existsSync(pinnedNode(root, arch)))
    return nodePath;
  return undefined;
}

/**
 * Installs what package-lock.json lists, without running install scripts. `install --no-save` and not `ci`: the lock
 * file names the Linux builds of some tools only, which `ci` of npm 11 refuses; versions and integrity hashes are
 * taken from the lock file all the same, and it is not rewritten.
 */
export async function installPackages(root, arch = process.arch) {
  const args = [
    'install',
    '--no-save',
    '--include=dev',
    '--include=optional',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ];
  const { status, output } = await runQuietly('npm', args, { cwd: root });
  if (status === 127)
    throw new SetupProblem(
      'npm expected in PATH, none found',
      'install npm beside Node (Debian: apt-get install npm)',
      tail(output),
    );
  if (status !== 0)
    throw new SetupProblem(
      `npm install: status 0 expected, ${status} found`,
      'is the npm registry reachable? `npm ping` says so',
      tail(output),
    );
  const missing = missingPackage(root, arch);
  if (missing?.startsWith('node_modules/node-linux-')) {
    throw new SetupProblem(
      `the npm package node-linux-${arch} expected in node_modules after the installation, none found`,
      ['x64', 'arm64'].includes(arch)
        ? 'npm skipped it as optional: look at `npm config get omit` and `npm config get os`, remove node_modules, try again'
        : 'Ensconce runs on x64 and arm64 machines',
    );
  }
  if (missing !== undefined)
    throw new SetupProblem(
      `${missing} expected as package-lock.json lists it, another or none found`,
      'remove node_modules and try again',
    );
}
