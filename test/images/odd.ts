/** An image of everything that file systems allow and image tools forget. */
import { Buffer } from 'node:buffer';
import { debianPackages, mergedUsr, packageEntries, packageFile, sorted, withEntries } from './debian.ts';
import { buildImage, type TestImage } from './oci-layout.ts';
import { tarEntry, writeTar, type TarInput } from './tar.ts';

const directory = (name: string | Buffer, more: Partial<TarInput> = {}): TarInput => ({
  ...more,
  name,
  type: 'directory',
});

/** 200 bytes of one path component, more than the 100 that a plain tar header holds. */
const longName = 'a-name-longer-than-a-tar-header-'.repeat(7).slice(0, 200);
/** A path of several such components: 1024 bytes. */
const longPath = Array.from({ length: 8 }, (_, index) => `${index}`.padEnd(120, 'deep')).join('/');
/** Bytes that are no UTF-8 (ISO 8859-1 for "umlaut-äöü"), and a newline with a backslash. */
const latin1Name = Buffer.from('odd/umlaut-äöü', 'latin1');
const lineName = 'odd/two\nlines\\and "quotes"';

/** VFS_CAP_REVISION_2 with CAP_NET_BIND_SERVICE, effective and permitted (linux/capability.h). */
const fileCapability = Buffer.from('0100000200040000000000000000000000000000', 'hex');

/** 8 MiB of zeros with a word in the middle and at the end: sparse wherever holes are kept. */
function sparseBody(): Buffer {
  const body = Buffer.alloc(8 << 20);
  body.write('middle', 4 << 20);
  body.write('end', body.length - 3);
  return body;
}

function lowerLayer(): TarInput[] {
  return [
    directory('odd'),
    { name: 'odd/empty' },
    { name: 'odd/one-byte', body: 'x' },
    { name: 'odd/block', body: Buffer.alloc(65_536, 'ensconce') },
    { name: 'odd/sparse', body: sparseBody() },
    { name: 'odd/original', body: 'four names, one file\n', mode: 0o664, uid: 12, gid: 34 },
    { name: 'odd/second', type: 'hardlink', link: 'odd/original' },
    directory('odd/elsewhere', { mode: 0o2775, gid: 50 }),
    { name: 'odd/elsewhere/third', type: 'hardlink', link: 'odd/original' },
    { name: 'odd/absolute', type: 'symlink', link: '/odd/original' },
    { name: 'odd/relative', type: 'symlink', link: 'elsewhere/../original' },
    { name: 'odd/dangling', type: 'symlink', link: 'nowhere' },
    { name: 'odd/loop', type: 'symlink', link: 'loop', uid: 5, gid: 6 },
    { name: 'odd/long-link', type: 'symlink', link: `/odd/${longName}/${longName}` },
    {
      name: 'odd/attributes',
      body: 'has xattrs\n',
      xattrs: {
        'user.plain': Buffer.from('text'),
        'user.binary': Buffer.from([0, 255, 10, 61]),
      },
    },
    {
      name: 'odd/capable',
      body: 'has a file capability\n',
      mode: 0o755,
      xattrs: { 'security.capability': fileCapability },
    },
    directory('odd/attributed', { xattrs: { 'user.folder': Buffer.from('yes') } }),
    { name: 'odd/null', type: 'character', mode: 0o666, device: { major: 1, minor: 3 } },
    { name: 'odd/block-device', type: 'block', mode: 0o660, gid: 6, device: { major: 7, minor: 200 } },
    { name: 'odd/pipe', type: 'fifo', mode: 0o600 },
    directory('odd/sticky', { mode: 0o1777 }),
    directory('odd/locked', { mode: 0o000 }),
    { name: 'odd/locked/inside', body: 'only root\n', mode: 0o000 },
    { name: `odd/${longName}`, body: 'long name\n' },
    ...longPath.split('/').map((_, index, parts) => directory(`odd/${parts.slice(0, index + 1).join('/')}`)),
    { name: `odd/${longPath}/leaf`, body: 'long path\n' },
    { name: latin1Name, body: 'not UTF-8\n' },
    { name: lineName, body: 'two lines\n' },
    { name: 'odd/emoji-🦦', body: 'four bytes\n' },
    { name: 'odd/.hidden', body: 'hidden\n' },
    { name: 'odd/big-owner', body: 'uid of a user namespace\n', uid: 2_000_000, gid: 2_000_001 },
    // What the upper layers take away or replace.
    { name: 'odd/deleted-file', body: 'gone\n' },
    directory('odd/deleted-folder'),
    { name: 'odd/deleted-folder/inside', body: 'gone\n' },
    directory('odd/opaque'),
    { name: 'odd/opaque/old', body: 'hidden by the opaque folder\n' },
    directory('odd/opaque/old-folder'),
    { name: 'odd/opaque/old-folder/inside', body: 'hidden\n' },
    { name: 'odd/becomes-folder', body: 'a file below\n' },
    directory('odd/becomes-file'),
    { name: 'odd/becomes-file/inside', body: 'hidden\n' },
    { name: 'odd/becomes-link', body: 'a file below\n' },
    { name: 'odd/replaced', body: 'old contents, longer than the new\n' },
    { name: 'odd/template', body: 'pass=$$SCONE::password:hex$$ $$\n', mode: 0o644 },
    directory('odd/mode-changed', { mode: 0o700 }),
    { name: 'odd/mode-changed/kept', body: 'kept\n' },
    { name: 'odd/deleted-and-made-again', body: 'old\n' },
  ];
}

