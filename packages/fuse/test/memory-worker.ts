import { ReadOnlyFilesystem } from '../src/read-only.ts';
import { serveWorker } from '../src/worker.ts';
import { MemoryTree } from './memory-tree.ts';
import type { MemoryNode } from './memory-tree.ts';

interface TestData {
  readonly root?: MemoryNode;
  /** Makes a directory `many` of so many empty files. */
  readonly many?: number;
  readonly failAtStart?: boolean;
}

serveWorker((value, services) => {
  const data = value as TestData;
  if (data.failAtStart) throw new Error('the key does not fit');
  const many = Object.fromEntries(
    Array.from({ length: data.many ?? 0 }, (_, i) => [`file-${i}`, { kind: 'file' as const }]),
  );
  const root: MemoryNode = data.root ?? {
    kind: 'directory',
    children: { many: { kind: 'directory', children: many } },
  };
  const filesystem = new ReadOnlyFilesystem(new MemoryTree(root));
  return Object.assign(filesystem, {
    message: (message: unknown) => {
      if (message === 'die') process.exit(3);
      services.post({ echo: message });
    },
  });
});
