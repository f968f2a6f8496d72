import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { System } from './filesystems.ts';
import { shell, timed, type Bar, type Row } from './volume-row.ts';

export interface Sizes {
  readonly megabytes: number;
  readonly files: number;
}

/** The kernel source of Debian's linux-source package as a tar file, or two folders of it. */
export async function sourceTree(folder: string, quick: boolean): Promise<{ tar: string; tree: string }> {
  const archive = readdirSync('/usr/src').find((name) => /^linux-source-.*\.tar\.xz$/.test(name));
  if (archive === undefined)
    throw new Error(
      'bench: a kernel source in /usr/src expected, none found\nhint: apt-get install linux-source',
    );
  const tree = archive.slice(0, -'.tar.xz'.length);
  const tar = join(folder, 'tree.tar');
  const members = quick ? `${tree}/fs ${tree}/net` : '';
  await shell(`xz -dc /usr/src/${archive} > whole.tar`, { cwd: folder });
  await shell(
    members === ''
      ? 'mv whole.tar tree.tar'
      : `tar xf whole.tar ${members}; rm whole.tar; tar cf tree.tar ${tree}; rm -r ${tree}`,
    { cwd: folder },
  );
  return { tar, tree };
}

const systems: readonly System[] = ['ensconce', 'gocryptfs', 'securefs', 'loop', 'bare'];

/** At least so many times as fast as gocryptfs on tmpfs, and never slower on disk. */
const beats = (ratio: number): Bar[] => [
  { of: 'ensconce', than: 'gocryptfs', ratio, store: 'tmpfs' },
  { of: 'ensconce', than: 'gocryptfs', ratio: 1, store: 'disk' },
];
const nearDisk = (['disk', 'slow disk'] as const).map((store): Bar => ({
  of: 'ensconce',
  than: 'bare',
  ratio: 0.9,
  store,
  diskBound: true,
}));
const notSlower: Bar = { of: 'ensconce', than: 'gocryptfs', ratio: 1, store: 'disk' };

const python = (program: string): string => `python3 -c '${program}'`;
const randomly = (action: string, count: number): string =>
  python(
    `import os,random; random.seed(1); b=os.urandom(4096); f=os.open("zero",os.O_RDWR)\nfor i in range(${count}): ${action}\nos.fsync(f)`,
  );

/** gocryptfs's own benchmark, and small reads, writes and creations. They build on each other in this order. */
export function fileRows(source: { tar: string; tree: string }, sizes: Sizes): readonly Row[] {
  const { tar, tree } = source;
  const { megabytes, files } = sizes;
  const offset = `4096*random.randrange(${megabytes * 256})`;
  const row = (
    name: string,
    script: string,
    bars: readonly Bar[],
    rest: Pick<Row, 'after' | 'cold'> = {},
  ): Row => ({
    name,
    systems,
    bars,
    measure: timed(script),
    ...rest,
  });
  const [file, unpacked] = ['sequential write', 'untar'];
  return [
    row(file, `dd if=/dev/zero of=zero bs=128K count=${megabytes * 8} conv=fsync 2>/dev/null`, [
      ...beats(1.5),
      ...nearDisk,
    ]),
    row('sequential read', 'dd if=zero of=/dev/null bs=128K 2>/dev/null', [...beats(1.3), ...nearDisk], {
      after: file,
      cold: true,
    }),
    row('4 KiB random write', randomly(`os.pwrite(f,b,${offset})`, files), [notSlower], { after: file }),
    row('4 KiB random read', randomly(`os.pread(f,4096,${offset})`, files), [notSlower], {
      after: file,
      cold: true,
    }),
    row(
      'create',
      `rm zero; mkdir c; cd c; ${python(`for i in range(${files}): open(str(i),"w").write("x")`)}; rm -r ../c`,
      beats(2),
      { after: file },
    ),
    row(
      'create with fsync',
      `mkdir f; cd f; ${python(`import os\nfor i in range(${Math.ceil(files / 20)}):\n  f=open(str(i),"w"); f.write("x"); f.flush(); os.fsync(f.fileno())`)}; rm -r ../f`,
      [],
    ),
    row(unpacked, `tar xf ${tar}`, beats(2)),
    row('md5', `find ${tree} -type f -print0 | xargs -0 md5sum >/dev/null`, beats(2), {
      after: unpacked,
      cold: true,
    }),
    row('ls -lR', `ls -lR ${tree} >/dev/null`, [...beats(4)], { after: unpacked, cold: true }),
    row('rm -r', `rm -r ${tree}`, beats(2), { after: unpacked, cold: true }),
  ];
}
