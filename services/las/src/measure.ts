import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { EnsconceError } from '@ensconce/base/errors';
import type { DigestCache } from '@ensconce/measurement/digest-cache';
import { readManifest } from '@ensconce/measurement/folder';
import {
  encodeDescription,
  maxDescriptionSize,
  measureDescription,
  parseDescription,
} from '@ensconce/measurement/image';
import { manifestDigest } from '@ensconce/measurement/manifest';
import { describeProgram, isMeasuredSource, measureProgram } from '@ensconce/measurement/program';
import { LasError } from './errors.ts';

/** What simulated hardware measured of a process. */
export interface Measured {
  /** 64 hex digits; stands as MRENCLAVE in the simulated quote. */
  readonly measurement: string;
  /** The canonical image description that was measured, for a confidential container. */
  readonly description: Uint8Array | undefined;
}

/** How the launcher starts the runtime (services/runtime/launch/launch.c); anything else is not the runtime. */
const commandLine = '/bin/node\0--disable-sigusr1\0/runtime.mjs\0';

/** Empty folders of the runtime's root on which it, or the launcher, mounts something. */
const mountPoints = new Set(['host', 'proc', 'dev', 'run', 'tmp', 'sys']);

function refuse(expected: string, found: string): never {
  throw new LasError('LAS_NOT_MEASURABLE', `${expected} expected, ${found} found`, {
    hint: 'simulated hardware measures a process only as the launcher starts it',
  });
}

