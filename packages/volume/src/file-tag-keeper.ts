import { dirname, basename } from 'node:path';
import { fromHex, toHex } from '@ensconce/base/bytes';
import { DirectoryBacking, readWhole } from './backing.ts';
import { VolumeError } from './errors.ts';
import { MemoryTagKeeper } from './tag-keeper.ts';
import type { TagState } from './tag-keeper.ts';

const pattern = /^ensconce-tag 1 (\d{1,15}) ([0-9a-f]{64}|-)\n$/;

/** A keeper in a local file: for tests and for volumes whose tag lies on safer storage than they do. */
export function fileTagKeeper(path: string): MemoryTagKeeper {
  const folder = new DirectoryBacking(dirname(path));
  return new MemoryTagKeeper(load(folder, basename(path)), ({ tag, epoch }) => {
    folder.replace(basename(path), Buffer.from(`ensconce-tag 1 ${epoch} ${tag ? toHex(tag) : '-'}\n`));
  });
}

function load(folder: DirectoryBacking, name: string): TagState {
  let text: string;
  try {
    text = Buffer.from(readWhole(folder, name, 200)).toString('latin1');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { tag: undefined, epoch: 0 };
    throw error;
  }
  const match = pattern.exec(text);
  if (!match)
    throw new VolumeError(
      'VOLUME_FORMAT',
      `${name}: a line \`ensconce-tag 1 EPOCH TAG\` expected, something else found`,
    );
  return { tag: match[2] === '-' ? undefined : fromHex(match[2] as string), epoch: Number(match[1]) };
}
