/** The lock files of Debian packages in this repository, relative to its root. */
export const lockFiles: readonly string[] = [
  'services/runtime/layer/debian.lock.json',
  'test/images/debian.lock.json',
];
