import { Buffer } from 'node:buffer';
import {
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { posix } from 'node:path';
import type { Configuration } from '@ensconce/wire/configuration';
import { RuntimeError } from './errors.ts';
import { resolveInRoot } from './in-root.ts';
import { writeInRoot } from './injection.ts';
import { mount, mountFlags, unmount } from './linux.ts';

/** Everything that the runtime mounts for the application stands below one tmpfs of its own. */
const base = '/run';
export const lowerPath = posix.join(base, 'lower');
export const rootPath = posix.join(base, 'root');
export const volumesPath = posix.join(base, 'volumes');
/** The container as the host laid it out; all of it attacker-controlled. */
export const hostPath = '/host';

const { readOnly, noSuid, noDev, noExec, bind, remount } = mountFlags;

/** The in-memory folder for the application's root; first of all mounts. */
export function prepareBase(): void {
  mount('tmpfs', base, 'tmpfs', noDev, 'mode=0755');
  for (const name of ['lower', 'upper', 'work', 'root']) mkdirSync(posix.join(base, name), { mode: 0o755 });
}

/** Lays a writable in-memory layer over the sealed ones, with the kernel's overlayfs. */
export function mountOverlay(ownUserNamespace: boolean): void {
  const options = [
    `lowerdir=${lowerPath}`,
    `upperdir=${posix.join(base, 'upper')}`,
    `workdir=${posix.join(base, 'work')}`,
    'volatile',
    ...(ownUserNamespace ? ['userxattr'] : []),
  ];
  mount('overlay', rootPath, 'overlay', noDev, options.join(','));
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** Makes a folder of the application's root, parents included, as engines make mount points and working directories. */
export function makeFolder(path: string): string {
  const resolved = resolveInRoot(rootPath, path);
  if (!isDirectory(resolved)) mkdirSync(resolved, { recursive: true, mode: 0o755 });
  return resolved;
}

/** Device nodes that every container has, with the numbers they must have (Linux devices.txt). */
const devices: readonly (readonly [name: string, major: number, minor: number])[] = [
  ['null', 1, 3],
  ['zero', 1, 5],
  ['full', 1, 7],
  ['random', 1, 8],
  ['urandom', 1, 9],
  ['tty', 5, 0],
];

/**
 * Binds a device of the host's side. Judged through our own mount, where the host cannot put another file in its place:
 * a character device, with the number it must have.
 */
function bindDevice(dev: string, name: string, expected?: readonly [major: number, minor: number]): void {
  const target = posix.join(dev, name);
  writeFileSync(target, '', { flag: 'wx' });
  mount(posix.join(hostPath, 'dev', name), target, '', bind);
  const status = statSync(target);
  // makedev(3) of numbers below 256.
  const right = expected === undefined || status.rdev === expected[0] * 256 + expected[1];
  if (!status.isCharacterDevice() || !right) {
    throw new RuntimeError(
      'MOUNT',
      `/dev/${name}: character device ${expected?.join(':') ?? ''} expected from the engine, another file found`,
    );
  }
}

function mountDevices(terminal: boolean): void {
  const dev = makeFolder('/dev');
  mount('tmpfs', dev, 'tmpfs', noSuid | noExec, 'mode=0755,size=64k');
  for (const [name, major, minor] of devices) bindDevice(dev, name, [major, minor]);
  if (terminal) bindDevice(dev, 'console');
  for (const name of ['pts', 'shm', 'mqueue']) mkdirSync(posix.join(dev, name));
  mount('devpts', posix.join(dev, 'pts'), 'devpts', noSuid | noExec, 'newinstance,ptmxmode=0666,mode=0620');
  mount('shm', posix.join(dev, 'shm'), 'tmpfs', noSuid | noDev | noExec, 'mode=1777,size=65536k');
  mount('mqueue', posix.join(dev, 'mqueue'), 'mqueue', noSuid | noDev | noExec);
  const links = {
    fd: '/proc/self/fd',
    stdin: '/proc/self/fd/0',
    stdout: '/proc/self/fd/1',
    stderr: '/proc/self/fd/2',
    ptmx: 'pts/ptmx',
  };
  for (const [name, target] of Object.entries(links)) symlinkSync(target, posix.join(dev, name));
}

/** sysfs as engines give it: read-only, firmware hidden; without what the host mounted inside it (configfs, TEE interfaces). */
function mountSys(): void {
  const sys = makeFolder('/sys');
  if (!isDirectory(posix.join(hostPath, 'sys', 'class'))) return;
  try {
    mount(posix.join(hostPath, 'sys'), sys, '', bind);
  } catch {
    // In a user namespace that shares the host's network, sysfs and what the host mounted inside it come together or not
    // at all (mount_namespaces(7), locked mounts): then the application finds an empty folder.
    return;
  }
  mount('', sys, '', bind | remount | readOnly | noSuid | noDev | noExec);
  if (isDirectory(posix.join(sys, 'firmware'))) {
    mount('tmpfs', posix.join(sys, 'firmware'), 'tmpfs', readOnly | noSuid | noDev | noExec, 'size=0');
  }
}

const maxHostFile = 1024 * 1024;

/** A host file as it stands at the start, copied into memory; attacker-controlled contents, and the policy knows it. */
function copyHostFile(path: string): void {
  const source = posix.join(hostPath, path);
  let descriptor: number;
  try {
    descriptor = openSync(
      resolveInRoot(hostPath, path),
      constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW,
    );
  } catch {
    // The engine gave none, as for `--network none`: the application finds none either.
    return;
  }
  try {
    if (!fstatSync(descriptor).isFile())
      throw new RuntimeError(
        'CONFIGURATION',
        `${source}: a regular file expected from the host, another kind found`,
      );
    const buffer = Buffer.alloc(maxHostFile + 1);
    let length = 0;
    for (;;) {
      const got = readSync(descriptor, buffer, length, buffer.length - length, null);
      if (got === 0) break;
      length += got;
      if (length > maxHostFile)
        throw new RuntimeError(
          'CONFIGURATION',
          `${source}: at most ${maxHostFile} bytes expected from the host, more found`,
        );
    }
    writeInRoot(rootPath, { path, content: buffer.subarray(0, length), mode: 0o644 });
  } finally {
    closeSync(descriptor);
  }
}

/** Completes the application's root: devices, sysfs, allowed host files. `/proc` follows in init. */
export function furnishRoot(configuration: Configuration, terminal: boolean): void {
  makeFolder('/proc');
  mountDevices(terminal);
  mountSys();
  for (const path of configuration.hostFiles) copyHostFile(path);
}

/** Takes the application's root away again; what it had in memory is gone. */
export function removeRoot(): void {
  unmount(rootPath);
}
