import { entriesOf } from './directories.ts';
import { rootInode } from './inodes.ts';
import { inoOf, kind } from './key.ts';
import { fileType } from '@ensconce/fuse/protocol';
import type { Volume } from './volume.ts';

interface Place {
  readonly parent: number;
  readonly name: string;
}

/** Paths of inodes, one for each that has a name that can be read. */
export function pathsOf(volume: Volume, inodes: ReadonlySet<number>): (ino: number) => string | undefined {
  const places = new Map<number, Place>();
  volume.visitPages(
    (page) => {
      if (page.level > 0) return;
      for (let i = 0; i < page.count; i++) {
        const key = page.key(i);
        const parent = inoOf(key);
        if (parent === 0 || key[6] !== kind.entry) continue;
        try {
          for (const { ino, type, name } of entriesOf(page.value(i)))
            if (type === fileType.directory >>> 12 || inodes.has(ino))
              places.set(ino, { parent, name: Buffer.from(name).toString('utf8') });
        } catch {
          // Reported where the page is checked.
        }
      }
    },
    () => undefined,
  );
  return (ino) => {
    const names: string[] = [];
    for (let at = ino; at !== rootInode;) {
      const place = places.get(at);
      // A circle would be a damaged tree.
      if (!place || names.length > 4096) return undefined;
      names.unshift(place.name);
      at = place.parent;
    }
    return `/${names.join('/')}`;
  };
}
