import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  mkdtempSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { loadNative } from '@ensconce/fuse/native';
import { needsMounts, place, serve, volumeKey } from '../test/served-volume.ts';
import type { Place } from '../test/served-volume.ts';
import { nodeAead } from './aead.ts';
import { DirectoryBacking } from './backing.ts';
import { checkVolume } from './check.ts';
import { extractVolume } from './extract.ts';
import { fileTagKeeper } from './file-tag-keeper.ts';
import { makeRoot } from './filesystem.ts';
import { mountVolume } from './mount.ts';
import type { AsyncTagKeeper } from './remote-tag-keeper.ts';
import type { TagKeeper } from './tag-keeper.ts';
import { MemoryTagKeeper } from './tag-keeper.ts';
import { Volume } from './volume.ts';

const run = promisify(execFile);
function openOptions(directory: string, keeper: TagKeeper) {
  const backing = new DirectoryBacking(directory);
  return { backing, keeper, volumeKey, aead: nodeAead, random: randomBytes, log: () => undefined };
}

function create({ directory }: Place, keeper: TagKeeper): void {
  Volume.create(openOptions(directory, keeper), (volume) => makeRoot(volume, { seconds: 1, nanoseconds: 0 }));
}

void test('a mounted volume does what programs expect of a file system', needsMounts, async (t) => {
  const here = place(t);
  create(here, fileTagKeeper(here.tag));
  const log: string[] = [];
  const mount = () =>
    mountVolume({
      ...here,
      volumeKey,
      keeper: { kind: 'file', path: here.tag },
      log: (line) => log.push(line),
    });
  let served = await mount();
  const script = fileURLToPath(new URL('../test/posix.py', import.meta.url));
  const { stdout } = await run('python3', [script, here.mountpoint, '1', '400']);
  assert.equal(stdout, 'whole\n');
  const sums = (): Promise<{ stdout: string }> =>
    run('sh', ['-c', 'find . -type f -print0 | sort -z | xargs -0 md5sum'], { cwd: here.mountpoint });
  const before = await sums();
  await served.unmount();
  served = await mount();
  assert.equal((await sums()).stdout, before.stdout);
  await served.unmount();
  assert.deepEqual(log, []);
  const volume = Volume.openReadOnly(openOptions(here.directory, fileTagKeeper(here.tag)));
  assert.deepEqual(checkVolume({ volume }).problems, []);
  const destination = mkdtempSync(join(here.directory, '..', 'out-'));
  const report = extractVolume({ volume, destination });
  assert.deepEqual(report.problems, ['/pipe: neither file, directory nor symbolic link, left out']);
  const extracted = await run('sh', ['-c', 'find . -type f -print0 | sort -z | xargs -0 md5sum'], {
    cwd: destination,
  });
  assert.equal(extracted.stdout, before.stdout);
  volume.close();
});

void test('SQLite and git work on a volume whose tag is kept behind a connection', needsMounts, async (t) => {
  const here = place(t);
  const memory = new MemoryTagKeeper();
  create(here, memory);
  let advances = 0;
  const keeper: AsyncTagKeeper = {
    read: async () => memory.read(),
    acquire: async (expected, tag) => memory.acquire(expected, tag),
    advance: async (epoch, from, to) => {
      await sleep(1);
      // Every tenth answer is lost on its way.
      let result: 'accepted' | 'superseded' = 'superseded';
      memory.advance(epoch, from, to, (advance) => {
        if (advance === 'accepted') result = advance;
      });
      advances++;
      if (advances % 10 === 9) throw new Error('the connection broke');
      return result;
    },
  };
  const served = await mountVolume({ ...here, volumeKey, keeper });
  const script = [
    'import sqlite3, sys',
    'db = sqlite3.connect(sys.argv[1] + "/db", isolation_level=None)',
    'db.execute("create table t (a integer primary key, b text)")',
    'lost = 0',
    'for i in range(40):',
    '  try: db.execute("insert into t (b) values (?)", ("x" * i,))',
    '  except sqlite3.OperationalError: lost += 1; db.rollback() if db.in_transaction else None',
    'assert lost < 20 and db.execute("pragma integrity_check").fetchone() == ("ok",)',
    'db.execute("pragma journal_mode = wal")',
    'assert db.execute("select count(*) from t").fetchone()[0] >= 20',
  ].join('\n');
  await run('python3', ['-c', script, here.mountpoint]);
  assert.ok(advances > 10, String(advances));
  const git = (...args: string[]) =>
    run('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', '-C', join(here.mountpoint, 'repo'), ...args]);
  mkdirSync(join(here.mountpoint, 'repo'));
  await git('init', '-q');
  writeFileSync(join(here.mountpoint, 'repo', 'file'), 'content\n');
  await git('add', '.');
  await git('commit', '-qm', 'first');
  assert.equal((await git('fsck', '--strict')).stdout, '');
  await served.unmount();
  const volume = Volume.openReadOnly(openOptions(here.directory, memory));
  assert.deepEqual(checkVolume({ volume }).problems, []);
  volume.close();
});

