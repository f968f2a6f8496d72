// The one entry point of `npm run setup|test|demo|bench|check|format`: plain JavaScript without dependencies that
// works on Node 18 and later, installs what is missing and goes on under the Node that package.json pins.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const node = join(root, 'node_modules', `node-linux-${process.arch}`, 'bin', 'node');
const [command, ...args] = process.argv.slice(2);

function run(program, programArgs, options = {}) {
  const result = spawnSync(program, programArgs, { cwd: root, stdio: 'inherit', ...options });
  if (result.error) throw result.error;
  if (result.signal) process.kill(process.pid, result.signal);
  if (result.status !== 0) process.exit(result.status ?? 1);
}

function installed() {
  const lock = join(root, 'package-lock.json');
  const stamp = join(root, 'node_modules', '.package-lock.json');
  return existsSync(node) && existsSync(stamp) && statSync(stamp).mtimeMs >= statSync(lock).mtimeMs;
}

if (!installed()) {
  console.error('setup: installing npm packages');
  run('npm', ['ci', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error']);
}

const bin = (name) => join(root, 'node_modules', '.bin', name);
switch (command) {
  case 'setup':
    break;
  case 'check':
    run(node, [bin('tsc'), '--noEmit']);
    run(node, [bin('oxlint'), '--type-aware', '--deny-warnings']);
    run(node, [bin('oxfmt'), '--check', '.']);
    run(node, [join(root, 'tools', 'check-layers.ts')]);
    break;
  case 'format':
    run(node, [bin('oxfmt'), '.']);
    break;
  case 'test':
    run(node, [
      '--test',
      ...(args.length > 0
        ? args
        : ['packages/**/*.test.ts', 'services/**/*.test.ts', 'apps/**/*.test.ts', 'test/**/*.test.ts']),
    ]);
    break;
  default:
    console.error(`start: setup, check, format, test, demo or bench expected, ${command ?? 'nothing'} found`);
    process.exit(2);
}
