import { randomBytes } from 'node:crypto';
import { mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { utf8 } from '@ensconce/base/bytes';
import { TeeError } from './errors.ts';
import { errnoOf, interfaceError, readKernelFile, readKernelText, writeKernelFile } from './kernel-file.ts';

/** Where the kernel has its attestation reports (Documentation/ABI/testing/configfs-tsm-report), below a root. */
export const tsmFolder = (root: string): string => join(root, '/sys/kernel/config/tsm/report');

export interface TsmRequest {
  /** {@link tsmFolder}. */
  readonly folder: string;
  /** What the attribute `provider` must say. */
  readonly provider: string;
  /** 64 bytes. */
  readonly reportData: Uint8Array;
  /** AMD's VMPL. `floor` asks for the least that the kernel allows, which is the guest's own; `none` writes nothing. */
  readonly privilegeLevel: number | 'floor' | 'none';
  /** Bytes that the evidence may have, and what there is to say of more. */
  readonly limit: number;
  readonly largerHint?: string;
}

/** What the kernel made, still unread by any parser. Empty blobs are absent. */
export interface TsmReport {
  readonly outblob: Uint8Array;
  readonly auxblob: Uint8Array | undefined;
  readonly manifestblob: Uint8Array | undefined;
}

/** Bytes; the kernel's own maximum was 32 KiB at first. */
const supplementLimit = 65_536;
/** TSM_PRIVLEVEL_MAX. */
const highestPrivilegeLevel = 3;
const entryAttempts = 5;
const readAttempts = 5;
const firstDelay = 20;

/** Errors after which the same read may succeed: the one channel to the hardware is in use, or its answer was late. */
const transient: ReadonlySet<string> = new Set(['EBUSY', 'EINTR', 'ETIMEDOUT']);

const needed =
  'the guest needs a driver of its hardware (tdx_guest, sev-guest) and Linux 6.7, the container configfs, writable for root';

/** A folder of our own: its attributes are nobody else's business, and entries of processes that died are not in the way. */
function makeEntry(folder: string): string {
  const path = join(folder, `ensconce-${process.pid}-${randomBytes(8).toString('hex')}`);
  try {
    mkdirSync(path);
  } catch (cause) {
    throw interfaceError(folder, 'a new entry of configfs-tsm', cause, needed);
  }
  return path;
}

function removeEntry(path: string): void {
  try {
    rmdirSync(path);
  } catch (cause) {
    throw interfaceError(path, 'an entry that can be removed', cause);
  }
}

/** Runs `use` on an entry that is gone afterwards, whatever happens. */
async function withEntry<Result>(
  folder: string,
  use: (entry: string) => Result | Promise<Result>,
): Promise<Result> {
  const entry = makeEntry(folder);
  let result: Result;
  try {
    result = await use(entry);
  } catch (error) {
    try {
      removeEntry(entry);
    } catch {
      // What failed first is what there is to tell; an entry that stays costs the kernel a little memory.
    }
    throw error;
  }
  removeEntry(entry);
  return result;
}

function readText(entry: string, attribute: string): string {
  const path = join(entry, attribute);
  try {
    return readKernelText(path);
  } catch (cause) {
    throw interfaceError(path, 'a readable attribute', cause);
  }
}

function readNumber(entry: string, attribute: string): bigint {
  const text = readText(entry, attribute);
  if (!/^\d{1,20}$/.test(text))
    throw new TeeError(
      'TEE_INTERFACE',
      `${join(entry, attribute)}: a number expected, ${JSON.stringify(text.slice(0, 40))} found`,
    );
  return BigInt(text);
}

function write(entry: string, attribute: string, bytes: Uint8Array): void {
  const path = join(entry, attribute);
  try {
    writeKernelFile(path, bytes);
  } catch (cause) {
    throw interfaceError(path, 'an attribute that takes a value', cause);
  }
}

/** A blob, read anew while the hardware is busy. The first read of any blob is what makes the report. */
async function readBlob(
  entry: string,
  attribute: string,
  limit: number,
  largerHint?: string,
): Promise<Uint8Array> {
  const path = join(entry, attribute);
  for (let attempt = 1; ; attempt++) {
    try {
      return readKernelFile(path, limit, largerHint);
    } catch (cause) {
      const errno = errnoOf(cause);
      if (errno === 'EFBIG') {
        throw new TeeError(
          'TEE_SIZE',
          `${path}: a report within the kernel's maximum expected, EFBIG found`,
          {
            cause,
            hint: 'the platform makes larger evidence than this guest kernel takes: update the kernel',
          },
        );
      }
      if (errno === undefined || !transient.has(errno)) throw interfaceError(path, 'a blob', cause);
      if (attempt === readAttempts) {
        throw new TeeError('TEE_BUSY', `${path}: a blob expected, ${errno} found ${readAttempts} times`, {
          cause,
          hint: 'the host answers requests for evidence late or not at all: look at its quote generation service, then start again',
        });
      }
    }
    await sleep(firstDelay * 2 ** attempt);
  }
}

/** A blob that not every provider has (the attribute is then not there), and that may be empty. */
async function readSupplement(entry: string, attribute: string): Promise<Uint8Array | undefined> {
  try {
    const blob = await readBlob(entry, attribute, supplementLimit);
    return blob.length === 0 ? undefined : blob;
  } catch (error) {
    if (error instanceof TeeError && errnoOf(error.cause) === 'ENOENT') return undefined;
    throw error;
  }
}

function checkProvider(entry: string, expected: string): void {
  const provider = readText(entry, 'provider');
  if (provider !== expected)
    throw new TeeError(
      'TEE_PROVIDER',
      `configfs-tsm: provider ${expected} expected, ${JSON.stringify(provider.slice(0, 40))} found`,
    );
}

/** Writes the privilege level asked for; returns how many writes that took. */
function writePrivilegeLevel(entry: string, wanted: TsmRequest['privilegeLevel']): bigint {
  if (wanted === 'none') return 0n;
  const floor = Number(readNumber(entry, 'privlevel_floor'));
  const level = wanted === 'floor' ? floor : wanted;
  if (!Number.isInteger(level) || level < floor || level > highestPrivilegeLevel)
    throw new TeeError(
      'TEE_PRIVILEGE_LEVEL',
      `privilege level (VMPL): ${floor} to ${highestPrivilegeLevel} expected, ${level} found`,
      { hint: 'evidence can be had for the own privilege level and for less privileged ones' },
    );
  write(entry, 'privlevel', utf8(String(level)));
  return 1n;
}

/** One report; undefined where somebody else wrote to the entry meanwhile. */
async function makeReport(entry: string, request: TsmRequest): Promise<TsmReport | undefined> {
  checkProvider(entry, request.provider);
  const before = readNumber(entry, 'generation');
  const writes = writePrivilegeLevel(entry, request.privilegeLevel) + 1n;
  write(entry, 'inblob', request.reportData);
  const outblob = await readBlob(entry, 'outblob', request.limit, request.largerHint);
  const auxblob = await readSupplement(entry, 'auxblob');
  const manifestblob = await readSupplement(entry, 'manifestblob');
  // After all blobs, so that they are of one report. Errors of a binary attribute's write show nowhere else either.
  const after = readNumber(entry, 'generation');
  return after === before + writes ? { outblob, auxblob, manifestblob } : undefined;
}

/**
 * Has the kernel make a report over 64 bytes of report data.
 *
 * @throws TeeError
 */
export async function requestTsmReport(request: TsmRequest): Promise<TsmReport> {
  for (let attempt = 0; attempt < entryAttempts; attempt++) {
    const report = await withEntry(request.folder, (entry) => makeReport(entry, request));
    if (report !== undefined) return report;
  }
  throw new TeeError(
    'TEE_CONFLICT',
    `${request.folder}: an entry that only this process writes to expected, other or lost writes found ${entryAttempts} times`,
    { hint: 'something in this guest writes to entries of configfs-tsm that are not its own' },
  );
}

/** What is behind configfs-tsm; undefined where there is no such folder, or no hardware behind it (ENXIO). */
export async function tsmProvider(folder: string): Promise<string | undefined> {
  try {
    return await withEntry(folder, (entry) => readText(entry, 'provider'));
  } catch (error) {
    const errno = error instanceof TeeError ? errnoOf(error.cause) : undefined;
    if (errno === 'ENOENT' || errno === 'ENOTDIR' || errno === 'ENXIO') return undefined;
    throw error;
  }
}
