import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { repository } from '../images/places.ts';
import { needsContainers } from './harness.ts';

interface Place {
  readonly folder: string;
  /** Runs a script as root in a mount namespace of its own where mount(8) finds our helpers. */
  readonly script: (text: string) => Promise<{ status: number; text: string }>;
}

/** A folder with a key, a volume `data` with its `tag` file, and `mnt`. */
async function place(t: TestContext): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), 'ensconce-volume-command-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of ['sbin', 'mnt', 'out']) mkdirSync(join(folder, name));
  for (const name of ['mount.fuse.ensconce', 'umount.fuse.ensconce'])
    symlinkSync(join(repository, 'bin', name), join(folder, 'sbin', name));
  writeFileSync(join(folder, 'key'), Buffer.alloc(32, 7));
  writeFileSync(join(folder, 'other'), Buffer.alloc(32, 8));
  const prologue = `cd ${folder}; ensconce=${repository}/bin/ensconce; K="--key-file key --tag-file tag"
M="-t fuse.ensconce -o key-file=${folder}/key,tag-file=${folder}/tag,log-file=${folder}/log"
mount -t overlay -o lowerdir=${folder}/sbin:/usr/sbin overlay /usr/sbin
`;
  const script: Place['script'] = (text) =>
    new Promise((resolve) => {
      execFile(
        'unshare',
        ['-m', 'sh', '-ec', `${prologue}{ ${text}\n} 2>&1`],
        { timeout: 200_000 },
        (error, stdout) => resolve({ status: error ? Number(error.code ?? -1) : 0, text: stdout }),
      );
    });
  assert.equal((await script('$ensconce volume create data $K >/dev/null')).status, 0);
  return { folder, script };
}

