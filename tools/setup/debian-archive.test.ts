import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, test } from 'node:test';
import { fetchDebianPackages, packageTar } from './debian-archive.ts';
import { debianArchitecture, parseDebianLock, type DebianLock } from './debian-lock.ts';

const folder = mkdtempSync(join(tmpdir(), 'ensconce-archive-'));
const path = process.env['PATH'] ?? '';
const architecture = debianArchitecture();
const reports: string[] = [];
after(() => {
  process.env['PATH'] = path;
  rmSync(folder, { recursive: true, force: true });
});

/** A package archive in a folder, with an apt-get that knows `download NAME[=VERSION]`. */
function archive(name: string): string {
  const root = join(folder, name);
  mkdirSync(join(root, 'pool'), { recursive: true });
  const script = `#!/bin/sh
echo "$@" >> ${root}/log
while [ "$1" != download ] && [ "$1" != update ]; do shift; [ $# -gt 0 ] || exit 0; done
[ "$1" = update ] && exit 0
shift
for spec; do
  case $spec in
    *=*) file=${root}/pool/\${spec%=*}_\${spec#*=}_${architecture}.deb ;;
    *) file=$(ls ${root}/pool/\${spec}_*.deb | tail -n 1) ;;
  esac
  [ -f "$file" ] || { echo "E: Version '\${spec#*=}' for '\${spec%=*}' was not found" >&2; exit 100; }
  cp "$file" .
done
`;
  mkdirSync(join(root, 'bin'));
  writeFileSync(join(root, 'bin', 'apt-get'), script);
  chmodSync(join(root, 'bin', 'apt-get'), 0o755);
  process.env['PATH'] = `${join(root, 'bin')}:${path}`;
  return root;
}

function addPackage(root: string, name: string, version: string): string {
  const tree = join(root, 'tree');
  rmSync(tree, { recursive: true, force: true });
  mkdirSync(join(tree, 'DEBIAN'), { recursive: true });
  writeFileSync(join(tree, `${name}.txt`), version);
  writeFileSync(
    join(tree, 'DEBIAN', 'control'),
    `Package: ${name}\nVersion: ${version}\nArchitecture: ${architecture}\nMaintainer: nobody\nDescription: test\n`,
  );
  const file = join(root, 'pool', `${name}_${version}_${architecture}.deb`);
  execFileSync('dpkg-deb', ['--root-owner-group', '-Znone', '--build', tree, file], { stdio: 'ignore' });
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

function lockOf(entries: readonly { name: string; version: string; sha256: string }[]): DebianLock {
  const locked = { [architecture]: entries.map((entry) => ({ ...entry, architecture })) };
  return { suite: 'bookworm', packages: entries.map((entry) => entry.name), locked };
}

function fetchInto(root: string, lock: DebianLock) {
  return fetchDebianPackages(lock, {
    cacheFolder: join(root, 'cache'),
    report: (line) => reports.push(line),
  });
}

beforeEach(() => reports.splice(0));

void test('locked packages are fetched once and then taken from the cache', async () => {
  const root = archive('locked');
  const lock = lockOf([
    { name: 'one', version: '1.0', sha256: addPackage(root, 'one', '1.0') },
    { name: 'two', version: '2.0', sha256: addPackage(root, 'two', '2.0') },
  ]);
  const [one, two] = await fetchInto(root, lock);
  assert.deepEqual([one?.name, one?.released, two?.name, two?.released], ['one', true, 'two', true]);
  assert.ok(one !== undefined && (await packageTar(one)).includes('one.txt'));
  const calls = readFileSync(join(root, 'log'), 'utf8');
  await fetchInto(root, lock);
  assert.equal(readFileSync(join(root, 'log'), 'utf8'), calls);
});

void test('a version that the archive has dropped is replaced by the newest one, loudly each time', async () => {
  const root = archive('dropped');
  const lock = lockOf([
    { name: 'kept', version: '1.0', sha256: addPackage(root, 'kept', '1.0') },
    { name: 'dropped', version: '1.0', sha256: 'a'.repeat(64) },
  ]);
  addPackage(root, 'dropped', '1.1');
  for (const attempt of [1, 2]) {
    const [kept, dropped] = await fetchInto(root, lock);
    assert.equal(kept?.released, true, `attempt ${attempt}`);
    assert.deepEqual([dropped?.version, dropped?.released], ['1.1', false]);
  }
  const warnings = reports.filter((line) => line.includes('WARNING') && line.includes('dropped 1.1'));
  assert.equal(warnings.length, 2);
  assert.match(warnings[0] ?? '', /development build, not the released one/);
});

void test('another file under the locked version is refused', async () => {
  const root = archive('replaced');
  addPackage(root, 'one', '1.0');
  const lock = lockOf([{ name: 'one', version: '1.0', sha256: 'b'.repeat(64) }]);
  await assert.rejects(
    fetchInto(root, lock),
    /one with SHA-256 bbbb\w+ expected from the archive, another file found/,
  );
});

void test('a damaged file in the cache is fetched again', async () => {
  const root = archive('damaged');
  const lock = lockOf([{ name: 'one', version: '1.0', sha256: addPackage(root, 'one', '1.0') }]);
  const [first] = await fetchInto(root, lock);
  assert.ok(first !== undefined);
  writeFileSync(first.path, 'damaged');
  const [again] = await fetchInto(root, lock);
  assert.ok(again !== undefined && (await packageTar(again)).includes('one.txt'));
});

void test('an archive that cannot be reached is an error with what apt says', async () => {
  const root = archive('unreachable');
  writeFileSync(join(root, 'bin', 'apt-get'), '#!/bin/sh\necho "E: Could not resolve host" >&2\nexit 100\n');
  const lock = lockOf([{ name: 'one', version: '1.0', sha256: 'c'.repeat(64) }]);
  await assert.rejects(fetchInto(root, lock), /apt-get update.*Could not resolve host/);
});

void test('a lock file holds nothing that apt could take for an option', () => {
  const entry = { name: 'one', version: '1.0', architecture, sha256: 'd'.repeat(64) };
  const lock = (change: object): string =>
    JSON.stringify({
      suite: 'bookworm',
      packages: ['one'],
      locked: { [architecture]: [{ ...entry, ...change }] },
    });
  assert.equal(parseDebianLock(lock({})).packages.length, 1);
  assert.throws(() => parseDebianLock(lock({ version: '-o=x' })), /version of one/);
  assert.throws(() => parseDebianLock(lock({ sha256: 'd' })), /sha256 of one/);
  assert.throws(() => parseDebianLock(lock({ name: 'two' })), /the packages one expected/);
});
