import { execFile } from 'node:child_process';
import { mkdir, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { BundleError } from './errors.ts';

const execute = promisify(execFile);

/** A root file system that exists as long as its container. */
export interface MountedRoot {
  readonly path: string;
  remove(): Promise<void>;
}

/** Stacks unpacked layers, lowest first, below a writable folder, all inside `folder`, which goes with it, by the kernel's overlayfs. */
export async function mountRoot(folder: string, layers: readonly string[]): Promise<MountedRoot> {
  const lower = join(folder, 'lower');
  const order = layers.map((_, index) => index).toReversed();
  const options = `lowerdir=${order.join(':')},upperdir=../upper,workdir=../work`;
  const path = join(folder, 'rootfs');
  try {
    for (const name of ['lower', 'upper', 'work', 'rootfs'])
      await mkdir(join(folder, name), { recursive: true });
    // Short names, because all of them must fit into one page of mount options.
    for (const [index, layer] of layers.entries()) await symlink(layer, join(lower, String(index)));
    await execute('mount', ['-t', 'overlay', 'overlay', '-o', options, path], { cwd: lower });
  } catch (cause) {
    await rm(folder, { recursive: true, force: true });
    throw new BundleError(
      'BUNDLE_MOUNT',
      `${path}: an overlay of ${layers.length} layers expected, mount failed`,
      {
        cause,
        hint: 'run as root, with the overlay file system in the kernel',
      },
    );
  }
  return {
    path,
    remove: async () => {
      await execute('umount', ['--lazy', path]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