void test(
  'after kill -9 of the server, what was fsynced is there and the file system is whole',
  needsMounts,
  async (t) => {
    const here = place(t);
    create(here, fileTagKeeper(here.tag));
    for (let round = 0; round < 3; round++) {
      const child = await serve(t, here);
      const script = [
        'import os, sys',
        'os.chdir(sys.argv[1])',
        'try:',
        '  for i in range(100000):',
        '    with open(f"r{sys.argv[2]}-{i}", "wb") as f:',
        '      f.write(b"x" * (i * 37 % 9000)); f.flush(); os.fsync(f.fileno())',
        '    print(i, flush=True)',
        'except OSError: pass',
      ].join('\n');
      const writer = spawn('python3', ['-c', script, here.mountpoint, String(round)], {
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      let last = '';
      writer.stdout.on('data', (data: Buffer) => (last += data.toString()));
      while (last.split('\n').length < 20 && writer.exitCode === null) await sleep(5);
      child.kill('SIGKILL');
      await Promise.all([once(child, 'exit'), once(writer, 'exit')]);
      loadNative().umount2(here.mountpoint, 2);
      const promised = last.trim().split('\n').length;
      assert.ok(promised > 5, last);
      const again = await serve(t, here);
      for (let i = 0; i < promised; i++)
        assert.equal(readFileSync(join(here.mountpoint, `r${round}-${i}`)).length, (i * 37) % 9000);
      again.kill('SIGTERM');
      await once(again, 'exit');
    }
    assert.deepEqual(readdirSync(here.mountpoint), []);
    const volume = Volume.openReadOnly(openOptions(here.directory, fileTagKeeper(here.tag)));
    assert.deepEqual(checkVolume({ volume }).problems, []);
    volume.close();
  },
);

void test(
  'after kill -9 of the server, a file of O_TMPFILE is there if it was given a name, and gone if it was not',
  needsMounts,
  async (t) => {
    const here = place(t);
    create(here, fileTagKeeper(here.tag));
    const child = await serve(t, here);
    const script = [
      'import os, signal, sys',
      'os.chdir(sys.argv[1])',
      'def unnamed(data):',
      '  fd = os.open(".", os.O_RDWR | os.O_TMPFILE, 0o600)',
      '  os.write(fd, data)',
      '  return fd',
      'named, lost, used = unnamed(b"named" * 20_000), unnamed(b"lost"), unnamed(b"used")',
      'os.fsync(used)',
      'os.link(f"/proc/self/fd/{named}", "named", src_dir_fd=0, follow_symlinks=True)',
      'os.fsync(named)',
      'print("promised", flush=True)',
      'signal.pause()',
    ].join('\n');
    const program = spawn('python3', ['-c', script, here.mountpoint], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.after(() => program.kill('SIGKILL'));
    assert.match(String(await once(program.stdout, 'data')), /^promised/);
    child.kill('SIGKILL');
    program.kill('SIGKILL');
    await Promise.all([once(child, 'exit'), once(program, 'exit')]);
    loadNative().umount2(here.mountpoint, 2);
    const again = await serve(t, here);
    assert.deepEqual(readdirSync(here.mountpoint), ['named']);
    assert.equal(readFileSync(join(here.mountpoint, 'named'), 'utf8'), 'named'.repeat(20_000));
    const { files, ffree } = statfsSync(here.mountpoint);
    assert.equal(files - ffree, 2, 'the root and the file that has a name');
    again.kill('SIGTERM');
    await once(again, 'exit');
    const volume = Volume.openReadOnly(openOptions(here.directory, fileTagKeeper(here.tag)));
    assert.deepEqual(checkVolume({ volume }).problems, []);
    volume.close();
  },
);

void test(
  'a volume is made by its first mount, and never anew once its keeper knows it',
  needsMounts,
  async (t) => {
    const here = place(t);
    const memory = new MemoryTagKeeper();
    const keeper: AsyncTagKeeper = {
      read: async () => memory.read(),
      acquire: async (expected, tag) => memory.acquire(expected, tag),
      advance: async (epoch, from, to) => {
        let result: 'accepted' | 'superseded' = 'superseded';
        memory.advance(epoch, from, to, (advance) => {
          if (advance === 'accepted') result = advance;
        });
        return result;
      },
    };
    const mount = (more: Partial<Parameters<typeof mountVolume>[0]> = {}) =>
      mountVolume({ ...here, volumeKey, keeper, ...more });
    await assert.rejects(mount(), /it has never been made/);
    const create = { uid: 12, gid: 34, mode: 0o750 };
    mkdirSync(join(here.directory, 'lost+found'));
    let served = await mount({ create });
    const { uid, gid, mode } = statSync(here.mountpoint);
    assert.deepEqual([uid, gid, mode & 0o7777], [12, 34, 0o750]);
    writeFileSync(join(here.mountpoint, 'file'), 'first');
    await served.unmount();
    const before = memory.read();

    served = await mount({ create, readOnly: true });
    assert.equal(readFileSync(join(here.mountpoint, 'file'), 'utf8'), 'first');
    assert.throws(() => writeFileSync(join(here.mountpoint, 'file'), 'second'), /EROFS/);
    await served.unmount();
    assert.deepEqual(memory.read(), before, 'nothing is told of a read-only mount');

    served = await mount({ create, unprotected: true });
    writeFileSync(join(here.mountpoint, 'file'), 'second');
    await served.unmount();
    assert.deepEqual(memory.read(), before, 'nothing is told of an unprotected mount');
    served = await mount({ create, unprotected: true });
    assert.equal(readFileSync(join(here.mountpoint, 'file'), 'utf8'), 'second');
    await served.unmount();

    rmSync(here.directory, { recursive: true });
    mkdirSync(here.directory);
    for (const unprotected of [false, true])
      await assert.rejects(mount({ create, unprotected }), /the files of an initialised volume expected/);
  },
);
