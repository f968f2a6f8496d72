import { fileType } from '@ensconce/fuse/protocol';
import { entriesOf } from './directories.ts';
import { frameOverhead, segmentName } from './frame.ts';
import { decodeInode } from './inode.ts';
import { cellSize, inoOf, kind, numberAt } from './key.ts';
import type { Page } from './page.ts';
import { pathsOf } from './paths.ts';
import { cellBytes, decodeCell, unitReferenceSize } from './units.ts';
import type { Volume } from './volume.ts';

export interface CheckReport {
  readonly pages: number;
  readonly files: number;
  readonly units: number;
  readonly bytes: number;
  /** What is wrong, one line each, naming what is affected. */
  readonly problems: readonly string[];
}

export interface CheckOptions {
  readonly volume: Volume;
  /** Has a unit read elsewhere, which reports what is wrong with it; read here unless given. */
  readonly unit?: (ino: number, cell: number, reference: Uint8Array) => void;
  /** Called now and then with the bytes that have been read and those that there are. */
  readonly progress?: (done: number, total: number) => void;
}

interface Seen {
  links: number;
  directory: boolean;
  entries: number;
  size: number;
  names: number;
  subdirectories: number;
}

const reason = (error: unknown): string =>
  error instanceof Error ? error.message : 'not an error was thrown';

/** Reads every page and every unit of a volume, and holds names, link counts and the count of live bytes against them. */
export function checkVolume({ volume, progress, unit }: CheckOptions): CheckReport {
  const found = findProblems({ volume, ...(progress && { progress }), ...(unit && { unit }) });
  return { ...found, problems: describeProblems(volume, found.problems) };
}

/** One thing that is wrong, with the inode that is affected where that is known. */
export interface Problem {
  readonly ino?: number;
  readonly text: string;
}

/** As lines that name files by their paths. */
export function describeProblems(volume: Volume, problems: readonly Problem[]): readonly string[] {
  const affected = new Set(problems.flatMap(({ ino }) => ino ?? []));
  const pathOf = affected.size === 0 ? () => undefined : pathsOf(volume, affected);
  return problems.map(({ ino, text }) => {
    if (ino === undefined) return text;
    const path = pathOf(ino);
    return path === undefined ? `inode ${ino}${text}` : `${path} (inode ${ino})${text}`;
  });
}

/** {@link checkVolume} without the paths. */
export function findProblems({
  volume,
  progress,
  unit,
}: CheckOptions): Omit<CheckReport, 'problems'> & { readonly problems: readonly Problem[] } {
  const problems: Problem[] = [];
  const inodes = new Map<number, Seen>();
  const live = new Map<number, number>();
  const out = new Uint8Array(cellBytes);
  const total = volume.liveBytes;
  let pages = 0;
  let units = 0;
  let bytes = 0;
  const use = (segment: number, length: number): void => {
    live.set(segment, (live.get(segment) ?? 0) + length + frameOverhead);
  };
  const seen = (ino: number): Seen => {
    let entry = inodes.get(ino);
    if (!entry)
      inodes.set(
        ino,
        (entry = { links: -1, directory: false, entries: 0, size: 0, names: 0, subdirectories: 0 }),
      );
    return entry;
  };
  const entry = (key: Uint8Array, value: Uint8Array): void => {
    const ino = inoOf(key);
    if (ino === 0) return;
    if (key[6] === kind.inode) {
      const inode = decodeInode(ino, value);
      const directory = (inode.mode & fileType.mask) === fileType.directory;
      Object.assign(seen(ino), { links: inode.links, directory, size: inode.size });
    } else if (key[6] === kind.entry) {
      for (const { ino: child, type } of entriesOf(value)) {
        seen(ino).entries++;
        seen(child).names++;
        if (type === fileType.directory >>> 12) seen(ino).subdirectories++;
      }
    } else if (key[6] === kind.cell) {
      try {
        const read = unit && ((reference: Uint8Array) => unit(ino, numberAt(key, 7, cellSize), reference));
        const cell = checkCell(volume, value, use, out, read);
        const before = units;
        units += cell.units;
        bytes += cell.bytes;
        if (!unit && units >>> 10 !== before >>> 10) progress?.(bytes, total);
      } catch (error) {
        problems.push(damagedCell(ino, numberAt(key, 7, cellSize), reason(error)));
      }
    }
  };
  const page = (visited: Page): void => {
    pages++;
    if (visited.location) use(visited.location.segment, visited.location.length);
    if (visited.level > 0) return;
    for (let i = 0; i < visited.count; i++) {
      try {
        entry(visited.key(i), visited.value(i));
      } catch (error) {
        problems.push({ ino: inoOf(visited.key(i)), text: `: ${reason(error)}` });
      }
    }
  };
  volume.visitPages(page, (location, error) => {
    use(location.segment, location.length);
    problems.push({ text: `page at ${segmentName(location.segment)}:${location.offset}: ${reason(error)}` });
  });
  for (const { segment, length } of volume.released) use(segment, length);

  if (!unit) progress?.(total, total);
  for (const [ino, { links, directory, entries, size, names, subdirectories }] of inodes) {
    if (links < 0) problems.push({ ino, text: `: an inode expected by ${names} names, none found` });
    else if (directory) {
      if (size !== entries)
        problems.push({ ino, text: `: a directory of ${size} names expected, ${entries} found` });
      if (links !== 0 && links !== subdirectories + 2)
        problems.push({ ino, text: `: a directory of ${subdirectories + 2} links expected, ${links} found` });
    } else if (links !== names) problems.push({ ino, text: `: ${links} names expected, ${names} found` });
  }
  for (const segment of new Set([...live.keys(), ...volume.usage.keys()])) {
    const [counted, found] = [volume.usage.get(segment) ?? 0, live.get(segment) ?? 0];
    if (counted < found)
      problems.push({
        text: `${segmentName(segment)}: at least ${found} live bytes counted expected, ${counted} found`,
      });
  }
  return { pages, files: inodes.size, units, bytes, problems };
}

/** Part of a file that is not what was written. */
export function damagedCell(ino: number, cell: number, text: string): Problem {
  return { ino, text: ` at ${(cell * cellBytes) / 1024} KiB: ${text}` };
}

/** Reads the units that a cell refers to; returns how many there are and how many bytes they hold. */
function checkCell(
  volume: Volume,
  value: Uint8Array,
  use: (segment: number, length: number) => void,
  out: Uint8Array,
  elsewhere: ((reference: Uint8Array) => void) | undefined,
): { units: number; bytes: number } {
  const counted = new Set<string>();
  let bytes = 0;
  for (const [index, { segment, offset, length, tag }] of decodeCell(value).entries()) {
    const unit = `${segment}:${offset}`;
    if (counted.has(unit)) continue;
    counted.add(unit);
    use(segment, length);
    if (elsewhere) elsewhere(value.subarray(index * unitReferenceSize, (index + 1) * unitReferenceSize));
    else volume.readUnit(segment, offset, length, tag, out.subarray(0, length));
    bytes += length;
  }
  return { units: counted.size, bytes };
}
