/** Tar archives as OCI layers have them, byte for byte reproducible, with names that need not be text. */
import { Buffer } from 'node:buffer';

export type TarType = 'file' | 'hardlink' | 'symlink' | 'character' | 'block' | 'directory' | 'fifo';

export interface TarEntry {
  /** Path without leading `/` or `./`, and without a trailing `/`. */
  readonly name: Buffer;
  readonly type: TarType;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly body: Buffer;
  /** Target of a symlink, or path of the file that a hard link names. */
  readonly link: Buffer;
  readonly device: { readonly major: number; readonly minor: number };
  readonly xattrs: Readonly<Record<string, Buffer>>;
}

/** What a caller has to say about an entry; the rest has the usual values (root, 0644 or 0755, empty). */
export type TarInput = {
  readonly name: string | Buffer;
  readonly type?: TarType;
  readonly link?: string | Buffer;
} & Partial<Pick<TarEntry, 'mode' | 'uid' | 'gid' | 'device' | 'xattrs'>> & {
    readonly body?: string | Buffer;
  };

const types: readonly TarType[] = ['file', 'hardlink', 'symlink', 'character', 'block', 'directory', 'fifo'];
const none = Buffer.alloc(0);

/** The time of every entry: reproducible, and after 1980 so that zip tools take it too. */
export const entryTime = 1_700_000_000;

export function tarEntry(input: TarInput): TarEntry {
  const type = input.type ?? 'file';
  return {
    name: Buffer.from(input.name),
    type,
    mode: input.mode ?? (type === 'directory' ? 0o755 : type === 'symlink' ? 0o777 : 0o644),
    uid: input.uid ?? 0,
    gid: input.gid ?? 0,
    body: Buffer.from(input.body ?? ''),
    link: Buffer.from(input.link ?? ''),
    device: input.device ?? { major: 0, minor: 0 },
    xattrs: input.xattrs ?? {},
  };
}

function octal(value: number, width: number): string {
  return `${value.toString(8).padStart(width - 1, '0')}\0`;
}

function padded(body: Buffer): Buffer[] {
  return [body, Buffer.alloc((512 - (body.length % 512)) % 512)];
}

function header(flag: string, name: Buffer, link: Buffer, size: number, entry: TarEntry): Buffer {
  const block = Buffer.alloc(512);
  name.copy(block, 0, 0, 100);
  block.write(octal(entry.mode, 8), 100, 'latin1');
  block.write(octal(entry.uid, 8), 108, 'latin1');
  block.write(octal(entry.gid, 8), 116, 'latin1');
  block.write(octal(size, 12), 124, 'latin1');
  block.write(octal(entryTime, 12), 136, 'latin1');
  block.write('        ', 148, 'latin1');
  block.write(flag, 156, 'latin1');
  link.copy(block, 157, 0, 100);
  block.write('ustar\x0000', 257, 'latin1');
  block.write(octal(entry.device.major, 8), 329, 'latin1');
  block.write(octal(entry.device.minor, 8), 337, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

/** A record of a pax extended header: its own length in decimal counts itself (POSIX.1-2001, pax). */
function paxRecord(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')]);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

function longFields(entry: TarEntry, name: Buffer, style: 'pax' | 'gnu'): Buffer[] {
  const long = { path: name.length > 100, linkpath: entry.link.length > 100 };
  const blocks: Buffer[] = [];
  if (style === 'gnu') {
    const record = (flag: string, value: Buffer): void => {
      const body = Buffer.concat([value, Buffer.alloc(1)]);
      const plain = tarEntry({ name: '' });
      blocks.push(header(flag, Buffer.from('././@LongLink'), none, body.length, plain), ...padded(body));
    };
    if (long.linkpath) record('K', entry.link);
    if (long.path) record('L', name);
  }
  const records: Buffer[] = [];
  if (style === 'pax' && long.path) records.push(paxRecord('path', name));
  if (style === 'pax' && long.linkpath) records.push(paxRecord('linkpath', entry.link));
  for (const key of Object.keys(entry.xattrs).sort())
    records.push(paxRecord(`SCHILY.xattr.${key}`, entry.xattrs[key] ?? none));
  if (records.length > 0) {
    const body = Buffer.concat(records);
    const plain = tarEntry({ name: '' });
    blocks.push(header('x', Buffer.from('PaxHeaders/entry'), none, body.length, plain), ...padded(body));
  }
  return blocks;
}

/** Writes entries in their order; names over 100 bytes as pax records or as GNU tar's `L` and `K` entries. */
export function writeTar(inputs: readonly TarInput[], style: 'pax' | 'gnu' = 'pax'): Buffer {
  const blocks: Buffer[] = [];
  for (const entry of inputs.map((input) => tarEntry(input))) {
    const name = entry.type === 'directory' ? Buffer.concat([entry.name, Buffer.from('/')]) : entry.name;
    const flag = String(types.indexOf(entry.type));
    blocks.push(...longFields(entry, name, style), header(flag, name, entry.link, entry.body.length, entry));
    blocks.push(...padded(entry.body));
  }
  blocks.push(Buffer.alloc(1024));
  return Buffer.concat(blocks);
}

function field(block: Buffer, start: number, length: number): Buffer {
  const bytes = block.subarray(start, start + length);
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

function numeric(block: Buffer, start: number, length: number): number {
  const digits = field(block, start, length).toString('latin1').trim();
  if (!/^[0-7]*$/.test(digits)) throw new Error(`tar: an octal number expected, ${digits} found`);
  return digits === '' ? 0 : Number.parseInt(digits, 8);
}

/** Reads the tar inside a Debian package: ustar with GNU long names, no pax records, no sparse files. */
export function readTar(archive: Buffer): TarEntry[] {
  const entries: TarEntry[] = [];
  let longName: Buffer | undefined;
  let longLink: Buffer | undefined;
  for (let offset = 0; offset + 512 <= archive.length;) {
    const block = archive.subarray(offset, offset + 512);
    if (block.every((byte) => byte === 0)) break;
    const size = numeric(block, 124, 12);
    const body = archive.subarray(offset + 512, offset + 512 + size);
    offset += 512 + Math.ceil(size / 512) * 512;
    const flag = String.fromCharCode(block[156] ?? 0);
    if (flag === 'L') longName = field(body, 0, body.length);
    else if (flag === 'K') longLink = field(body, 0, body.length);
    else {
      const type = flag === '\0' ? 'file' : types[Number(flag)];
      if (type === undefined) throw new Error(`tar: a type from 0 to 6 expected, ${flag} found`);
      const prefix = field(block, 345, 155);
      const short = field(block, 0, 100);
      const gnu = block.subarray(257, 265).toString('latin1') === 'ustar  \0';
      const ustarName = prefix.length > 0 && !gnu ? Buffer.concat([prefix, Buffer.from('/'), short]) : short;
      const clean = (path: Buffer): Buffer =>
        Buffer.from(path.toString('latin1').replace(/^\.?\/+|\/+$|^\.$/g, ''), 'latin1');
      const link = longLink ?? field(block, 157, 100);
      entries.push({
        name: clean(longName ?? ustarName),
        type,
        mode: numeric(block, 100, 8) & 0o7777,
        uid: numeric(block, 108, 8),
        gid: numeric(block, 116, 8),
        body: type === 'file' ? body : none,
        link: type === 'hardlink' ? clean(link) : link,
        device: { major: numeric(block, 329, 8), minor: numeric(block, 337, 8) },
        xattrs: {},
      });
      longName = undefined;
      longLink = undefined;
    }
  }
  return entries;
}
