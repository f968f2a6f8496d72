import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { serveFilesystem } from '@ensconce/fuse/serve';
import { DirectoryBacking } from '@ensconce/volume/backing';
import { makeRoot } from '@ensconce/volume/filesystem';
import { mountVolume } from '@ensconce/volume/mount';
import { UnprotectedTagKeeper } from '@ensconce/volume/tag-keeper';
import { Volume } from '@ensconce/volume/volume';
import type { Durability } from '@ensconce/volume/settlement';
import { copyingAead } from './copying-aead.ts';
import type { TagCas } from './tag-cas.ts';

/**
 * What is measured. `batched` is Ensconce with durability `tag-follows-100ms`, `collected` with `collected-100ms`; `loop` is Ensconce
 * without encryption.
 */
export const systems = ['ensconce', 'batched', 'collected', 'gocryptfs', 'securefs', 'loop', 'bare'] as const;
export type System = (typeof systems)[number];

/** A mounted file system to measure. */
export interface Mounted {
  readonly name: System;
  /** Where programs work. */
  readonly path: string;
  unmount(): Promise<void>;
}

/** Mounts one kind of file system whose files lie in `folder`. */
type Mount = (folder: string, cas: TagCas) => Promise<Mounted>;

function run(command: string, args: readonly string[], input?: string): void {
  const { status, stderr } = spawnSync(command, args, { input, stdio: ['pipe', 'ignore', 'pipe'] });
  if (status !== 0)
    throw new Error(`bench: ${command}: exit code 0 expected, ${status} found\n${stderr.toString()}`);
}

function folders(folder: string, name: string): { data: string; path: string } {
  const [data, path] = [join(folder, `${name}-data`), join(folder, `${name}-mnt`)];
  mkdirSync(data);
  mkdirSync(path);
  return { data, path };
}

/** As the runtime mounts it in a container: key, tag and epoch from CAS, over an attested connection. */
function ensconce(name: 'ensconce' | 'batched' | 'collected', durability: Durability): Mount {
  return async (folder, cas) => {
    const { data, path } = folders(folder, name);
    const { key, keeper, close } = await cas.volume(`${name}-${randomBytes(4).toString('hex')}`);
    const served = await mountVolume({
      directory: data,
      mountpoint: path,
      volumeKey: key,
      keeper,
      durability,
      create: { uid: 0, gid: 0, mode: 0o755 },
      log: (line) => console.error(`${name}: ${line}`),
    });
    return {
      name,
      path,
      unmount: async () => {
        await served.unmount({ lazy: true });
        await close();
      },
    };
  };
}

const loop: Mount = async (folder) => {
  const { data, path } = folders(folder, 'loop');
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
    log: (line) => console.error(`loop: ${line}`),
  });
  return { name: 'loop', path, unmount: () => served.unmount({ lazy: true }) };
};

const gocryptfs: Mount = async (folder) => {
  const { data, path } = folders(folder, 'gocryptfs');
  const password = join(folder, 'gocryptfs-password');
  writeFileSync(password, 'benchmark\n');
  run('gocryptfs', ['-init', '-q', '-scryptn', '10', '-passfile', password, data]);
  run('gocryptfs', ['-q', '-allow_other', '-passfile', password, data, path]);
  return { name: 'gocryptfs', path, unmount: async () => run('umount', ['-l', path]) };
};

const securefs: Mount = async (folder) => {
  const { data, path } = folders(folder, 'securefs');
  run('securefs', ['create', data, '--pass', 'benchmark', '-r', '1']);
  run('securefs', ['mount', '-b', '-o', 'allow_other', '--pass', 'benchmark', data, path]);
  // It goes to the background before it has mounted.
  for (let i = 0; i < 100 && spawnSync('mountpoint', ['-q', path]).status !== 0; i++)
    await new Promise((resolve) => setTimeout(resolve, 50));
  return { name: 'securefs', path, unmount: async () => run('umount', ['-l', path]) };
};

const bare: Mount = async (folder) => {
  const path = join(folder, 'bare');
  mkdirSync(path);
  return { name: 'bare', path, unmount: async () => undefined };
};

export const mounts: Readonly<Record<System, Mount>> = {
  ensconce: ensconce('ensconce', 'settled'),
  batched: ensconce('batched', 'tag-follows-100ms'),
  collected: ensconce('collected', 'collected-100ms'),
  gocryptfs,
  securefs,
  loop,
  bare,
};

/** @throws Error where a program that is measured is missing */
export function checkInstalled(): void {
  const path = (process.env['PATH'] ?? '').split(':');
  for (const program of ['gocryptfs', 'securefs', 'sqlite3', 'pgbench', 'python3'])
    if (!path.some((folder) => existsSync(join(folder, program))))
      throw new Error(`bench: ${program} expected in PATH, none found`);
}
