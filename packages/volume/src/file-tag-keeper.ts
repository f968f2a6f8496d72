import { closeSync, constants, openSync } from 'node:fs';
import { dirname, basename } from 'node:path';
import { loadKoffi } from '@ensconce/fuse/native';
import { fromHex, toHex } from '@ensconce/base/bytes';
import { DirectoryBacking, readWhole } from './backing.ts';
import { VolumeError } from './errors.ts';
import { MemoryTagKeeper } from './tag-keeper.ts';
import type { Advance, TagKeeper, TagState } from './tag-keeper.ts';

const pattern = /^ensconce-tag 1 (\d{1,15}) ([0-9a-f]{64}|-)\n$/;
const lockExclusive = 2;

/**
 * A keeper in a local file, for volumes whose tag lies on safer storage than they do. The file is read anew and its
 * folder locked at every step, so that of two processes with one volume the later one shuts the earlier one out.
 */
export function fileTagKeeper(path: string, koffiPath?: string): TagKeeper {
  const folder = new DirectoryBacking(dirname(path));
  const name = basename(path);
  const flock = loadKoffi(koffiPath).load(null).func('int flock(int fd, int operation)');

  const locked = <Result>(step: (keeper: MemoryTagKeeper) => Result): Result => {
    const fd = openSync(folder.path, constants.O_RDONLY);
    try {
      if (flock(fd, lockExclusive) !== 0)
        throw new VolumeError('VOLUME_KEEPER', `${folder.path}: a lock expected, it was refused`);
      return step(
        new MemoryTagKeeper(load(folder, name), ({ tag, epoch }) => {
          folder.replace(name, Buffer.from(`ensconce-tag 1 ${epoch} ${tag ? toHex(tag) : '-'}\n`));
        }),
      );
    } finally {
      closeSync(fd);
    }
  };
  return {
    protects: true,
    read: () => load(folder, name),
    acquire: (expected, tag) => locked((keeper) => keeper.acquire(expected, tag)),
    advance: (epoch, from, to, done) => {
      let result: Advance = 'unreachable';
      try {
        locked((keeper) => keeper.advance(epoch, from, to, (answer) => (result = answer)));
      } catch (error) {
        if (!(error instanceof VolumeError) && (error as NodeJS.ErrnoException).code === undefined)
          throw error;
        // Whether the file was replaced nobody can say; the same step is tried again.
      }
      done(result);
    },
  };
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
