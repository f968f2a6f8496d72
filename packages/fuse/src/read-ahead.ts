import { promises } from 'node:fs';

/**
 * Has the kernel read so many bytes ahead of whoever reads a mounted file system from front to back, where this process may say
 * so: `/sys` is read-only in most containers, and the kernel's 128 KiB stay. INIT can only lower that number.
 */
export async function setReadAhead(mountpoint: string, bytes: number): Promise<void> {
  try {
    const { dev } = await promises.stat(mountpoint);
    const [major, minor] = [(dev >>> 8) & 0xfff, (dev & 0xff) | ((dev >>> 12) & 0xfff00)];
    await promises.writeFile(`/sys/class/bdi/${major}:${minor}/read_ahead_kb`, String(bytes / 1024));
  } catch {
    // It is only faster with it.
  }
}