function startTime(proc: string): string {
  const stat = readFileSync(join(proc, 'stat'), 'latin1');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

function tracer(proc: string): string {
  return /^TracerPid:\s*(\d+)$/m.exec(readFileSync(join(proc, 'status'), 'latin1'))?.[1] ?? 'unknown';
}

/**
 * Everything that the process executes code from must be a measured file: no preloaded library, no other interpreter.
 * Compared by contents, because file systems that stack show one file under different device numbers.
 */
function checkMappings(proc: string, digests: ReadonlySet<string>, cache: DigestCache): void {
  const maps = readFileSync(join(proc, 'maps'), 'latin1').trimEnd().split('\n');
  for (const line of maps) {
    const [range = '', permissions = '', , device, inode, path = ''] = line.split(/\s+/);
    // Memory without a file: what Node compiles, and the kernel's own page.
    if (!permissions.includes('x') || (device === '00:00' && inode === '0')) continue;
    // map_files leads to the mapped file itself, whatever is mounted over its path; leading zeros are not in its names.
    const name = range
      .split('-')
      .map((end) => end.replace(/^0+(?=.)/, ''))
      .join('-');
    if (!digests.has(cache.file(join(proc, 'map_files', name), true).sha256)) {
      refuse('code of measured files only', `code of ${path || 'a nameless file'}`);
    }
  }
}

function checkMounts(proc: string): void {
  for (const line of readFileSync(join(proc, 'mountinfo'), 'latin1').trimEnd().split('\n')) {
    const point = line.split(' ')[4] ?? '';
    const top = point.split('/')[1] ?? '';
    if (point !== '/' && !mountPoints.has(top))
      refuse("no mount over the runtime's folder", `one on ${point}`);
  }
}

/** A file of the container, whose owner may have put anything in its place. */
function readBounded(path: string): Uint8Array {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  try {
    if (!fstatSync(descriptor).isFile()) refuse('the image description in a file', 'another kind of file');
    const buffer = Buffer.alloc(maxDescriptionSize + 1);
    return buffer.subarray(0, readSync(descriptor, buffer));
  } finally {
    closeSync(descriptor);
  }
}

function measureContainer(proc: string, cache: DigestCache): Measured {
  const root = join(proc, 'root');
  const command = readFileSync(join(proc, 'cmdline'), 'latin1');
  if (command !== commandLine)
    refuse(
      `the command line ${commandLine.replaceAll('\0', ' ')}`,
      JSON.stringify(command.replaceAll('\0', ' ').slice(0, 200)),
    );
  const environment = readFileSync(join(proc, 'environ'), 'latin1');
  if (environment !== '')
    refuse('an empty environment', `${environment.split('\0').filter(Boolean).length} variables`);
  checkMounts(proc);
  const manifest = readManifest(root, { cache, opaque: mountPoints });
  const digests = new Map(
    manifest.flatMap((entry) => (entry.type === 'file' ? [[entry.path, entry.sha256] as const] : [])),
  );
  checkMappings(proc, new Set(digests.values()), cache);
  if (cache.file(join(proc, 'exe'), true).sha256 !== digests.get('bin/node')) {
    refuse('/bin/node of the measured folder', 'another executable');
  }
  const runtime = manifestDigest(manifest);
  const claimed = parseDescription(readBounded(join(root, 'host', '.ensconce', 'image')));
  // The runtime digest is what is seen here; layer roots and CAS are enforced by the runtime that this digest names.
  const description = encodeDescription({ ...claimed, runtime });
  return { measurement: measureDescription(description), description };
}

function isCheckout(folder: string): boolean {
  try {
    const manifest: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    return typeof manifest === 'object' && manifest !== null && Reflect.get(manifest, 'name') === 'ensconce';
  } catch {
    // No manifest here; the next folder up may have it.
    return false;
  }
}

/** The checkout, as seen from `root`, that the program at `path` is a measured source of. */
function checkoutOf(root: string, path: string): string | undefined {
  const parts = path.split('/').filter(Boolean);
  for (let length = parts.length - 1; length >= 0; length--) {
    const folder = join(root, ...parts.slice(0, length));
    if (!isCheckout(folder)) continue;
    return isMeasuredSource(relative(folder, join(root, ...parts))) ? folder : undefined;
  }
  return undefined;
}

/** Variables that make Node or the loader run other code than the program's. */
const loaderVariables = /^(?:NODE_[A-Z_]+|LD_[A-Z_]+|GLIBC_TUNABLES|OPENSSL_[A-Z_]+)=/;

/** Options of Node that say how much memory and how many threads it takes, as bin/ensconce gives them to a server. Others may load other code. */
const sizes = /^--(?:max-semi-space-size|heap-growing-percent|v8-pool-size)=\d{1,4}$/;

/** A program of a checkout as bin/ensconce starts it: Node, the script, arguments. */
function measureCheckout(proc: string, cache: DigestCache): Measured {
  const [executable = '', ...words] = readFileSync(join(proc, 'cmdline'), 'utf8').split('\0');
  const script = words.find((word) => !sizes.test(word)) ?? '';
  const cwd = readlinkSync(join(proc, 'cwd'));
  const path = join('/', script.startsWith('/') ? script : join(cwd, script));
  const checkout = script === '' || script.startsWith('-') ? undefined : checkoutOf(join(proc, 'root'), path);
  if (checkout === undefined)
    refuse(
      'a confidential container, or a program of an Ensconce checkout without options of Node but sizes',
      JSON.stringify(`${executable} ${script}`.slice(0, 200)),
    );
  const environment = readFileSync(join(proc, 'environ'), 'latin1').split('\0');
  const loader = environment.find((entry) => loaderVariables.test(entry));
  if (loader !== undefined) refuse('an environment without loader variables', loader.split('=')[0] ?? '');
  const node = cache.file(join(proc, 'exe'), true).sha256;
  return { measurement: measureProgram(describeProgram(checkout, node, cache)), description: undefined };
}

/**
 * Takes the measurement of a process as simulated hardware: from the files that it really runs, seen through
 * `/proc/PID`, never from what it says (DESIGN §4). `root` is `/proc` but in tests.
 */
export function measureProcess(pid: number, cache: DigestCache, procRoot = '/proc'): Measured {
  const proc = join(procRoot, String(pid));
  try {
    const before = startTime(proc);
    if (tracer(proc) !== '0') refuse('a process that nobody traces', `a tracer, process ${tracer(proc)}`);
    const entries = readdirSync(join(proc, 'root'));
    const measured =
      entries.includes('runtime.mjs') && entries.includes('host')
        ? measureContainer(proc, cache)
        : measureCheckout(proc, cache);
    if (startTime(proc) !== before) refuse('the same process throughout', 'another one under its number');
    return measured;
  } catch (cause) {
    if (cause instanceof EnsconceError) throw cause;
    throw new LasError(
      'LAS_NOT_MEASURABLE',
      `process ${pid}: files and memory map to measure expected, they cannot be read`,
      {
        cause,
        hint: 'the LAS runs as root of the node',
      },
    );
  }
}
