import { fromUtf8, utf8 } from '@ensconce/base/bytes';
import { TeeError } from './errors.ts';
import { errnoOf, type KernelFiles } from './files.ts';

/** What the kernel gave (Linux Documentation/ABI/testing/configfs-tsm-report). */
export interface TsmReport {
  readonly tee: 'tdx' | 'snp';
  /** TDX quote, or SEV-SNP report. */
  readonly evidence: Uint8Array;
  /** SEV-SNP: the host's certificate table; may be empty. */
  readonly certificates: Uint8Array;
}

export interface TsmOptions {
  readonly files: KernelFiles;
  /** 64 bytes: both drivers want exactly that. */
  readonly reportData: Uint8Array;
  /** Of this request alone; a random name, so that requests do not meet. */
  readonly name: string;
  /** SEV-SNP: the VMPL to ask for, 0 to 3; not below what the kernel allows. */
  readonly privilegeLevel?: number;
  readonly root?: string;
  readonly tries?: number;
}

export const tsmRoot = '/sys/kernel/config/tsm/report';
const providers: Readonly<Record<string, TsmReport['tee']>> = { tdx_guest: 'tdx', sev_guest: 'snp' };
/** Another request is under way, or a signal came between; the next try may succeed. */
const temporary: ReadonlySet<string | undefined> = new Set(['EBUSY', 'EINTR', 'ETIMEDOUT', 'EAGAIN']);

class Entry {
  readonly #files: KernelFiles;
  readonly #path: string;
  #generation: number;

  constructor(files: KernelFiles, path: string) {
    this.#files = files;
    this.#path = path;
    this.#generation = this.#readGeneration();
  }

  #readGeneration(): number {
    return this.number('generation');
  }

  text(name: string): string {
    return fromUtf8(this.#files.read(`${this.#path}/${name}`)).trim();
  }

  number(name: string): number {
    const text = this.text(name);
    if (!/^\d+$/.test(text))
      throw new TeeError('TEE_UNEXPECTED', `${this.#path}/${name}: a number expected, "${text}" found`);
    return Number(text);
  }

  bytes(name: string): Uint8Array {
    return this.#files.read(`${this.#path}/${name}`);
  }

  write(name: string, data: Uint8Array): void {
    this.#files.write(`${this.#path}/${name}`, data);
    this.#generation++;
  }

  /** Whether nobody else wrote to the entry: the kernel counts every write. */
  isOwn(): boolean {
    return this.#readGeneration() === this.#generation;
  }
}

function optional(entry: Entry, name: string): Uint8Array {
  try {
    return entry.bytes(name);
  } catch (error) {
    if (['ENOENT', 'ENXIO', 'EINVAL'].includes(errnoOf(error) ?? '')) return new Uint8Array();
    throw error;
  }
}

function checkLevel(entry: Entry, level: number): void {
  const floor = entry.number('privlevel_floor');
  if (level < floor)
    throw new TeeError('TEE_UNEXPECTED', `privilege level: ${floor} or higher expected, ${level} asked for`);
}

/** One try; undefined where another writer came between. */
function readOnce(entry: Entry, options: TsmOptions): TsmReport | undefined {
  const provider = entry.text('provider');
  const tee = Object.hasOwn(providers, provider) ? providers[provider] : undefined;
  if (tee === undefined)
    throw new TeeError(
      'TEE_UNEXPECTED',
      `configfs-tsm: provider tdx_guest or sev_guest expected, ${provider} found`,
    );
  if (options.privilegeLevel !== undefined) {
    checkLevel(entry, options.privilegeLevel);
    entry.write('privlevel', utf8(String(options.privilegeLevel)));
  }
  entry.write('inblob', options.reportData);
  const evidence = entry.bytes('outblob');
  const certificates = tee === 'snp' ? optional(entry, 'auxblob') : new Uint8Array();
  if (!entry.isOwn()) return undefined;
  if (evidence.length === 0)
    throw new TeeError('TEE_UNEXPECTED', 'configfs-tsm: evidence expected, none found');
  return { tee, evidence, certificates };
}

function makeEntry(files: KernelFiles, path: string): void {
  try {
    files.mkdir(path);
  } catch (cause) {
    throw new TeeError(
      'TEE_ABSENT',
      `${path}: a kernel with configfs-tsm expected (Linux 6.7 or later in a confidential VM)`,
      {
        cause,
        hint: 'mount configfs at /sys/kernel/config and load tdx-guest or sev-guest',
      },
    );
  }
}

/** Has the kernel make evidence for `reportData`. Every try has an entry of its own, which is removed again. */
export function readTsmReport(options: TsmOptions): TsmReport {
  if (options.reportData.length !== 64)
    throw new RangeError(`report data of 64 bytes expected, ${options.reportData.length} found`);
  let failure: unknown;
  for (let attempt = 0; attempt < (options.tries ?? 5); attempt++) {
    const path = `${options.root ?? tsmRoot}/${options.name}-${attempt}`;
    makeEntry(options.files, path);
    try {
      const report = readOnce(new Entry(options.files, path), options);
      if (report !== undefined) return report;
    } catch (error) {
      if (!temporary.has(errnoOf(error))) throw error;
      failure = error;
    } finally {
      options.files.rmdir(path);
    }
  }
  throw new TeeError('TEE_BUSY', 'configfs-tsm: evidence expected, only interrupted requests found', {
    cause: failure,
    hint: 'something else asks for evidence all the time; stop it',
  });
}
