import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { serveFilesystem } from '@ensconce/fuse/serve';
import { DirectoryBacking } from '@ensconce/volume/backing';
import { createVolume } from '@ensconce/volume/commands';
import { makeRoot } from '@ensconce/volume/filesystem';
import { mountVolume } from '@ensconce/volume/mount';
import type { AsyncTagKeeper } from '@ensconce/volume/remote-tag-keeper';
import { UnprotectedTagKeeper } from '@ensconce/volume/tag-keeper';
import type { TagKeeper } from '@ensconce/volume/tag-keeper';
import { fileTagKeeper } from '@ensconce/volume/file-tag-keeper';
import { Volume } from '@ensconce/volume/volume';
import { copyingAead } from './copying-aead.ts';

/** A mounted file system to measure. */
export interface Mounted {
  readonly name: string;
  /** Where programs work. */
  readonly path: string;
  unmount(): Promise<void>;
}

/** Mounts one kind of file system whose files lie in `folder`; undefined where its program is not installed. */
export type Mount = (folder: string) => Promise<Mounted | undefined>;

function run(command: string, args: readonly string[], input?: string): void {
  const { status, stderr } = spawnSync(command, args, { input, stdio: ['pipe', 'ignore', 'pipe'] });
  if (status !== 0)
    throw new Error(`bench: ${command}: exit code 0 expected, ${status} found\n${stderr.toString()}`);
}

function installed(command: string): boolean {
  return (process.env['PATH'] ?? '').split(':').some((folder) => existsSync(join(folder, command)));
}

function folders(folder: string, name: string): { data: string; path: string } {
  const [data, path] = [join(folder, `${name}-data`), join(folder, `${name}-mnt`)];
  mkdirSync(data);
  mkdirSync(path);
  return { data, path };
}

/** A keeper behind messages and promises, as CAS is, that keeps its state in a file durably. */
function asynchronous(keeper: TagKeeper): AsyncTagKeeper {
  return {
    read: async () => keeper.read(),
    acquire: async (expected, tag) => keeper.acquire(expected, tag),
    advance: (epoch, from, to) =>
      new Promise((resolve, reject) => {
        keeper.advance(epoch, from, to, (result) => {
          if (result === 'unreachable') reject(new Error('the keeper does not answer'));
          else resolve(result);
        });
      }),
  };
}

const ensconce: Mount = async (folder) => {
  const { data, path } = folders(folder, 'ensconce');
  const volumeKey = randomBytes(32);
  const tag = join(folder, 'ensconce-tag');
  createVolume({ directory: data, volumeKey, keeper: { kind: 'file', path: tag } });
  const served = await mountVolume({
    directory: data,
    mountpoint: path,
    volumeKey,
    keeper: asynchronous(fileTagKeeper(tag)),
    log: (line) => console.error(line),
  });
  return { name: 'ensconce', path, unmount: () => served.unmount({ lazy: true }) };
};

const withoutCrypto: Mount = async (folder) => {
  const { data, path } = folders(folder, 'plain');
  Volume.create(
    {
      backing: new DirectoryBacking(data),
      volumeKey: new Uint8Array(32),
      keeper: new UnprotectedTagKeeper(),
      aead: copyingAead,
      random: randomBytes,
      log: () => undefined,
    },
    (volume) => makeRoot(volume, { seconds: 0, nanoseconds: 0 }),
  );
  const served = await serveFilesystem({
    mountpoint: path,
    worker: new URL('plain-worker.ts', import.meta.url),
    data: { directory: data },
    log: (line) => console.error(line),
  });
  return { name: 'without crypto', path, unmount: () => served.unmount({ lazy: true }) };
};

const gocryptfs: Mount = async (folder) => {
  if (!installed('gocryptfs')) return undefined;
  const { data, path } = folders(folder, 'gocryptfs');
  const password = join(folder, 'gocryptfs-password');
  writeFileSync(password, 'benchmark\n');
  run('gocryptfs', ['-init', '-q', '-scryptn', '10', '-passfile', password, data]);
  run('gocryptfs', ['-q', '-passfile', password, data, path]);
  return { name: 'gocryptfs', path, unmount: async () => run('umount', ['-l', path]) };
};

const securefs: Mount = async (folder) => {
  if (!installed('securefs')) return undefined;
  const { data, path } = folders(folder, 'securefs');
  run('securefs', ['create', data, '--pass', 'benchmark', '-r', '1']);
  run('securefs', ['mount', '-b', '--pass', 'benchmark', data, path]);
  return { name: 'securefs', path, unmount: async () => run('umount', ['-l', path]) };
};

const bare: Mount = async (folder) => {
  const path = join(folder, 'bare');
  mkdirSync(path);
  return { name: 'bare', path, unmount: async () => undefined };
};

export const filesystems: readonly Mount[] = [ensconce, gocryptfs, securefs, withoutCrypto, bare];
