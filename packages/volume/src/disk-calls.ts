import { hugeMemory, loadKoffi } from '@ensconce/fuse/native';

/** What Node cannot ask of a disk. */
export interface DiskCalls {
  /**
   * By sync_file_range(2), has the disk begin with a part of a file that was written: a large file is then on its way while
   * more of it comes, and not only when it is flushed. It promises nothing and hides nothing: errors of the disk are those of
   * the flush that follows.
   */
  startWriteback(fd: number, position: number, length: number): void;
  /** Memory that begins a page of 4096 bytes, as writes past the page cache need (O_DIRECT of open(2)), in huge pages where there are any. */
  blockMemory(size: number): Uint8Array;
}

/** SYNC_FILE_RANGE_WRITE of linux/fs.h. */
const write = 2;

export function diskCalls(koffiPath?: string): DiskCalls {
  const koffi = loadKoffi(koffiPath);
  const syncFileRange = koffi
    .load(null)
    .func('int sync_file_range(int fd, int64 offset, int64 length, unsigned int flags)');
  return {
    startWriteback(fd, position, length) {
      // Where the directory's file system has no such thing it goes without.
      syncFileRange(fd, position, length, write);
    },
    blockMemory: (size) => hugeMemory(koffi, size),
  };
}
