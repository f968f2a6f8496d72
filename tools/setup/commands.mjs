// What each command of tools/start.mjs runs, once everything is installed.
import { join } from 'node:path';

const testFiles = ['packages', 'services', 'apps', 'tools', 'test', 'demo', 'bench'].map(
  (folder) => `${folder}/**/*.test.ts`,
);

/** Options of `node --test` that take their value as the next argument. */
const valued = new Set([
  '--test-name-pattern',
  '--test-skip-pattern',
  '--test-reporter',
  '--test-concurrency',
  '--test-timeout',
  '--import',
]);

/** The user's arguments for `node --test`: options as they are, and all test files unless some are named. */
export function testArguments(args) {
  const named = args.some((arg, index) => !arg.startsWith('-') && !valued.has(args[index - 1]));
  // A file that never ends fails, instead of the gate.
  return ['--test', '--test-timeout=600000', ...args, ...(named ? [] : testFiles)];
}

/** The commands that need the Debian package files of the lock files. */
export const usesArchive = new Set(['setup', 'demo', 'test', 'bench']);

/**
 * The commands, each a list of argument lists for the pinned Node, run one after the other until one fails; `root`
 * says that it mounts file systems and starts containers.
 */
export function commandLines(root, command, args) {
  const bin = (name) => join(root, 'node_modules', '.bin', name);
  const runtimeLayer = [join(root, 'tools', 'runtime-layer', 'build.ts')];
  switch (command) {
    case 'setup':
      return { root: false, lines: [runtimeLayer] };
    case 'check':
      return {
        root: false,
        lines: [
          [bin('tsc'), '--noEmit'],
          [bin('oxlint'), '--type-aware', '--deny-warnings'],
          [bin('oxfmt'), '--check', '.'],
          [join(root, 'tools', 'check-layers.ts')],
        ],
      };
    case 'format':
      return { root: false, lines: [[bin('oxfmt'), '.']] };
    case 'test':
      return { root: true, lines: [runtimeLayer, testArguments(args)] };
    case 'demo':
      return { root: true, lines: [runtimeLayer, [join(root, 'demo', 'main.ts'), ...args]] };
    case 'bench':
      return { root: true, lines: [runtimeLayer, [join(root, 'bench', 'main.ts'), ...args]] };
    default:
      return undefined;
  }
}