function upperLayer(): TarInput[] {
  return [
    directory('odd'),
    { name: 'odd/.wh.deleted-file' },
    { name: 'odd/.wh.deleted-folder' },
    directory('odd/opaque', { mode: 0o750 }),
    { name: 'odd/opaque/new', body: 'only this\n' },
    // The marker stands after an entry of its own folder on purpose: it hides lower layers only, whatever the order.
    { name: 'odd/opaque/.wh..wh..opq' },
    directory('odd/becomes-folder'),
    { name: 'odd/becomes-folder/inside', body: 'a folder now\n' },
    { name: 'odd/becomes-file', body: 'a file now\n' },
    { name: 'odd/becomes-link', type: 'symlink', link: 'replaced' },
    { name: 'odd/replaced', body: 'new\n' },
    { name: 'odd/.wh.deleted-and-made-again' },
    // Breaks one of the three names away from the others.
    { name: 'odd/second', body: 'a file of its own\n' },
  ];
}

function topLayer(): TarInput[] {
  return [
    directory('odd'),
    directory('odd/mode-changed', { mode: 0o755 }),
    { name: 'odd/deleted-and-made-again', body: 'new\n' },
    directory('odd/deleted-folder'),
    { name: 'odd/deleted-folder/again', body: 'made again\n' },
    { name: `odd/upper-${longName.slice(0, 150)}`, body: 'long name by GNU tar\n' },
    { name: 'odd/new-original', body: 'linked within the top layer\n' },
    { name: 'odd/new-link', type: 'hardlink', link: 'odd/new-original' },
  ];
}

/** Describes everything below a folder, contents included, in a form that does not depend on the file system. */
const describe = `import hashlib, os, stat, sys
def show(path):
    about = os.lstat(path)
    kind = stat.filemode(about.st_mode)
    line = [repr(path), kind, about.st_uid, about.st_gid]
    if not stat.S_ISDIR(about.st_mode): line.append(about.st_nlink)
    if stat.S_ISREG(about.st_mode):
        line.append(about.st_size)
        with open(path, 'rb') as file: line.append(hashlib.sha256(file.read()).hexdigest()[:16])
    if stat.S_ISLNK(about.st_mode): line.append(repr(os.readlink(path)))
    if stat.S_ISCHR(about.st_mode) or stat.S_ISBLK(about.st_mode): line.append((os.major(about.st_rdev), os.minor(about.st_rdev)))
    line.append(int(about.st_mtime))
    for name in sorted(os.listxattr(path, follow_symlinks=False)):
        if name.startswith(('user.', 'security.capability')): line.append((name, os.getxattr(path, name, follow_symlinks=False)))
    print(*line)
    if stat.S_ISDIR(about.st_mode):
        for name in sorted(os.listdir(path)): show(os.path.join(path, name))
for path in sys.argv[1:]: show(os.fsencode(path))
`;

const packages = [
  'libc6',
  'zlib1g',
  'libexpat1',
  'libssl3',
  'libpython3.11-minimal',
  'python3.11-minimal',
  'python3-minimal',
];
const tools = ['coreutils', 'libacl1', 'libattr1', 'libgmp10', 'libselinux1', 'libpcre2-8-0', 'dash'];

/** By default it prints every property of every file below /odd; `/usr/bin/effective-id` is a setuid-root `id`. */
export async function oddImage(): Promise<TestImage> {
  const all = [...packages, ...tools];
  const key = (await debianPackages(all)).map((fetched) => fetched.sha256).join(' ');
  return buildImage({
    name: 'odd',
    layers: [
      {
        key: `odd base ${key}`,
        createdBy: 'ADD base.tar /',
        tar: async () => {
          const id = await packageFile('coreutils', 'usr/bin/id');
          const added = [
            tarEntry({ name: 'usr/bin/effective-id', mode: 0o4755, body: id }),
            tarEntry({ name: 'usr/bin/group-id', mode: 0o2755, gid: 42, body: id }),
            tarEntry({ name: 'usr/lib/describe.py', body: describe }),
          ];
          return writeTar(sorted(withEntries(withEntries(await packageEntries(all), mergedUsr()), added)));
        },
      },
      { key: 'odd lower', createdBy: 'COPY lower /', tar: async () => writeTar(lowerLayer()) },
      {
        key: 'odd upper',
        createdBy: 'COPY upper /',
        compression: 'none',
        tar: async () => writeTar(upperLayer()),
      },
      { key: 'odd top', createdBy: 'COPY top /', tar: async () => writeTar(topLayer(), 'gnu') },
    ],
    config: {
      Env: ['PATH=/usr/bin:/bin', 'LC_ALL=C.UTF-8'],
      Entrypoint: ['python3', '/usr/lib/describe.py'],
      Cmd: ['/odd', '/usr/bin/effective-id'],
      WorkingDir: '/',
    },
    markers: ['four names, one file', 'umlaut-', 'mode-changed', 'describe.py'],
  });
}
