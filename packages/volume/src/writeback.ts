import { loadKoffi } from '@ensconce/fuse/native';

/** Has the disk begin with a part of a file that was written, without waiting for it. */
export type StartWriteback = (fd: number, position: number, length: number) => void;

/** SYNC_FILE_RANGE_WRITE of linux/fs.h. */
const write = 2;

/**
 * By sync_file_range(2): a large file is then on its way to the disk while more of it comes, and not only when it is flushed.
 * It promises nothing and hides nothing: errors of the disk are those of the flush that follows.
 */
export function startWriteback(koffiPath?: string): StartWriteback {
  const call = loadKoffi(koffiPath)
    .load(null)
    .func('int sync_file_range(int fd, int64 offset, int64 length, unsigned int flags)');
  return (fd, position, length) => {
    // Where the directory's file system has no such thing it goes without.
    call(fd, position, length, write);
  };
}
