import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { readImage, runNative, unpackImage } from './native.ts';
import { oddImage } from './odd.ts';
import { pythonImage } from './python.ts';
import { alpineLikeImage, distrolessImage, staticImage } from './static.ts';
import { readTar, writeTar } from './tar.ts';

const options = { skip: process.getuid?.() === 0 ? false : 'SKIPPED: running containers needs root' };

function layers(image: string): string[] {
  const { digest } = readImage(image);
  const manifest = JSON.parse(readFileSync(join(image, 'blobs', ...digest.split(':')), 'utf8')) as {
    layers: { digest: string }[];
  };
  return manifest.layers.map((layer) => layer.digest);
}

void test('the Python image prints its report as the user of the image', options, async () => {
  const { path } = await pythonImage();
  const { status, stdout, stderr } = await runNative(path);
  assert.equal(stderr.toString(), '');
  assert.match(stdout.toString(), /^Saint Elswyth Hospital\nVermilion Otter quarterly: 400 patients/);
  assert.match(stdout.toString(), /user 1000:1000 in \/app/);
  assert.match(stdout.toString(), /templates: header\.txt 2024\.json\n$/, 'whiteout and opaque folder hold');
  assert.equal(status, 0);
});

void test('arguments replace the command of the image, and the exit status comes back', options, async () => {
  const { path } = await pythonImage();
  const { status, stdout } = await runNative(path, ['--json', '--exit', '9']);
  assert.equal(Object.keys(JSON.parse(stdout.toString()) as object).length, 5);
  assert.equal(status, 9);
});

void test('users can look around in the Python image', options, async () => {
  const { path } = await pythonImage();
  const command = ['/bin/sh', '-c', 'read line; echo "$line"; ls /app; id -un; exit 42'];
  const { status, stdout } = await runNative(path, [], { command, stdin: 'hello\n' });
  assert.equal(stdout.toString(), 'hello\npatients.csv\nreport.py\napp\n');
  assert.equal(status, 42);
});

void test('a change of the program changes the last layer only', options, async () => {
  const before = layers((await pythonImage()).path);
  const changed = layers((await pythonImage({ edit: '# one line more' })).path);
  assert.deepEqual(changed.slice(0, -1), before.slice(0, -1));
  assert.notEqual(changed.at(-1), before.at(-1));
});

void test('a run leaves the unpacked image as it was', options, async () => {
  const { path } = await pythonImage();
  await runNative(path, [], { command: ['/bin/sh', '-c', 'echo written > /app/new'] });
  const { stdout } = await runNative(path, [], { command: ['/bin/ls', '/app'] });
  assert.equal(stdout.toString(), 'patients.csv\nreport.py\n');
});

void test('images without shell or glibc run', options, async () => {
  const fixed = await staticImage();
  assert.equal((await runNative(fixed.path)).stdout.toString(), 'indigo-marten ledger: 42\n');
  assert.ok(!existsSync(join((await unpackImage(fixed.path)).folder, 'rootfs', 'bin')));
  const bare = await runNative((await distrolessImage()).path);
  assert.equal(bare.stdout.toString(), "saffron-ibex ['hello'] 65532 False\n");
  const musl = await runNative((await alpineLikeImage()).path);
  assert.match(
    musl.stdout.toString(),
    /^teal-lynx good day, uid 100, libc musl\nargument 1: one\nargument 2: two three\n$/,
  );
  assert.equal(musl.status, 3);
});

void test(
  'markers are in the native image, and too long to turn up in encrypted bytes by chance',
  options,
  async () => {
    for (const { path, markers } of [await pythonImage(), await staticImage(), await oddImage()]) {
      const blobs = join(path, 'blobs', 'sha256');
      const all = readdirSync(blobs).map((name) => {
        const blob = readFileSync(join(blobs, name));
        return blob.readUInt16BE() === 0x1f8b ? gunzipSync(blob) : blob;
      });
      for (const marker of markers) {
        assert.ok(marker.length >= 7, marker);
        assert.ok(
          all.some((blob) => blob.includes(marker)),
          marker,
        );
      }
    }
  },
);

void test('the odd image has what it says', options, async () => {
  const { path } = await oddImage();
  const { status, stdout } = await runNative(path);
  const text = stdout.toString('latin1');
  assert.equal(status, 0);
  for (const line of [
    /^b'\/odd\/original' -rw-rw-r-- 12 34 2 /m,
    /^b'\/odd\/capable' .*security\.capability/m,
    /^b'\/odd\/attributes' .*'user\.binary', b'\\x00\\xff\\n='/m,
    /^b'\/odd\/null' crw-rw-rw- 0 0 1 \(1, 3\)/m,
    /^b'\/odd\/umlaut-\\xe4\\xf6\\xfc' /m,
    /^b'\/odd\/second' -rw-r--r-- 0 0 1 18 /m,
    /^b'\/usr\/bin\/effective-id' -rwsr-xr-x /m,
  ])
    assert.match(text, line);
  assert.doesNotMatch(text, /deleted-file|opaque\/old|becomes-file\/inside/);
  const id = ['/usr/bin/effective-id', '-u'];
  assert.equal((await runNative(path, [], { command: id })).stdout.toString(), '0\n');
});

void test('tar entries survive writing and reading, long names in both styles', () => {
  const name = Buffer.concat([Buffer.from('folder/'), Buffer.alloc(150, 0xe9)]);
  const [entry] = readTar(writeTar([{ name, body: 'text', mode: 0o4755, uid: 7 }], 'gnu'));
  assert.deepEqual([entry?.name, entry?.body.toString(), entry?.mode, entry?.uid], [name, 'text', 0o4755, 7]);
  assert.ok(writeTar([{ name }]).includes(Buffer.concat([Buffer.from(' path='), name])));
});
