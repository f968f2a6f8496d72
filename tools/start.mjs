// The one entry point of `npm run setup|test|demo|bench|check|format`: plain JavaScript without dependencies that
// works on Node 18 and later, installs what is missing and goes on under the Node that package.json pins.
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { commandLines, usesArchive } from './setup/commands.mjs';
import { asRoot, installDebianPackages, missingPackages, neededPackages } from './setup/debian.mjs';
import { installPackages, missingPackage, pinnedNode } from './setup/npm.mjs';
import { SetupProblem } from './setup/problem.mjs';
import { runForeground } from './setup/run.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const [command, ...args] = process.argv.slice(2);
const kept = ['CI', 'FORCE_COLOR', 'NO_COLOR', 'TERM', 'NODE_OPTIONS', 'ENSCONCE_SHARED', 'ENSCONCE_CACHE'];

function say(text) {
  process.stderr.write(`setup: ${text}\n`);
}

async function installMissing() {
  const packages = missingPackages(neededPackages(command, args));
  const steps = [];
  // In this order: the pinned Node, on which npm may have to run, needs a library of Debian's.
  if (packages.length > 0) {
    steps.push({
      what: `Debian packages: ${packages.join(' ')}`,
      install: () => installDebianPackages(packages),
    });
  }
  if (missingPackage(root) !== undefined) {
    steps.push({ what: 'npm packages (Node among them)', install: () => installPackages(root) });
  }
  for (const [index, step] of steps.entries()) {
    const started = Date.now();
    say(`[${index + 1}/${steps.length}] ${step.what} …`);
    await step.install();
    say(`[${index + 1}/${steps.length}] done in ${((Date.now() - started) / 1000).toFixed(1)} s`);
  }
}

/** Folders that a run as root adds to; unpacked images in .cache/native keep their owners and stay root's. */
function writtenByRoot() {
  const inside = (folder) =>
    existsSync(join(root, folder)) ? readdirSync(join(root, folder)).map((name) => join(folder, name)) : [];
  return [
    ...inside('.cache').filter((path) => path !== join('.cache', 'native')),
    ...inside(join('bench', 'results')),
  ];
}

/** Runs the pinned Node, as root where needed; what root wrote in the repository is given back to its owner. */
async function runNode(nodeArgs, needsRoot) {
  const line = [pinnedNode(root), ...nodeArgs];
  if (!needsRoot || process.getuid() === 0) return runForeground(line[0], line.slice(1), { cwd: root });
  const [sudo] = asRoot(line, 'mounts and containers');
  const status = await runForeground(sudo, [`--preserve-env=${kept.join(',')}`, '--', ...line], {
    cwd: root,
  });
  const written = writtenByRoot();
  if (written.length > 0) {
    const owner = `${process.getuid()}:${process.getgid()}`;
    await runForeground(sudo, ['--', 'chown', '-R', owner, '--', ...written], { cwd: root });
  }
  return status;
}

async function main() {
  const wanted = commandLines(root, command, args);
  if (wanted === undefined) {
    throw new SetupProblem(
      `setup, test, demo, check, bench or format expected, ${command ?? 'nothing'} found`,
      'for example: npm run demo',
    );
  }
  if (process.platform !== 'linux') {
    throw new SetupProblem(
      `Linux expected, ${process.platform} found`,
      'on macOS and Windows use a Linux machine or VM',
    );
  }
  await installMissing();
  if (usesArchive.has(command)) {
    const status = await runNode([join(root, 'tools', 'setup', 'fetch.ts')], false);
    if (status !== 0) return status;
  }
  if (command === 'setup') say('everything is there');
  for (const line of wanted.lines) {
    const status = await runNode(line, wanted.root);
    if (status !== 0) return status;
  }
  return 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof SetupProblem)) throw error;
  if (error.details !== '') console.error(error.details);
  console.error(`error: ${error.message}`);
  console.error(`hint: ${error.hint}`);
  process.exitCode = 2;
}
