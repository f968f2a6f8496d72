import { randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync, readdirSync, lstatSync, openSync, closeSync, readSync } from 'node:fs';
import { Entry } from '@ensconce/fuse/attributes';
import { errnoName } from '@ensconce/fuse/errno';
import { fileType } from '@ensconce/fuse/protocol';
import type { Caller } from '@ensconce/fuse/request';
import { fromHex } from '@ensconce/base/bytes';
import { DirectoryBacking } from './backing.ts';
import { UnitCheck } from './check-units.ts';
import { damagedCell, describeProblems, findProblems } from './check.ts';
import type { CheckReport } from './check.ts';
import { VolumeError } from './errors.ts';
import { evpAead } from './evp-aead.ts';
import { extractVolume } from './extract.ts';
import type { ExtractReport } from './extract.ts';
import { makeRoot, VolumeFilesystem } from './filesystem.ts';
import { decodeHeader, encodeHeader, headerFile, headerSize, readHeader } from './header.ts';
import { readWhole } from './backing.ts';
import { rootInode } from './inodes.ts';
import { openKeeper } from './keepers.ts';
import type { KeeperChoice } from './keepers.ts';
import { cellBytes } from './units.ts';
import { Volume } from './volume.ts';
import type { VolumeOptions } from './volume.ts';

/** What every command on a volume needs. */
export interface VolumePlace {
  readonly directory: string;
  /** 32 bytes. */
  readonly volumeKey: Uint8Array;
  /** Nobody keeps the tag unless given: then a roll-back is not noticed, which the caller has to say. */
  readonly keeper?: KeeperChoice;
  readonly koffiPath?: string;
  readonly log?: (line: string) => void;
}

/** A volume key from a file or from standard input: 32 bytes, or 64 hexadecimal digits with or without a line end. */
export function parseVolumeKey(bytes: Uint8Array): Uint8Array {
  if (bytes.length === 32) return Uint8Array.from(bytes);
  const text = Buffer.from(bytes).toString('latin1').trim();
  if (/^[0-9a-fA-F]{64}$/.test(text)) return fromHex(text, 32);
  throw new VolumeError(
    'VOLUME_KEY',
    `volume key: 32 bytes or 64 hexadecimal digits expected, ${bytes.length} bytes of something else found`,
    { hint: 'make one with: head -c 32 /dev/urandom > FILE' },
  );
}

export function readVolumeKey(path: string): Uint8Array {
  return parseVolumeKey(readFileSync(path));
}

function optionsOf(place: VolumePlace, readOnly: boolean): VolumeOptions & { backing: DirectoryBacking } {
  return {
    backing: new DirectoryBacking(place.directory, readOnly),
    volumeKey: place.volumeKey,
    keeper: openKeeper(place.keeper ?? { kind: 'unprotected' }, place.koffiPath),
    aead: evpAead(place.koffiPath),
    random: randomBytes,
    log: place.log ?? (() => undefined),
  };
}

function now(): { seconds: number; nanoseconds: number } {
  const time = Date.now();
  return { seconds: Math.floor(time / 1000), nanoseconds: (time % 1000) * 1e6 };
}

/** Makes a volume in an empty directory; its root belongs to `uid` and `gid`. Returns its tag. */
export function createVolume(place: VolumePlace, uid = 0, gid = 0, mode = 0o755): Uint8Array {
  const options = optionsOf(place, false);
  Volume.create(options, (volume) => makeRoot(volume, now(), mode, uid, gid));
  const volume = Volume.openReadOnly(options);
  volume.close();
  return volume.tag;
}

export interface VolumeSummary {
  readonly volumeId: string;
  readonly version: number;
  readonly features: number;
  /** Of the newest state that counts. */
  readonly tag: string;
  readonly writerEpoch: number;
  readonly liveBytes: number;
  readonly segments: number;
  /** Whether a roll-back would have been noticed. */
  readonly rollbackProtected: boolean;
}

export function showVolume(place: VolumePlace): VolumeSummary {
  const options = optionsOf(place, true);
  const header = readHeader(readWhole(options.backing, headerFile, headerSize));
  const volume = Volume.openReadOnly(options);
  volume.close();
  return {
    volumeId: header.volumeId.toHex(),
    version: header.version,
    features: header.flags,
    tag: volume.tag.toHex(),
    writerEpoch: volume.epoch,
    liveBytes: volume.liveBytes,
    segments: volume.usage.size,
    rollbackProtected: options.keeper.protects,
  };
}