void describe('the command for volumes', needsContainers, () => {
  void test('mount(8) and umount(8) work as with any file system', async (t) => {
    const { script } = await place(t);
    const written = await script(`
      mount $M,nosuid,nofail,x-systemd.requires=x data mnt
      grep " $PWD/mnt " /proc/mounts
      echo hello > mnt/file
      umount mnt
      $ensconce volume check data $K`);
    assert.equal(written.status, 0, written.text);
    assert.match(written.text, /^\S+\/data \S+\/mnt fuse\.ensconce rw,nosuid,nodev,/m);
    assert.match(written.text, /files, 6 bytes: all authentic/);
    const read = await script(`
      mount $M,ro data mnt
      cat mnt/file
      touch mnt/other || echo refused
      umount mnt
      mount $M,unknown data mnt || echo refused`);
    assert.match(read.text, /^hello$[^]*Read-only file system\nrefused[^]*unknown found[^]*refused/m);
  });

  void test('a volume that is not one, of another key, format or state is refused with the reason', async (t) => {
    const { folder, script } = await place(t);
    const data = join(folder, 'data');
    const refused = async (options: string, reason: RegExp): Promise<void> => {
      const { text } = await script(`$ensconce volume mount data mnt ${options} || echo refused $?`);
      assert.match(text, reason);
      assert.match(text, /^refused 1$/m);
    };
    await refused('--key-file other --tag-file tag', /the key that it is sealed with expected|key/);
    await refused(`--key-file key --tag ${'0'.repeat(63)}1`, /older or foreign ones found/);
    const header = readFileSync(join(data, 'volume'));
    const older = Buffer.from(header);
    older.writeUInt16LE(0, 8);
    writeFileSync(join(data, 'volume'), older);
    await refused('$K', /version 1 expected, 0 found/);
    writeFileSync(join(data, 'volume'), header.subarray(0, 100));
    await refused('$K', /144 bytes expected, 100 found/);
    writeFileSync(join(data, 'volume'), header);
    const segment = readdirSync(data).find((name) => name.endsWith('.segment')) as string;
    cpSync(data, join(folder, 'copy'), { recursive: true });
    unlinkSync(join(data, segment));
    await refused('$K', /rolled back, exchanged or damaged/);
    rmSync(data, { recursive: true });
    mkdirSync(data);
    await refused('$K', /the files of an initialised volume expected, none found/);
    cpSync(join(folder, 'copy'), data, { recursive: true });
    assert.equal((await script('$ensconce volume check data $K')).status, 0);
  });

  void test('an object that goes away under a mount gives EIO and a line that names it, and the rest is extracted', async (t) => {
    const { folder, script } = await place(t);
    const made = await script(`
      mount $M data mnt
      head -c 300000 /dev/urandom > mnt/first; sync mnt/first
      umount mnt
      mount $M data mnt
      echo second > mnt/second; sync mnt/second
      umount mnt; ls data`);
    assert.equal(made.status, 0, made.text);
    const segments = readdirSync(join(folder, 'data')).filter((name) => name.endsWith('.segment'));
    const [first = ''] = segments.toSorted();
    const found = await script(`
      mount $M data mnt
      mv data/${first} saved
      cat mnt/first > /dev/null || echo unreadable
      cat mnt/second
      echo third > mnt/third && sync mnt/third && cat mnt/third
      umount mnt
      $ensconce volume check data $K || echo damaged $?
      $ensconce volume extract data out $K || echo part $?
      cat out/second out/third
      mv saved data/${first}
      $ensconce volume check data $K`);
    assert.match(found.text, /Input\/output error\nunreadable\nsecond\nthird/);
    assert.match(found.text, /damaged: \/first \(inode \d+\) at 0 KiB: /);
    assert.match(found.text, /damaged 10[^]*missing: \/first[^]*part 10\nsecond\nthird/);
    assert.match(found.text, /all authentic\s*$/);
    assert.match(readFileSync(join(folder, 'log'), 'utf8'), new RegExp(`data: .*${first}`));
  });

  void test('a full disk gives ENOSPC and loses nothing, a read-only one refuses the mount', async (t) => {
    const { script } = await place(t);
    const { text } = await script(`
      mkdir small; mount -t tmpfs -o size=48m tmpfs small
      $ensconce volume create small/data --key-file key --tag-file small.tag > /dev/null
      $ensconce volume mount small/data mnt --key-file key --tag-file small.tag
      echo precious > mnt/precious; sync mnt/precious
      head -c 60000000 /dev/urandom > mnt/large || echo full
      cat mnt/precious; rm mnt/large; sync mnt/precious
      for i in $(seq 100); do echo more > mnt/more && break; sleep 0.1; done 2>/dev/null; sync mnt/more; cat mnt/more
      umount mnt
      $ensconce volume check small/data --key-file key --tag-file small.tag
      mount -o remount,ro small
      $ensconce volume mount small/data mnt --key-file key --tag-file small.tag || echo refused
      $ensconce volume mount small/data mnt --key-file key --tag-file small.tag --read-only; cat mnt/precious; umount mnt`);
    assert.match(text, /No space left on device\nfull\nprecious\nmore\n/, text);
    assert.match(text, /all authentic\n[^]*refused\nprecious\n/, text);
  });

  void test('junk beside a volume is left alone and costs little', async (t) => {
    const { folder, script } = await place(t);
    for (let i = 0; i < 20_000; i++) writeFileSync(join(folder, 'data', `junk-${i}`), '');
    truncateSync(join(folder, 'data', 'junk-0'), 1e9);
    writeFileSync(join(folder, 'data', 'head.00000000000009'), 'no head');
    mkdirSync(join(folder, 'data', '00000009.segment'));
    const { text, status } = await script(`
      mount $M data mnt; echo here > mnt/file; sync mnt/file; cat mnt/file; umount mnt
      $ensconce volume check data $K; ls data | grep -c junk`);
    assert.equal(status, 0, text);
    assert.match(text, /^here$[^]*all authentic\n20000\n/m);
  });
});