/** Verifies every byte, the units by worker threads. `progress` is told the bytes that were read and those that there are. */
export async function check(
  place: VolumePlace,
  progress: (done: number, total: number) => void = () => undefined,
): Promise<CheckReport> {
  const volume = Volume.openReadOnly(optionsOf(place, true));
  const { directory, volumeKey, koffiPath } = place;
  const units = new UnitCheck({ directory, volumeKey, koffiPath });
  try {
    const found = findProblems({ volume, unit: (...unit) => units.add(...unit) });
    const damaged = await units.finish((bytes) => progress(bytes, found.bytes));
    const problems = [
      ...found.problems,
      ...damaged.map(({ ino, cell, reason }) => damagedCell(ino, cell, reason)),
    ];
    progress(found.bytes, found.bytes);
    return { ...found, problems: describeProblems(volume, problems) };
  } finally {
    volume.close();
    await units.close();
  }
}

export function extract(
  place: VolumePlace,
  destination: string,
  progress?: (path: string) => void,
): ExtractReport {
  const volume = Volume.openReadOnly(optionsOf(place, true));
  try {
    return extractVolume({ volume, destination, ...(progress && { progress }) });
  } finally {
    volume.close();
  }
}

/** Seals the master key under another volume key. The data stays as it is: see docs/formats/volume.md for what that means. */
export function rekey(place: VolumePlace, newKey: Uint8Array): void {
  const backing = new DirectoryBacking(place.directory);
  const header = decodeHeader(readWhole(backing, headerFile, headerSize), place.volumeKey);
  backing.replace(headerFile, encodeHeader(header, newKey, randomBytes(32)));
}

/** Copies files, directories and symbolic links from a local directory into the root of a volume that is not mounted. */
export function addFiles(place: VolumePlace, source: string, progress?: (path: string) => void): void {
  const options = optionsOf(place, false);
  const volume = Volume.open(options);
  const fs = new VolumeFilesystem({ volume, backing: options.backing, now, log: options.log });
  const buffer = new Uint8Array(cellBytes * 8);
  const slash = Buffer.from('/');

  const succeed = (result: number, path: Buffer): void => {
    if (result < 0)
      throw new VolumeError(
        'VOLUME_FAILED',
        `${path.toString()}: to be added expected, ${errnoName(-result)} found`,
      );
  };
  const add = (parent: number, name: Buffer, path: Buffer): void => {
    const stat = lstatSync(path);
    const entry = new Entry();
    const caller: Caller = { unique: 0, uid: stat.uid, gid: stat.gid, pid: 0 };
    progress?.(path.toString());
    if (stat.isSymbolicLink()) {
      succeed(fs.symlink(parent, name, readlinkSync(path, { encoding: 'buffer' }), entry, caller), path);
    } else if (stat.isDirectory()) {
      fs.lookup(parent, name, entry);
      if (entry.node === 0) succeed(fs.mkdir(parent, name, stat.mode & 0o7777, entry, caller), path);
      for (const child of readdirSync(path, { encoding: 'buffer' }))
        add(entry.node, child, Buffer.concat([path, slash, child]));
    } else if (stat.isFile()) {
      succeed(fs.mknod(parent, name, fileType.file | (stat.mode & 0o7777), 0, entry, caller), path);
      const fd = openSync(path, 'r');
      try {
        for (let offset = 0; ;) {
          const length = readSync(fd, buffer, 0, buffer.length, offset);
          if (length === 0) break;
          succeed(fs.write(entry.node, 0, offset, length, buffer, 0, 0), path);
          offset += length;
        }
      } finally {
        closeSync(fd);
      }
    }
    if (entry.node !== 0) fs.forget(entry.node, 1);
  };
  try {
    const root = Buffer.from(source);
    for (const name of readdirSync(root, { encoding: 'buffer' }))
      add(rootInode, name, Buffer.concat([root, slash, name]));
    volume.commitAndWait(true);
  } finally {
    volume.close();
  }
}
